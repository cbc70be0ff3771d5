#!/usr/bin/env bash
# A blended mask, and all that comes with it, is the same to the byte for any number of ranks, any chunk,
# batch and number of readers, killed and resumed too; a part of a scene is what the whole mask shows there.
. "$(dirname "$0")/../support/program.bash" "$1"
"$make_scene" -o scene.tif -s 720x530 -b 3 -t Byte --nodata-share 0.1 >log 2>&1
"$make_model" unet.h5 --bands 3 --depth 4 --width 4 --normalize none --seed 4
"$make_model" whole.h5 --bands 3 --normalize none --seed 3 --net deeplabv3+,encoder=resnet18,width=16,pool=-1

# same MODEL RANKS OPTIONS...: the bytes of single/
same() {
  local model=$1 ranks=$2
  shift 2
  predict "$ranks" scene.tif -m $model.h5 -o mask.tif --confidence=c.tif --probabilities=p.tif "$@"
  for file in mask c p; do
    cmp single/$file.tif $file.tif || fail "another $file of $model on $ranks ranks with $*"
  done
}

mkdir single
tiles="--mode blend --tile 128 --overlap 48"
predict 1 scene.tif -m unet.h5 -o single/mask.tif --confidence=single/c.tif --probabilities=single/p.tif $tiles \
  --chunk 1024 --batch 1
same unet 2 $tiles --chunk 512 --batch 3
same unet 4 $tiles --chunk 256 --batch 8 --readers 3
same unet 3 $tiles --chunk 256 --batch 5 --max-mem 400M
predict 2 scene.tif -m unet.h5 -o part.tif --probabilities=part_p.tif $tiles -srcwin 100 90 301 222
gdal_translate -q -srcwin 100 90 301 222 single/p.tif want.tif
/usr/bin/python3 -c 'if 1:
  from osgeo import gdal
  a, b = (gdal.Open(name).ReadAsArray() for name in ("part_p.tif", "want.tif"))
  assert (a == b).all() and len(set(a.ravel())) > 1000' || fail "a part is not what the whole mask shows"

# Killed, and taken up with other ranks, batch and readers; other tiles are refused.
LD_PRELOAD="${LD_PRELOAD:+$LD_PRELOAD:}$(dirname "$segtiles")/tests/fault_preload.so" FAULT_MARK=$work/mark \
  FAULT_RANK=0 FAULT_CALL=write FAULT_ERROR=0 FAULT_NTH=1 FAULT_FILE=assembled.tif "$mpirun" 2 "$segtiles" predict \
  scene.tif -m unet.h5 -o killed.tif $tiles --chunk 256 >log 2>&1 && fail "not killed"
[ -e mark ] && [ -d killed.tif.parts ] || fail "not killed in the assembly"
refused 2 "made otherwise" 2 scene.tif -m unet.h5 -o killed.tif --mode blend --tile 128 --overlap 32
predict 3 scene.tif -m unet.h5 -o killed.tif $tiles --batch 7
cmp single/mask.tif killed.tif || fail "another mask after a kill"

rm -r single/*
gdal_translate -q -srcwin 0 0 400 300 scene.tif part.tif && mv part.tif scene.tif # a slower network
predict 1 scene.tif -m whole.h5 -o single/mask.tif --confidence=single/c.tif --probabilities=single/p.tif --tile 160
grep -q "blended, tiles of 160 x 160 .*global pooling" log || { cat log >&2; fail "it does not say why it blends"; }
same whole 4 --tile 160 --chunk 256 --batch 3

refused 1 "mode exact is impossible" 2 scene.tif -m whole.h5 --mode exact
refused 2 "overlap is for blended tiles" 2 scene.tif -m unet.h5 --overlap 16
refused 2 "cannot overlap by 128: for this network at most by 112" 2 scene.tif -m whole.h5 --tile 128 --overlap 128
