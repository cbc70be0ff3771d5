#!/usr/bin/env bash
# Odd rasters are mapped right, or refused with one clear line that names the file.
. "$(dirname "$0")/../support/program.bash" "$1"

"$make_scene" -o base.tif -s 160x160 -b 3 -t Byte
"$support/make_odd.py" base.tif odd
"$make_model" model.h5 --bands 3 --depth 2 --width 4 --gsd 10
"$make_model" single.h5 --bands 1 --depth 2 --width 4

# The scenes of a kind.
of_kind() {
  awk -v kind="$1" '$2 == kind { print "odd/" $1 }' odd/list.txt
}

mkdir masks
predict 2 -m model.h5 -o masks $(of_kind map) $(of_kind empty)
predict 3 -m model.h5 -o masks --force $(of_kind force)
for scene in $(of_kind refuse); do
  name=$(basename "$scene")
  beside refused 1 "$name" 2 -m model.h5 -o masks "$scene"
done
for scene in $(of_kind force); do
  beside refused 1 "use --resample" 3 -m model.h5 -o masks "$scene"
done
predict 2 -m single.h5 -o masks odd/palette.tif
joined

/usr/bin/python3 - <<'PYTHON' || fail "a mask does not fit its scene"
import os
from osgeo import gdal
import numpy as np
gdal.UseExceptions()

def mask_of(name):
    return gdal.Open("masks/" + os.path.splitext(name)[0] + "_mask.tif")

kinds = dict(line.split()[:2] for line in open("odd/list.txt"))
assert len(kinds) > 30
for name, kind in kinds.items():
    if kind == "refuse":
        continue
    scene, mask = gdal.Open("odd/" + name), mask_of(name)
    assert (scene.RasterXSize, scene.RasterYSize) == (mask.RasterXSize, mask.RasterYSize), name
    assert scene.GetGeoTransform(can_return_null=True) == mask.GetGeoTransform(can_return_null=True), name
    assert scene.GetProjection() == mask.GetProjection(), name
    assert scene.GetGCPCount() == mask.GetGCPCount(), name
    assert mask.GetRasterBand(1).GetNoDataValue() == 255 and mask.GetRasterBand(1).GetColorTable(), name
    values = mask.ReadAsArray()
    if kind == "empty":
        assert (values == 255).all(), name
    else:
        assert np.isin(values, (1, 2, 3, 4, 255)).all() and (values != 255).any(), name
holes = mask_of("nodata_holes.tif").ReadAsArray() == 255
assert holes[40:60, 30:90].all() and holes[100:110, 5:9].all() and holes.sum() == 20 * 60 + 10 * 4
for name in ("nan.tif", "alpha.tif", "mask_file.tif", "internal_mask.tif", "float_nodata.tif"):
    holes = mask_of(name).ReadAsArray() == 255
    assert 0 < holes.sum() < holes.size / 2, name
# What only the storage differs in is the same map.
whole = mask_of("whole.tif").ReadAsArray()
for name in ("strips.tif", "band_interleaved.tif", "virtual.vrt", "uint16.tif", "float64.tif",
             "more_bands.tif", "rotated.tif", "no_crs.tif", "gcps.tif"):
    assert (mask_of(name).ReadAsArray() == whole).all(), name
PYTHON

# Another ground sampling distance, brought to the model's: pixels of 30 m become 10 m.
predict 2 -m model.h5 -o resampled.tif --resample odd/other_gsd.tif
gdalinfo resampled.tif >info
grep -q "Size is 450, 450" info || fail "the resampled mask has another size"

# Outputs that cannot be.
beside refused 1 "a folder is needed" 3 -m model.h5 -o base.tif/mask.tif odd/whole.tif
beside refused 2 "is the scene itself" 3 -m model.h5 -o base.tif base.tif
beside refused 2 "two outputs of one name" 1 -m model.h5 -o a.tif --confidence=a.tif base.tif
beside refused 2 "cannot go into one mask" 1 -m model.h5 -o a.tif base.tif odd/whole.tif
beside refused 2 "the least for this network" 2 -m model.h5 --tile 16 base.tif
beside refused 2 "expected an amount" 2 -m model.h5 --max-mem much base.tif
beside refused 1 "absent.h5" 3 -m absent.h5 base.tif
beside refused 1 "base.tif" 3 -m base.tif base.tif
beside refused 1 "absent.tif" 3 -m model.h5 base.tif absent.tif
joined
[ ! -e base_mask.tif ] || fail "a scene was mapped before all were checked"

# Where the model is found.
unset SEGTILES_MODEL
mv model.h5 named.h5
refused 2 "no model" 2 base.tif
mkdir -p runs/old runs/new
cp single.h5 runs/old/best.h5
touch -d "1 hour ago" runs/old/best.h5
cp named.h5 runs/new/last.h5
predict 1 base.tif -v
grep -q "runs/new/last.h5" log || fail "not the newest run"
cp single.h5 model.h5
predict 1 base.tif -v
grep -q "^model.h5" log || fail "not ./model.h5"
SEGTILES_MODEL=named.h5 predict 1 base.tif -v
grep -q "^named.h5" log || fail "not SEGTILES_MODEL"
