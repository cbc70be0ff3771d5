#!/usr/bin/env bash
# Scenes of several rasters train and map as the one raster does that GDAL's tools put together of
# them.
. "$(dirname "$0")/../support/program.bash" "$1"

mkdir -p parts whole labels
"$make_scene" -o all.tif -l labels/s_10m.tif -s 160x128 -b 4 -k 3 -t UInt16 --seed 3
cp labels/s_10m.tif labels/s.tif
for band in 1 2 3 4; do
  gdal_translate -q -b $band all.tif b$band.tif
done
gdal_translate -q -b 1 -b 2 all.tif parts/s_10m.tif
gdalwarp -q -tr 20 20 -r average b3.tif parts/s_20m.tif
gdalwarp -q -t_srs EPSG:4326 -r near b4.tif parts/height.tif # turned: its corners reach beyond

# By hand: the whole scene's grid, and where the fourth band does not reach, no data.
corners=$(gdalinfo -json all.tif | /usr/bin/python3 -c 'import json, sys
c = json.load(sys.stdin)["cornerCoordinates"]
print(*c["lowerLeft"], *c["upperRight"])')
on_grid="-q -te $corners -ts 160 128 -t_srs EPSG:32632 -et 0.01"
gdalwarp $on_grid -r bilinear parts/s_20m.tif w3.tif
gdalwarp $on_grid -r cubic -dstalpha parts/height.tif w4.tif
gdal_translate -q -b 1 w4.tif w4_data.tif
gdal_translate -q -b 2 -ot UInt16 -scale 0 255 0 1 w4.tif w4_alpha.tif
gdalbuildvrt -q -separate bands.vrt b1.tif b2.tif w3.tif w4_data.tif w4_alpha.tif
/usr/bin/python3 - <<'PYTHON'
from osgeo import gdal
bands = gdal.Open("bands.vrt")
pixels = bands.ReadAsArray()
valid = pixels[4] > 0
assert valid.any() and pixels[:4].min() > 0
pixels[:4, ~valid] = 0
out = gdal.GetDriverByName("GTiff").Create("whole/s.tif", 160, 128, 4, gdal.GDT_UInt16)
out.SetProjection(bands.GetProjection())
out.SetGeoTransform(bands.GetGeoTransform())
for b in range(4):
    out.GetRasterBand(b + 1).WriteArray(pixels[b])
    out.GetRasterBand(b + 1).SetNoDataValue(0)
PYTHON

job() {
  cat <<YAML
name: stack
data:
  train: {images: "$1", labels: labels}
  bands: [4, 1, 2, 3]
  classes: [{name: a, value: 1}, {name: b, value: 2}, {name: c, value: 3}]
  $2
model: {net: unet, width: 4, depth: 1}
train: {tile: 32, batch: 2, steps: 12, rate: 1e-2}
precision: f32
YAML
}
stack='stack: [{file: "{stem/10m/20m}.tif"}, {file: height.tif, resample: cubic}]'
job parts/s_10m.tif "$stack" >parts.yaml
job whole/s.tif "" >whole.yaml
for name in parts whole; do
  "$mpirun" 2 "$segtiles" train $name.yaml --out run_$name >log 2>&1 || { cat log >&2; fail "train $name"; }
done
losses() {
  /usr/bin/python3 -c 'import csv, sys
print([row["loss"] for row in csv.DictReader(open(sys.argv[1]))])' "run_$1/metrics.csv"
}
[ "$(losses parts)" = "$(losses whole)" ] || fail "losses: $(losses parts) and $(losses whole)"

same_pixels() {
  /usr/bin/python3 -c 'from osgeo import gdal; import sys
a, b = (gdal.Open(f).ReadAsArray() for f in sys.argv[1:])
assert len(set(a.ravel())) > 1, "one class"
assert (a == b).all(), (a != b).sum()' "$1" "$2" || fail "$1 and $2 differ"
}
m="-m run_parts/last.h5"
predict 1 whole/s.tif -m run_whole/last.h5 -o whole.tif
predict 2 parts/s_10m.tif $m -o mask.tif
same_pixels mask.tif whole.tif
mkdir elsewhere
mv parts/s_20m.tif elsewhere/s_10m_coarse.tif
mv parts/height.tif elsewhere/
predict 2 parts/s_10m.tif $m -o there.tif --stack 'elsewhere/{stem}_coarse.tif' --stack "$PWD/elsewhere/height.tif"
cmp mask.tif there.tif || fail "layers named by --stack"
predict 2 --mosaic mosaic.tif parts/s_10m.tif $m --stack 'elsewhere/{stem}_coarse.tif' --stack elsewhere/height.tif
same_pixels mosaic.tif whole.tif
"$segtiles" info --json run_parts/last.h5 | /usr/bin/python3 -c 'import json, sys
stack = json.load(sys.stdin)["stack"]
assert stack == [{"file": "{stem/10m/20m}.tif", "resample": "auto"}, {"file": "height.tif", "resample": "cubic"}], stack'
job parts/s_10m.tif 'stack: [{file: "../elsewhere/{stem}_coarse.tif"}, {file: ../elsewhere/height.tif, resample: cubic}]' >moved.yaml
"$mpirun" 2 "$segtiles" evaluate $m moved.yaml --split train --json >moved.json 2>log || { cat log >&2; fail evaluate; }
"$mpirun" 1 "$segtiles" evaluate -m run_whole/last.h5 whole.yaml --split train --json >whole.json 2>log || fail evaluate
/usr/bin/python3 -c 'import json
a, b = (json.load(open(f))["scores"]["confusion"] for f in ("moved.json", "whole.json"))
assert a == b and sum(map(sum, a)) > 1000, (a, b)' || fail "evaluation"

# What is refused, in one line that names the file.
refused 1 "parts/s_20m.tif" 2 parts/s_10m.tif $m -o no.tif
refused 2 "given 1 time" 2 parts/s_10m.tif $m -o no.tif --stack elsewhere/height.tif
refused 2 "given 1 time" 1 parts/s_10m.tif -m run_whole/last.h5 -o no.tif --stack elsewhere/height.tif
refused 2 "allowed: {stem}" 2 parts/s_10m.tif $m -o no.tif --stack '{name}.tif' --stack elsewhere/height.tif
gdal_translate -q -a_ullr 0 5000000 1000 4999000 -a_srs EPSG:32632 b3.tif far.tif
refused 1 "far.tif: does not lie where" 2 parts/s_10m.tif $m -o no.tif --stack far.tif --stack elsewhere/height.tif
[ ! -e no.tif ] || fail "a mask in spite of it"
for wrong in 'stack: [{file: "{stem/x/y}.tif"}]' 'stack: [{file: b3.tif, resample: best}]'; do
  job parts/s_10m.tif "$wrong" >wrong.yaml
  status=0
  "$mpirun" 2 "$segtiles" train wrong.yaml --out no >log 2>&1 || status=$?
  [ $status = 2 ] && [ "$(grep -c '^segtiles: ' log)" = 1 ] || { cat log >&2; fail "$wrong"; }
done
