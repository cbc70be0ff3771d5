#!/usr/bin/env bash
# The numbers and pictures of a report are those that numpy and GDAL find in the masks and labels; the page
# is the same for any number of ranks, is well-formed, and a browser shows it.
. "$(dirname "$0")/../support/program.bash" "$1"
if ! /usr/bin/python3 -c 'import numpy, osgeo.gdal' 2>/dev/null; then
  skip "numpy and GDAL for Python (python3-numpy, python3-gdal) are not installed"
fi
. "$support/training.bash"
judge=$(cd "$(dirname "$0")" && pwd)/report_page.py
make_job
"$make_scene" -o test.tif -l test_labels.tif -s 700x600 -k 3 -b 3 --offset 5000,0 --nodata-share 0.1 >log 2>&1
sed -i -e 's/{name: a, /{name: "<b>\&\\"a\\x27", /' -e 's/^  classes:/  test: {images: test.tif, labels: test_labels.tif}\n  classes:/' job.yaml
train 2 run -o run train.steps=40 train.validate_every=10

# report RANKS ARGUMENTS...
report() {
  local ranks=$1
  shift
  "$mpirun" "$ranks" "$segtiles" report run "$@" >page 2>log || { cat log >&2; fail "report on $ranks ranks: $*"; }
}
report 1 --split test
[ "$(cat page)" = run/report.html ] || fail "the page's name is not told"
report 3 --split test -o three.html
cmp run/report.html three.html || fail "another page on 3 ranks"
predict 1 test.tif -m run/best.h5 -o mask.tif --probabilities=probabilities.tif
/usr/bin/python3 "$judge" numbers run/report.html test mask.tif test_labels.tif probabilities.tif labels.tif ||
  fail "the numbers are not those of numpy"

# Of validation blocks; and more tiles than there are, at half their resolution.
report 2 --split test --tiles 32 -o many.html
/usr/bin/python3 "$judge" half many.html || fail "many tiles"
report 2 -o val.html
"$segtiles" evaluate -m run/best.h5 run/job.yaml --split val --json >val.json 2>log || fail "evaluate"
/usr/bin/python3 "$judge" evaluated val.html val.json || fail "the numbers are not those of evaluate"

if ! command -v chromium >/dev/null; then
  echo "passed, but not looked at: chromium is not installed"
  exit 0
fi
# browse ARGUMENTS...: a page in a headless browser, without network
browse() {
  HOME=$work timeout 120 env -u LD_PRELOAD chromium --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars \
    --host-resolver-rules='MAP * ~NOTFOUND' --user-data-dir="$work/browser" "$@" 2>browser_log ||
    { cat browser_log >&2; fail "chromium: $*"; }
}
browse --dump-dom "file://$work/run/report.html" >dom.html
browse --window-size=1200,1400 --screenshot="$work/wide.png" "file://$work/run/report.html"
browse --window-size=500,1400 --blink-settings=preferredColorScheme=0 --screenshot="$work/dark.png" \
  "file://$work/run/report.html"
/usr/bin/python3 "$judge" looks run/report.html dom.html wide.png dark.png || fail "the browser shows something else"
echo passed
