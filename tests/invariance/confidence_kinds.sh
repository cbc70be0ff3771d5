#!/usr/bin/env bash
# Margins and probabilities in bytes: what numpy makes of the probabilities, the same bytes for any
# number of ranks and any chunk, overviews by mean.
. "$(dirname "$0")/../support/program.bash" "$1"

"$make_scene" -o scene.tif -s 900x620 -b 3 -t Byte --nodata-share 0.2 >log 2>&1
"$make_model" model.h5 --bands 3 --depth 3 --width 4
predict 2 scene.tif -m model.h5 --probabilities=p.tif --confidence=c.tif
kinds="--confidence-kind margin --probabilities-type byte"
predict 1 scene.tif -m model.h5 --probabilities=b1.tif --confidence=m1.tif $kinds
predict 4 scene.tif -m model.h5 --probabilities=b4.tif --confidence=m4.tif $kinds --tile 128 --chunk 256 --batch 3
cmp b1.tif b4.tif || fail "other probabilities"
cmp m1.tif m4.tif || fail "other margins"

/usr/bin/python3 - <<'PYTHON' || fail "margins and bytes are not those of the probabilities"
from osgeo import gdal
import numpy as np
p = gdal.Open("p.tif").ReadAsArray()
data = p[0] != -1
ordered = np.sort(p, axis=0)
margin = gdal.Open("m1.tif")
assert margin.GetRasterBand(1).GetDescription() == "margin"
m = margin.ReadAsArray()
assert (m[data] == (ordered[-1] - ordered[-2])[data]).all() and (m[~data] == -1).all()
assert not (m == gdal.Open("c.tif").ReadAsArray())[data].all()
bytes_of = gdal.Open("b1.tif")
band = bytes_of.GetRasterBand(1)
assert band.DataType == gdal.GDT_Byte and band.GetNoDataValue() == 255 and band.GetOffset() == 0
b = bytes_of.ReadAsArray()
assert (b[:, ~data] == 255).all() and 0 < data.sum() < data.size
assert (b[:, data] != 255).all() and abs(b[:, data] * band.GetScale() - p[:, data]).max() <= 0.5 / 254 + 1e-6
# Overviews: of what has data the mean, halves up.
h, w = data.shape
cells = np.full((b.shape[0], h + h % 2, w + w % 2), 255, int)
cells[:, :h, :w] = b
cells = cells.reshape(b.shape[0], -1, 2, cells.shape[2] // 2, 2).transpose(0, 1, 3, 2, 4).reshape(b.shape[0], -(-h // 2), -(-w // 2), 4)
count = (cells != 255).sum(3)
mean = (2 * np.where(cells != 255, cells, 0).sum(3) + count) // np.maximum(2 * count, 1)
for i in range(b.shape[0]):
    assert (bytes_of.GetRasterBand(i + 1).GetOverview(0).ReadAsArray() == np.where(count > 0, mean, 255)[i]).all()
PYTHON

# Kinds do not mix: an unfinished prediction of the one is not gone on with as the other.
fault="$(dirname "$segtiles")/tests/fault_preload.so"
! LD_PRELOAD="${LD_PRELOAD:+$LD_PRELOAD:}$fault" FAULT_MARK=$work/mark FAULT_RANK=0 FAULT_CALL=rename FAULT_ERROR=0 \
  FAULT_FILE=x.tif "$mpirun" 1 "$segtiles" predict scene.tif -m model.h5 -o x.tif --confidence=xc.tif >log 2>&1 ||
  fail "no kill"
refused 2 "was made otherwise (\"\", now \"confidence margin\")" 2 scene.tif -m model.h5 -o x.tif \
  --confidence=xc.tif --confidence-kind margin
refused 2 "was made otherwise (\"\", now \"sieve 5\")" 2 scene.tif -m model.h5 -o x.tif --confidence=xc.tif --sieve 5
predict 3 scene.tif -m model.h5 -o x.tif --confidence=xc.tif
cmp xc.tif c.tif || fail "not what was begun"
refused 2 "confidence-kind" 1 scene.tif -m model.h5 --confidence-kind most
