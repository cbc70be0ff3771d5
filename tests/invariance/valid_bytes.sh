#!/usr/bin/env bash
# The map of a network without padding is the same to the byte for any number of ranks, tile, chunk and
# batch, a part of a scene is what the whole shows there; it is never blended. Group norm is never exact.
. "$(dirname "$0")/../support/program.bash" "$1"
"$make_scene" -o scene.tif -s 333x250 -b 3 -t Byte --nodata-share 0.1 >log 2>&1
"$make_model" model.h5 --net unet,depth=3,width=4,valid=1 --normalize none --seed 3
"$make_model" group.h5 --net unet,depth=3,width=8,norm=group --normalize none --seed 3
"$make_model" both.h5 --net unet,depth=3,width=4,valid=1,up=bilinear,separable=1 --normalize none --seed 4

# same MODEL RANKS OPTIONS...: the bytes of single.tif and single_p.tif
same() {
  local model=$1 n=$2
  shift 2
  predict "$n" scene.tif -m $model.h5 -o other.tif --probabilities=other_p.tif "$@"
  cmp single.tif other.tif || fail "another mask of $model on $n ranks with $*"
  cmp single_p.tif other_p.tif || fail "other probabilities of $model on $n ranks with $*"
}

for model in model both; do
  predict 1 scene.tif -m $model.h5 -o single.tif --probabilities=single_p.tif --tile 4096 --chunk 4096
  for n in 2 4; do
    same $model $n --chunk 64
  done
  for tile in 136 160 256; do
    same $model 2 --tile $tile --batch 3 --chunk 128
  done
done
predict 2 scene.tif -m both.h5 -o part.tif --probabilities=part_p.tif -srcwin 101 90 133 122 --tile 160
gdal_translate -q -srcwin 101 90 133 122 single_p.tif want.tif
/usr/bin/python3 -c 'if 1:
  from osgeo import gdal
  a, b = (gdal.Open(name).ReadAsArray() for name in ("part_p.tif", "want.tif"))
  assert (a == b).all() and len(set(a.ravel())) > 1000' || fail "a part is not what the whole mask shows"
predict 1 scene.tif -m model.h5 -o single.tif --probabilities=single_p.tif --tta --tile 4096 --chunk 4096
same model 3 --tta --tile 136 --chunk 128
predict 1 scene.tif -m group.h5 -o single.tif --probabilities=single_p.tif --tile 96
grep -q "blended, .*group norm" log || { cat log >&2; fail "it does not say why it blends"; }
same group 3 --tile 96 --chunk 64 --batch 5

refused 1 "mode blend is impossible: .*--mode exact" 2 scene.tif -m model.h5 --mode blend
refused 1 "mode exact is impossible: .*group norm" 2 scene.tif -m group.h5 --mode exact
refused 2 "the least for this network is" 2 scene.tif -m model.h5 --tile 64
echo passed
