#!/usr/bin/env bash
# --tta is the mean of eight predictions of turned copies of the scene, turned back by numpy; and
# evaluate --tta counts what predict --tta maps.
. "$(dirname "$0")/../support/program.bash" "$1"
/usr/bin/python3 -c 'import numpy; from osgeo import gdal' 2>/dev/null || skip "no numpy and GDAL"

"$make_scene" -o scene.tif -l scene_labels.tif -s 336x240 -b 3 -t Byte --nodata-share 0.1
"$make_model" model.h5 --bands 3 --depth 4 --width 4 --normalize none >/dev/null

/usr/bin/python3 - <<'PYTHON' || fail "the scene cannot be turned"
from osgeo import gdal
import numpy as np
scene = gdal.Open("scene.tif")
pixels = scene.ReadAsArray()
for turn in range(8):
    a = pixels.transpose(0, 2, 1) if turn & 4 else pixels
    a = a[:, ::-1] if turn & 2 else a
    a = a[:, :, ::-1] if turn & 1 else a
    out = gdal.GetDriverByName("GTiff").Create("turn%d.tif" % turn, a.shape[2], a.shape[1], 3)
    out.SetProjection(scene.GetProjection())
    out.SetGeoTransform(scene.GetGeoTransform())
    for b in range(3):
        out.GetRasterBand(b + 1).WriteArray(np.ascontiguousarray(a[b]))
        if scene.GetRasterBand(b + 1).GetNoDataValue() is not None:
            out.GetRasterBand(b + 1).SetNoDataValue(scene.GetRasterBand(b + 1).GetNoDataValue())
PYTHON

for turn in 0 1 2 3 4 5 6 7; do
  predict 1 turn$turn.tif -m model.h5 --probabilities=p$turn.tif --precision f32
done
predict 2 scene.tif -m model.h5 -o mean.tif --probabilities=mean_p.tif --confidence=mean_c.tif \
  --precision f32 --tta --tile 240 --chunk 256

/usr/bin/python3 - <<'PYTHON' || fail "--tta is not the mean of the eight turns"
from osgeo import gdal
import numpy as np
total = None
for turn in range(8):
    p = gdal.Open("p%d.tif" % turn).ReadAsArray()
    p = p[:, :, ::-1] if turn & 1 else p
    p = p[:, ::-1] if turn & 2 else p
    p = p.transpose(0, 2, 1) if turn & 4 else p
    total = p.copy() if total is None else total + p
mean = total / np.float32(8)
assert mean.dtype == np.float32
found = gdal.Open("mean_p.tif").ReadAsArray()
mask = gdal.Open("mean.tif").ReadAsArray()
data = mask != 255
assert 0.5 < data.mean() < 1
print("largest difference", abs(found - mean).max())
assert (found == mean).all()
assert (mean.argmax(axis=0)[data] + 1 == mask[data]).all()
assert (gdal.Open("mean_c.tif").ReadAsArray()[data] == mean.max(axis=0)[data]).all()
one = gdal.Open("p0.tif").ReadAsArray()
print("pixels of another class than without", (one.argmax(axis=0) != mean.argmax(axis=0)).sum(),
      "largest change", abs(one - mean).max())
assert abs(one - mean).max() > 0.01 # they are not the same by chance
assert (one.argmax(axis=0) != mean.argmax(axis=0)).any()
PYTHON

"$segtiles" info --json model.h5 >model.json
classes=$(/usr/bin/python3 -c 'import json
print(", ".join("{name: %s, value: %d}" % (json.dumps(c["name"]), c["value"])
                for c in json.load(open("model.json"))["classes"]))')
cat >job.yaml <<YAML
name: count
data:
  test: {images: ['scene.tif'], labels: '{stem}_labels.tif'}
  normalize: none
  classes: [$classes]
YAML
scores() { /usr/bin/python3 -c 'import json, sys
print(json.load(open(sys.argv[1]))["scores"]["confusion"])' "$1"; }
"$mpirun" 2 "$segtiles" evaluate --tta --precision f32 -m model.h5 job.yaml --json >job.json
"$segtiles" evaluate -m model.h5 --precision f32 job.yaml --json >plain.json
"$segtiles" evaluate mean.tif scene_labels.tif --json >mask.json
[ "$(scores job.json)" = "$(scores mask.json)" ] || fail "evaluate --tta counts otherwise"
[ "$(scores job.json)" != "$(scores plain.json)" ] || fail "evaluate --tta changes nothing"
if "$segtiles" evaluate --tta mean.tif scene_labels.tif 2>log; then fail "--tta with a mask"; fi
grep -q -- "--tta" log || fail "--tta with a mask: no word of it"
