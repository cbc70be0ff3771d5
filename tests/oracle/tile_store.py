"""tile_store.py STORE INFO SCENE...: every tile of STORE against SCENE.tif and SCENE_labels.tif."""
import json
import sys

import numpy as np
from osgeo import gdal

gdal.UseExceptions()
BANDS, VALUES = [4, 1, 2], [3, 1]  # of the job

store, info, names = sys.argv[1], json.load(open(sys.argv[2])), sys.argv[3:]
root = gdal.OpenEx(store, gdal.OF_MULTIDIM_RASTER).GetRootGroup()


def array(path):
    *groups, name = path.split("/")
    group = root
    for g in groups:
        group = group.OpenGroup(g)
    return group.OpenMDArray(name).ReadAsArray()


image, valid, labels = (array(f"tiles/{part}") for part in ("image", "valid", "labels"))
place, size = array("tiles/place"), array("scene/size")
side = info["tile"]
assert info["kind"] == "tile store" and info["bands"] == BANDS and info["tiles"] == len(place)
moments, transforms = array("scene/moments"), array("scene/geotransform")
crs, crs_of = array("crs"), array("scene/crs")
seen = 0
for s, name in enumerate(names):
    scene = gdal.Open(f"{name}.tif")
    pixels = np.stack([scene.GetRasterBand(b).ReadAsArray() for b in BANDS])
    has = np.all([scene.GetRasterBand(b).GetMaskBand().ReadAsArray() != 0 for b in BANDS], axis=0)
    truth = gdal.Open(f"{name}_labels.tif").ReadAsArray()
    classes = np.full(truth.shape, 255, np.uint8)
    for index, value in enumerate(VALUES):
        classes[truth == value] = index
    height, width = truth.shape
    assert tuple(size[s]) == (width, height)
    assert np.allclose(transforms[s], scene.GetGeoTransform(can_return_null=True) or (0, 1, 0, 0, 0, 1))
    wkt = bytes(np.asarray(crs[crs_of[s]], np.uint8)).rstrip(b"\0").decode()
    assert wkt == scene.GetProjection() or scene.GetSpatialRef().IsSame(scene.GetSpatialRef().__class__(wkt))
    for b in range(len(BANDS)):
        inside = pixels[b][has].astype(float)
        assert moments[s][b][0] == inside.size
        assert np.isclose(moments[s][b][1], inside.mean()) and np.isclose(
            moments[s][b][2], ((inside - inside.mean()) ** 2).sum())
        assert (moments[s][b][3], moments[s][b][4]) == (inside.min(), inside.max())
    for t in np.flatnonzero(place[:, 0] == s):
        x, y = place[t, 1:]
        w, h = min(side, width - x), min(side, height - y)
        part = np.s_[y:y + h, x:x + w]
        want = np.where(has[part], pixels[(slice(None), *part)], 0)
        assert np.array_equal(image[t][:, :h, :w], want), (name, t)
        assert np.array_equal(valid[t][:h, :w] != 0, has[part]), (name, t)
        assert np.array_equal(labels[t][:h, :w], classes[part]), (name, t)
        outside = np.ones((side, side), bool)
        outside[:h, :w] = False
        assert not valid[t][outside].any() and (labels[t][outside] == 255).all()
        seen += 1
assert seen == len(place)
print(f"{seen} tiles of {len(names)} scenes hold what GDAL and numpy find")
