#!/usr/bin/env bash
# Probabilities and confidence, too, are the same to the byte for any tiling and number of ranks,
# and they fit the mask.
. "$(dirname "$0")/../support/program.bash" "$1"

"$make_scene" -o scene.tif -s 500x420 -b 3 -t Byte --nodata-share 0.2
"$make_model" model.h5 --bands 3 --depth 3 --width 4
predict 1 scene.tif -m model.h5 --probabilities=p1.tif --confidence=c1.tif
predict 3 scene.tif -m model.h5 --probabilities=p2.tif --confidence=c2.tif --tile 128 --chunk 256 --batch 3
cmp p1.tif p2.tif || fail "other probabilities"
cmp c1.tif c2.tif || fail "another confidence"

/usr/bin/python3 - <<'PYTHON' || fail "probabilities, confidence and mask do not fit together"
from osgeo import gdal
import numpy as np
mask = gdal.Open("scene_mask.tif").ReadAsArray()
p = gdal.Open("p1.tif")
c = gdal.Open("c1.tif").ReadAsArray()
assert p.GetRasterBand(2).GetDescription() == "class 2" and p.GetRasterBand(1).GetNoDataValue() == -1
p = p.ReadAsArray()
data = mask != 255
assert 0 < data.sum() < data.size
assert (p[:, ~data] == -1).all() and (c[~data] == -1).all()
assert abs(p[:, data].sum(axis=0) - 1).max() < 1e-5
assert (p.max(axis=0)[data] == c[data]).all()
assert (p.argmax(axis=0)[data] + 1 == mask[data]).all()
PYTHON
