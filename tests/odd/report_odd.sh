#!/usr/bin/env bash
# Reports of odd runs: a page, or one clear line.
. "$(dirname "$0")/../support/program.bash" "$1"
judge=$(cd "$(dirname "$0")/../oracle" && pwd)/report_page.py

# reports RANKS PAGE ARGUMENTS...: a well-formed page
reports() {
  local ranks=$1 page=$2
  shift 2
  timeout -k 5 120 "$mpirun" "$ranks" "$segtiles" report "$@" -o "$page" >told 2>log ||
    { cat log >&2; fail "report $*"; }
  [ "$(cat told)" = "$page" ] || fail "the page's name is not told: $*"
  if /usr/bin/python3 -c 'import numpy, osgeo.gdal' 2>/dev/null; then
    /usr/bin/python3 "$judge" well "$page" || fail "the form of $page"
  fi
}

# refuses STATUS WORDS ARGUMENTS...: one message with WORDS, and no page
refuses() {
  local status=$1 words=$2 got=0
  shift 2
  timeout -k 5 60 "$mpirun" 2 "$segtiles" report "$@" -o "$log.html" >"$log.told" 2>"$log" || got=$?
  [ "$got" = "$status" ] || { cat "$log" >&2; fail "expected status $status, got $got: $*"; }
  [ "$(grep -c '^segtiles: ' "$log")" = 1 ] || { cat "$log" >&2; fail "expected one message: $*"; }
  grep '^segtiles: ' "$log" | grep -qF -- "$words" || { cat "$log" >&2; fail "expected \"$words\": $*"; }
  [ ! -e "$log.html" ] && [ ! -s "$log.told" ] || fail "a page all the same: $*"
}
shows() { grep -qF -- "$2" "$1" || fail "$1 does not show \"$2\""; }
shows_not() { ! grep -qF -- "$2" "$1" || fail "$1 shows \"$2\""; }

# 60 classes with names of all kinds, most of them in no pixel; one band; no validation scenes.
"$make_scene" -o scene.tif -l labels.tif -s 300x200 -b 1 >log 2>&1
{
  echo "name: odd"
  echo "data: {train: {images: $work/scene.tif, labels: $work/labels.tif}, classes: ["
  for i in $(seq 60); do echo "  {name: '<i>$i</i> &amp; \"grün\" {}', value: $i},"; done
  echo "]}"
  echo "model: {width: 4, depth: 2}"
  echo "train: {tile: 64, batch: 2, steps: 3}"
} >job.yaml
"$segtiles" train job.yaml -o run >log 2>&1 || { cat log >&2; fail "train"; }
reports 1 one.html run
reports 3 three.html run/
cmp one.html three.html || fail "another page on 3 ranks, or of run/"
shows one.html 'id="substituted"'
shows one.html '&lt;i&gt;60&lt;/i&gt; &amp;amp; &quot;grün&quot; {}'
shows_not one.html '<i>60'
shows one.html 'classes are in no pixel of truth or prediction'
shows one.html 'All 3 steps done'
reports 2 train.html run --split train --tiles 0
shows_not train.html 'id="substituted"'
shows_not train.html '<figure class="tile"'
[ "$(ls run | tr '\n' ' ')" = "job.yaml last.h5 metrics.csv metrics.jsonl " ] || fail "left in run: $(ls run)"

# Command lines.
beside refuses 2 "no scene is left for the split 'test'" run --split test
beside refuses 2 "expected one of: train val test" run --split all
beside refuses 2 "does not read band 4" run --bands 1,1,4
beside refuses 2 "expected three numbers" run --bands 1
beside refuses 2 "a run folder is missing"
beside refuses 2 "one run folder makes one page" run run
beside refuses 1 "is no folder" job.yaml
beside refuses 1 "nowhere is no folder" nowhere
mkdir empty
beside refuses 1 "empty holds no job.yaml" empty
beside refuses 2 "none.tif" run data.train.images="$work/none.tif"
joined
for page in no/such/page.html empty; do # told before the work
  got=0
  "$segtiles" report run -o $page >told 2>log || got=$?
  [ $got = 1 ] && [ "$(cat log | wc -l)" = 1 ] && grep -q "^segtiles: $page" log || fail "an impossible page: $page"
done

# Checkpoints: none yet, damaged, another's.
mkdir early && cp run/job.yaml early
refuses 1 "early holds no best.h5 and no last.h5 yet; --curves" early
reports 2 early.html early --curves
shows early.html "holds no step yet"
shows early.html "There is no checkpoint yet"
: >early/metrics.jsonl
reports 1 early.html early --curves
head -c 3000 run/last.h5 >early/last.h5
refuses 1 "early/last.h5" early
"$make_model" early/last.h5 --bands 1 --depth 2 --width 4 >log 2>&1
refuses 2 "are not the classes of early/last.h5" early

# Metrics with holes: no number, half a row, a row that is being written, ranks of another kind.
cp -r run holes
cat >holes/metrics.jsonl <<'JSON'
{"step": 1, "lr": 0.1, "loss": 0.5, "ranks": [{"wait<s": 0.25}, {"wait<s": 0.75}]}
{"step": 2, "lr": 0.1, "loss": null, "val_miou": null, "ranks": [{"wait<s": 0.75}, {"wait<s": null}]}
{"step": 3, "lr": 0.1, "lo
{"step": 4, "lr": 1e400, "loss": 1e308, "val_miou": 0.25}
{"step": 5, "lr": 0.1, "loss": 0.
JSON
truncate -s -1 holes/metrics.jsonl
reports 1 holes.html holes
shows holes.html "The loss is no number in 1 row:"
shows holes.html "1 row of metrics.jsonl cannot be read"
shows holes.html 'wait&lt;s</td><td class="n">0.5</td><td class="n">0.75</td>'
rm holes/metrics.jsonl && mkdir holes/metrics.jsonl
refuses 1 "holes/metrics.jsonl" holes

# A run that goes on meanwhile: what is there, and nothing left behind.
"$segtiles" train job.yaml -o going train.steps=100000 train.save_every=5 --threads 1 >train_log 2>&1 &
job=$!
for _ in $(seq 900); do [ -f going/last.h5 ] && break || sleep 0.1; done
reports 2 going.html going
kill -TERM $job
wait $job || true
shows going.html "of 100000 steps done: going on, or stopped"
[ -z "$(ls going | grep '\.tmp\.')" ] || fail "left in going: $(ls going)"
echo passed
