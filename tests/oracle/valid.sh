#!/usr/bin/env bash
# A U-Net without padding maps a scene as PyTorch does that is given the whole scene at once, with zeros
# around it: up to its edges, and whatever the tiles.
. "$(dirname "$0")/../support/program.bash" "$1"
oracle=$support/../oracle
torch=${PYTHON:-/usr/bin/python3}
"$torch" -c 'import torch, osgeo.gdal' 2>/dev/null || skip "$torch has no torch and GDAL (Debian: python3-torch, python3-gdal)"

"$make_scene" -o scene.tif -s 170x118 -b 3 -t Byte --nodata-share 0.1 >log 2>&1
"$make_scene" -o small.tif -s 9x5 -b 3 -t Byte >log 2>&1
for network in unet,depth=3,width=4,valid=1,bands=3,classes=3 unet,depth=2,width=4,valid=1,up=bilinear,aux=1,bands=3,classes=3; do
  "$make_model" --net $network --normalize dataset model.h5
  "$segtiles" export model.h5 --safetensors weights.safetensors 2>log || { cat log; fail "export"; }
  for scene in scene small; do
    predict 2 $scene.tif -m model.h5 -o mask.tif --probabilities=p.tif --precision f32 --tile 128 --chunk 64
    "$torch" "$oracle/valid.py" $network weights.safetensors $scene.tif p.tif || fail "$network on $scene"
  done
done
echo passed
