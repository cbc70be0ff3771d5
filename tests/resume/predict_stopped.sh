#!/usr/bin/env bash
# A signal to one rank ends a prediction with status 75; run again, it does the rest. Another model or
# scene is not mixed in; --restart begins anew.
. "$(dirname "$0")/../support/program.bash" "$1"
"$make_scene" -o scene.tif -s 2600x2100 -b 3 -t Byte --block 128 >log 2>&1
"$make_model" model.h5 --bands 3 --depth 3 --width 8 --normalize scene
options="-m model.h5 --chunk 256 --tile 256 --batch 1 -o mask.tif"
predict 2 scene.tif $options
mv mask.tif whole.tif

spools() { find mask.tif.parts -name '*.spool' -size +0 2>/dev/null | wc -l; }

# one_rank: the process number of a rank that works in this folder
one_rank() {
  for process in $(pgrep -x segtiles); do
    [ "$(readlink "/proc/$process/cwd")" != "$work" ] || { echo "$process"; return; }
  done
}

# stop SIGNAL RANKS: send it to one rank when it has written something
stop() {
  local status=0 process before
  before=$(spools || true)
  "$mpirun" "$2" "$segtiles" predict scene.tif $options >log 2>&1 &
  local job=$!
  until [ "$(spools || true)" -gt "$before" ]; do sleep 0.02; done
  process=$(one_rank)
  [ -n "$process" ] || fail "no rank to signal"
  kill -"$1" "$process"
  wait $job || status=$?
  [ $status = 75 ] || { cat log >&2; fail "status $status after SIG$1"; }
  [ "$(grep -c '^segtiles: .*stopped by a signal with [0-9]* of 99 chunks finished' log)" = 1 ] ||
    { cat log >&2; fail "one message, please"; }
  [ ! -e mask.tif ] || fail "a mask after SIG$1"
}

stop USR1 2
stop TERM 3
"$make_model" other.h5 --bands 3 --depth 3 --width 8 --normalize scene --seed 9
refused 2 "mask.tif.parts holds an unfinished prediction that was made otherwise (\"model " 2 \
  scene.tif ${options/model/other}
refused 2 "(\"\(precision\|device\) .*--restart" 2 scene.tif $options --precision f32 --device reference
refused 2 "(\"stored as DEFLATE, .* now \"stored as LZW" 2 scene.tif $options -co COMPRESS=LZW
refused 2 "(\"stored as DEFLATE, .* now \"stored as .*without blocks" 2 scene.tif $options -co SPARSE_OK=TRUE
touch scene.tif
refused 2 "(\"of .* bytes, changed at" 2 scene.tif $options
predict 2 scene.tif $options --restart
if grep -q "an earlier run has finished" log; then fail "--restart went on"; fi
cmp mask.tif whole.tif || fail "other bytes"

rm mask.*
stop USR1 1
predict 2 scene.tif $options
grep -q "an earlier run has finished" log || fail "begun anew"
cmp mask.tif whole.tif || fail "other bytes after a stop"
[ ! -e mask.tif.parts ] || fail "mask.tif.parts stays"
