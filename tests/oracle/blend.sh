#!/usr/bin/env bash
# A blended map is numpy's mean of the single tiles' probabilities, weighted by a window that rises as
# sin^2 over the overlap; its classes are those of the largest mean.
. "$(dirname "$0")/../support/program.bash" "$1"
if ! /usr/bin/python3 -c 'import numpy, osgeo.gdal' 2>/dev/null; then
  skip "numpy and GDAL for Python (python3-numpy, python3-gdal) are not installed"
fi
judge=$(cd "$(dirname "$0")" && pwd)/blend.py

"$make_scene" -o scene.tif -s 470x330 -b 3 -t Byte --nodata-share 0.1 >log 2>&1
"$make_scene" -o small.tif -s 90x70 -b 3 -t Byte >log 2>&1
"$make_scene" -o odd.tif -s 150x118 -b 3 -t Byte --nodata-share 0.1 >log 2>&1
"$make_model" unet.h5 --bands 3 --depth 4 --width 4 --normalize none --seed 4
"$make_model" whole.h5 --bands 3 --normalize none --seed 3 --net deeplabv3+,encoder=resnet18,width=16,pool=-1

# blended MODEL STRIDE SCENE TILE OVERLAP [OPTIONS...]: against single tiles, each mapped as a scene
blended() {
  local model=$1 stride=$2 scene=$3 tile=$4 overlap=$5
  shift 5
  rm -rf tiles
  mkdir tiles
  predict 2 $scene.tif -m $model.h5 --mode blend --tile $tile --overlap $overlap -o mask.tif --probabilities=p.tif \
    --precision f32 --chunk 256 "$@"
  gdalinfo mask.tif >info
  grep -q "SEGTILES_BLEND=tiles of" info || fail "the mask does not say that it is blended"
  /usr/bin/python3 "$judge" cut $scene.tif $stride $tile $overlap
  predict 1 tiles -m $model.h5 -o tiles/ --probabilities --precision f32 --tile 4096 "$@"
  /usr/bin/python3 "$judge" compare $scene.tif $stride $tile $overlap || fail "$model, tiles of $tile, overlap $overlap $*"
}

blended unet 16 scene 192 64
blended unet 16 odd 96 64 # three tiles over a pixel
blended unet 16 small 192 64 # smaller than a tile
blended whole 16 odd 96 32
blended whole 16 odd 80 16 --tta
