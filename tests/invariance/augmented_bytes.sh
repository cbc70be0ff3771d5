#!/usr/bin/env bash
# With --tta too, mask and probabilities are the same to the byte for any number of ranks, any tile,
# chunk and batch; scenes whose sides are no multiples of the stride, and tiles that are not square.
. "$(dirname "$0")/../support/program.bash" "$1"

# check SIZE: all tilings against one single tile
check() {
  "$make_scene" -o scene.tif -s "$1" -b 3 -t Byte --nodata-share 0.1
  predict 1 scene.tif -m model.h5 -o single.tif --probabilities=single_p.tif --tta --tile 4096 \
    --chunk 4096 --batch 1
  [ "$(gdalinfo -json -hist single.tif |
    /usr/bin/python3 -c 'import json, sys
print(sum(n > 0 for n in json.load(sys.stdin)["bands"][0]["histogram"]["buckets"]))')" -ge 2 ] ||
    fail "the mask has one class only: it would be the same by chance"
  same 1
  same 4 --tile 240 --chunk 256 --batch 3
  same 2 --tile 272 --batch 2 --readers 3
}

# same RANKS OPTIONS...
same() {
  local n=$1
  shift
  predict "$n" scene.tif -m model.h5 -o other.tif --probabilities=other_p.tif --tta "$@"
  cmp single.tif other.tif || fail "another mask on $n ranks with $*"
  cmp single_p.tif other_p.tif || fail "other probabilities on $n ranks with $*"
}

"$make_model" model.h5 --bands 3 --depth 4 --width 4 --normalize none
check 389x301
check 453x61 # lower than a tile: the tiles are not square

# It is part of what a prediction is made of.
predict 1 scene.tif -m model.h5 -o none.tif
"$segtiles" info single.tif | grep -q "flips and rotations" || fail "the mask does not say --tta"
! "$segtiles" info none.tif | grep -q "flips and rotations" || fail "a plain mask says --tta"
