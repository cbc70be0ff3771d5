#!/usr/bin/env bash
# A prediction that is killed while its mask is sieved, polygons are made or areas counted goes on on
# other ranks without the network, to the same bytes, and leaves nothing behind.
. "$(dirname "$0")/../support/program.bash" "$1"
. "$support/training.bash"
end_at_once
make_job
train 2 run -o run train.steps=60 # enough for a map of several classes
"$make_scene" -o map.tif -s 900x700 -b 3 --seed 4 >log 2>&1
options="-m run/last.h5 --chunk 256 --sieve 7 --polygons --areas"
mkdir whole
predict 2 map.tif $options -o whole/map_mask.tif

# kill CALL NTH FILE: rank 0, at the n-th such call
kill_at() {
  local status=0
  rm -f mark
  LD_PRELOAD="${LD_PRELOAD:+$LD_PRELOAD:}$(dirname "$segtiles")/tests/fault_preload.so" FAULT_MARK=$work/mark \
    FAULT_RANK=0 FAULT_CALL=$1 FAULT_ERROR=0 FAULT_NTH=$2 FAULT_FILE=$3 \
    "$mpirun" 2 "$segtiles" predict map.tif $options >log 2>&1 || status=$?
  [ -e mark ] && [ $status != 0 ] || { cat log >&2; fail "no kill at $*"; }
  [ ! -e map_polygons.gpkg ] || fail "polygons that are not whole bear their name"
}

kill_at write 2 whole.tif
kill_at open 1 sieved.tif
kill_at rename 1 map_mask.tif
kill_at rename 1 map_mask.tif.confidence.tif
kill_at rename 1 map_areas.csv
kill_at open 1 traced.fgb
kill_at write 5 map_polygons.gpkg
kill_at rename 1 map_polygons.qml
kill_at rename 1 map_polygons.gpkg
[ -n "$(ls -d map_polygons.gpkg.parts)" ] || fail "the last kill came too early"
predict 3 map.tif $options
grep -q "an earlier run has finished 12 of 12" log || { cat log >&2; fail "the network was needed again"; }
for file in whole/*; do
  cmp "$file" "${file#whole/}" || fail "other bytes: $file"
done
left=$(find . -name '*.tmp*' -o -name '*.parts' -o -name '*confidence*')
[ -z "$left" ] || fail "left: $left"
