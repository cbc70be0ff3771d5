#!/usr/bin/env bash
# A made scene is a function of its arguments: the same for any block size and number of threads; a
# scene at an offset is the window of a larger one; polygons are the label raster, also by way of
# another CRS.
. "$(dirname "$0")/../support/program.bash"

# To a file of its own: two are compared at a time.
pixels() {
  local raw
  raw=$(mktemp -p . rawXXXXXX) # without a dot: ENVI puts .hdr in place of an extension
  gdal_translate -q -of ENVI "$@" "$raw" && cat "$raw"
}

"$make_scene" -s 700x500 -b 5 -o a.tif -l a_labels.tif --vector a.gpkg --nodata-share 0.2
OMP_NUM_THREADS=1 "$make_scene" -s 700x500 -b 5 -o b.tif -l b_labels.tif --nodata-share 0.2
cmp a.tif b.tif || fail "one thread makes another scene"
cmp a_labels.tif b_labels.tif || fail "one thread makes other labels"
for block in 0 16 512; do
  "$make_scene" -s 700x500 -b 5 -o b.tif -l b_labels.tif --nodata-share 0.2 --block $block
  cmp <(pixels a.tif) <(pixels b.tif) || fail "blocks of $block make another scene"
  cmp <(pixels a_labels.tif) <(pixels b_labels.tif) || fail "blocks of $block make other labels"
done
[ "$(gdalinfo -json -hist a_labels.tif | python3 -c 'import json, sys
print(sum(n > 0 for n in json.load(sys.stdin)["bands"][0]["histogram"]["buckets"]))')" -ge 5 ] ||
  fail "the scene has too few classes to tell"

"$make_scene" -s 700x500 -o whole.tif
"$make_scene" -s 200x150 --offset 400,300 -o part.tif
cmp <(pixels -srcwin 400 300 200 150 whole.tif) <(pixels part.tif) || fail "the offset's scene differs"
gdalinfo part.tif | grep -q "Origin = (604000.0*,5197000.0*)" || fail "the offset's origin"
"$make_scene" -s 700x500 --seed 2 -o other.tif
! cmp -s whole.tif other.tif || fail "another seed makes the same scene"

# Polygons burned back give the labels.
burn() {
  gdal_translate -q -ot Byte -scale 0 255 0 0 a_labels.tif burned.tif
  gdal_rasterize -q -a value "$1" burned.tif
  cmp <(pixels a_labels.tif) <(pixels burned.tif)
}
burn a.gpkg || fail "the polygons are not the labels"
"$make_scene" -s 700x500 -b 5 -o b.tif --nodata-share 0.2 --vector far.shp --vector-crs EPSG:4326
ogrinfo -so -al far.shp | grep -q 'GEOGCS\|GEOGCRS' || fail "the polygons are not in the CRS asked for"
ogr2ogr -q -t_srs EPSG:32632 back.gpkg far.shp
burn back.gpkg || fail "polygons by way of another CRS are not the labels"

status=0
"$make_scene" -s 10 -o x.tif 2>log || status=$?
[ "$status" = 2 ] && grep -q "expected WIDTHxHEIGHT" log || fail "a wrong size is not refused"
status=0
"$make_scene" -s 10x10 --crs EPSG:0 -o x.tif 2>log || status=$?
[ "$status" = 2 ] && [ ! -e x.tif ] || fail "a wrong CRS is not refused"
status=0
"$make_scene" -s 10x10 -o none/x.tif 2>log || status=$?
[ "$status" = 1 ] && grep -q "none/x.tif" log || fail "an output that cannot be is not told"
echo passed
