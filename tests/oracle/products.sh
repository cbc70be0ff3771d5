#!/usr/bin/env bash
# What is made of a mask is what GDAL makes of the whole mask, for any number of ranks and any chunk:
# the sieved mask, its patches as polygons; areas and mean confidences are what numpy and PROJ find.
. "$(dirname "$0")/../support/program.bash" "$1"
if ! /usr/bin/python3 -c 'import numpy, osgeo.gdal' 2>/dev/null; then
  skip "numpy and GDAL for Python (python3-numpy, python3-gdal) are not installed"
fi
. "$support/training.bash"
judge=$(cd "$(dirname "$0")" && pwd)/products.py
make_job
train 2 run -o run train.steps=60 data.normalize=scene # enough for a map of several classes

# map NAME SCENE [OPTIONS...]: without and with a sieve, on 1 rank and on 4 with smaller chunks
map() {
  local name=$1 scene=$2 ranks chunk
  shift 2
  predict 1 "$scene" -m run/last.h5 -o "${name}_whole.tif" "$@"
  for ranks in 1 4; do
    [ $ranks = 1 ] && chunk=0 || chunk=256
    mkdir -p $name.$ranks
    predict $ranks "$scene" -m run/last.h5 -o $name.$ranks/mask.tif --chunk $chunk "$@" --sieve 12 \
      --polygons=$name.$ranks/p.gpkg --areas=$name.$ranks/areas.csv --confidence=$name.$ranks/confidence.tif
    predict $ranks "$scene" -m run/last.h5 -o $name.$ranks/unsieved.tif --chunk $chunk "$@" \
      --polygons=$name.$ranks/u.fgb
    [ -z "$(ls -d $name.$ranks/*.parts $name.$ranks/*.confidence.tif* 2>/dev/null)" ] || fail "left: $(ls $name.$ranks)"
  done
  for file in $name.1/*; do
    cmp "$file" "$name.4/${file##*/}" || fail "other bytes of $name: ${file##*/}"
  done
  cmp ${name}_whole.tif $name.1/unsieved.tif || fail "polygons change the mask"
  rm $name.1/unsieved.tif.aux.xml # so that GDAL takes nothing but the file
  /usr/bin/python3 "$judge" "${name}_whole.tif" $name.1 12 4 || fail "$name"
}

# map_corners NAME SCENE: as mapped before, with pixels that touch with a corner
map_corners() {
  mkdir $1.8
  predict 3 "$2" -m run/last.h5 -o $1.8/mask.tif --chunk 256 --connectedness 8 --sieve 12 --polygons=$1.8/p.gpkg \
    --areas=$1.8/areas.csv --confidence=$1.8/confidence.tif
  predict 2 "$2" -m run/last.h5 -o $1.8/unsieved.tif --connectedness 8 --polygons=$1.8/u.fgb
  cmp ${1}_whole.tif $1.8/unsieved.tif || fail "polygons change the mask"
  ! cmp -s $1.8/mask.tif $1.1/mask.tif || fail "corners make no difference: they were not tested"
  /usr/bin/python3 "$judge" "${1}_whole.tif" $1.8 12 8 || fail "$1 by corners"
}

"$make_scene" -o utm.tif -s 900x700 -b 3 --nodata-share 0.2 >log 2>&1
map utm utm.tif
map_corners utm utm.tif
for way in "COMPRESS=LZW SPARSE_OK=TRUE" "COMPRESS=NONE BIGTIFF=YES" "BLOCKSIZE=64 OVERVIEWS=AUTO"; do # stored otherwise
  predict 2 utm.tif -m run/last.h5 -o other.tif -of GTiff $(printf -- '-co %s ' $way) --sieve 12 --polygons=other.gpkg
  /usr/bin/python3 -c 'if 1:
    from osgeo import gdal
    a, b = (gdal.Open(name).ReadAsArray() for name in ("utm.1/mask.tif", "other.tif"))
    assert (a == b).all()' || fail "another mask with $way"
  [ "$(ogrinfo -so -al other.gpkg | grep Feature)" = "$(ogrinfo -so -al utm.1/p.gpkg | grep Feature)" ] ||
    fail "other polygons with $way"
done
"$make_scene" -o degrees.tif -s 500x600 -b 3 --seed 3 --crs EPSG:4326 --gsd 900 >log 2>&1
map degrees degrees.tif --force
/usr/bin/python3 - <<'PYTHON' # rotated, and without a CRS
from osgeo import gdal
for name, change in (("rotated", (300000.3, 8.1, 3.3, 5000000.7, 2.9, -9.2)), ("plain", None)):
    source = gdal.Open("utm.tif")
    made = gdal.GetDriverByName("GTiff").Create(f"{name}.tif", 600, 560, 3, source.GetRasterBand(1).DataType)
    if change:
        made.SetGeoTransform(change)
        made.SetProjection(source.GetProjection())
    made.WriteArray(source.ReadAsArray(200, 100, 600, 560))
PYTHON
map rotated rotated.tif --force
map plain plain.tif
grep -q '^[0-9]*,[^,]*,[0-9]*,[^,]*,,$' plain.1/areas.csv || fail "areas without a CRS"

data=$support/../../../shared/data
if [ -d "$data" ]; then
  for scene in india/images/$(ls "$data/india/images" | head -1) amazon/images/$(ls "$data/amazon/images" | head -1) \
    scenes/landsat8_uint16_nodata.tif; do
    map "real_${scene%%/*}" "$data/$scene" --force
  done
else
  echo "without real scenes: $data is not there"
fi
