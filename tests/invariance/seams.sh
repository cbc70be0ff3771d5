#!/usr/bin/env bash
# Blended tiles leave no seams: classes change along the borders of tiles as often as elsewhere. Tiles
# laid side by side without overlap do leave seams, and the same test finds them.
. "$(dirname "$0")/../support/program.bash" "$1"
if ! /usr/bin/python3 -c 'import numpy, osgeo.gdal' 2>/dev/null; then
  skip "numpy and GDAL for Python (python3-numpy, python3-gdal) are not installed"
fi
. "$support/training.bash"
make_job
train 2 run -o run train.steps=60 data.normalize=scene # enough for a map of several classes
data=$support/../../../shared/data
scene=scenes/landsat8_uint16_nodata.tif
if [ -e "$data/$scene" ]; then
  cp "$data/$scene" scene.tif
else
  echo "on a made scene: $data is not there"
  "$make_scene" -o scene.tif -s 1200x1000 -b 3 --seed 5 >log 2>&1
fi
for overlap in 0 32; do
  predict 2 scene.tif -m run/last.h5 --force -o $overlap.tif --mode blend --tile 64 --overlap $overlap
done

/usr/bin/python3 - <<'PYTHON' || fail "seams"
import numpy as np
from osgeo import gdal


def excess(name, tile, step):
    """By how many standard deviations classes change more often where tiles begin and end than along the same grid
    shifted by any other number of pixels."""
    dataset = gdal.Open(name)
    mask, nodata = dataset.ReadAsArray(), dataset.GetRasterBand(1).GetNoDataValue()
    shifts = np.zeros(step)
    for a in (mask, mask.T):
        known = (a[:, 1:] != nodata) & (a[:, :-1] != nodata)
        changed = ((a[:, 1:] != a[:, :-1]) & known).sum(0) / np.maximum(known.sum(0), 1)  # [x]: between x and x + 1
        # Tiles begin at multiples of the step and end `tile` further; edges of the scene, where all differ, are left out.
        columns = np.arange(tile, a.shape[1] - tile)
        for shift in range(step):
            at = columns[(columns - shift) % step == 0]
            ends = columns[(columns - tile - shift) % step == 0]
            shifts[shift] += changed[np.concatenate([at, ends]) - 1].mean()
    others = np.delete(shifts, 0)
    return (shifts[0] - others.mean()) / others.std(), shifts[0], others.mean()


blended, beside = excess("32.tif", 64, 32), excess("0.tif", 64, 64)
print("deviations, rate at borders, elsewhere: blended %.2f %.5f %.5f, side by side %.2f %.5f %.5f" % (blended + beside))
assert blended[0] < 3, "blended tiles show seams"
assert beside[0] > 5, "the test finds no seams where there are some"
PYTHON
