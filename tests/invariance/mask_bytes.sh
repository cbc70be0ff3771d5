#!/usr/bin/env bash
# The mask is the same to the byte for any number of ranks, any tile, chunk, batch and number of
# readers, and equal to the mask of one single tile. SEGTILES_LONG_TESTS=1: on 3000 x 2500 pixels.
. "$(dirname "$0")/../support/program.bash" "$1"

size=720x530
ranks="1 2 3 4 16"
[ -z "${SEGTILES_LONG_TESTS:-}" ] || size=3000x2500
"$make_scene" -o scene.tif -s $size -b 3 -t Byte --nodata-share 0.1
"$make_model" model.h5 --bands 3 --depth 4 --width 4 --normalize scene

# check PRECISION: all outputs against those of one tile
check() {
  predict 1 scene.tif -m model.h5 -o single.tif --precision "$1" --tile 4096 --chunk 4096 --batch 1
  [ "$(gdalinfo -json -hist single.tif |
    /usr/bin/python3 -c 'import json, sys
print(sum(n > 0 for n in json.load(sys.stdin)["bands"][0]["histogram"]["buckets"]))')" -ge 2 ] ||
    fail "the mask has one class only: it would be the same by chance"
  for n in $ranks; do
    same "$n" --precision "$1"
  done
  for tile in 256 320 448; do
    for batch in 1 4 8; do
      same 2 --precision "$1" --tile $tile --batch $batch
    done
  done
  same 3 --precision "$1" --chunk 256 --tile 256 --readers 3
}

# same RANKS OPTIONS...: the same bytes as single.tif
same() {
  local n=$1
  shift
  predict "$n" scene.tif -m model.h5 -o other.tif "$@"
  cmp single.tif other.tif || fail "another mask on $n ranks with $*"
}

check f32
if "$segtiles" predict scene.tif -m model.h5 -o bf16.tif --precision bf16 >log 2>&1; then
  check bf16
else
  grep -q "bf16 is not offered" log || { cat log >&2; fail "bf16"; }
  echo "bf16 is not offered here: only f32 was checked"
fi
