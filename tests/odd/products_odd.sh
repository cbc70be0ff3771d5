#!/usr/bin/env bash
# Polygons and areas where they cannot be had: one clear line, old files kept, and what is finished
# kept too.
. "$(dirname "$0")/../support/program.bash" "$1"
. "$support/training.bash"
make_job
train 2 run -o run train.steps=60 # enough for a map of several classes
"$make_scene" -o map.tif -s 900x800 -b 3 --seed 4 >log 2>&1
model="-m run/last.h5"

beside refused 2 "shape.shp: polygons go into a file that ends in .gpkg or .fgb" 2 map.tif $model --polygons=shape.shp
beside refused 2 "map.tif is the scene itself" 1 map.tif $model --areas=map.tif
beside refused 2 "a.csv: two outputs of one name" 1 map.tif $model -o a.csv --areas=a.csv
beside refused 2 "2 scenes cannot share a file of polygons" 1 map.tif scene.tif $model --polygons=p.gpkg
touch file
beside refused 1 "file" 3 map.tif $model --polygons=file/p.gpkg # no folder
beside refused 1 "file" 3 map.tif $model --areas=file/a.csv
joined
[ ! -e map_mask.tif ] && [ ! -e map_mask.tif.parts ] || fail "work was done before"

# Nothing valid: no patch, no share.
/usr/bin/python3 - <<'PYTHON'
from osgeo import gdal
import numpy as np
source = gdal.Open("map.tif")
made = gdal.GetDriverByName("GTiff").CreateCopy("empty.tif", source)
for i in range(3):
    made.GetRasterBand(i + 1).SetNoDataValue(0)
    made.GetRasterBand(i + 1).WriteArray(np.zeros((800, 900)))
PYTHON
predict 2 empty.tif $model --polygons --areas --sieve 10 --force
predict 2 empty.tif $model --polygons=empty.fgb --force
grep -q '^1,a,0,0.000000000,0.000,0.000000$' empty_areas.csv || { cat empty_areas.csv; fail "areas of nothing"; }
for file in empty_polygons.gpkg empty.fgb; do
  ogrinfo -so -al $file | grep -q "Feature Count: 0" || fail "polygons of nothing in $file"
done

# The products of a part are as wide as the part: a strip of a wide scene takes no more memory for them.
"$make_scene" -o wide.tif -s 20000x32 -b 3 --seed 5 >log 2>&1
assembly() {
  "$mpirun" 1 "$segtiles" predict wide.tif $model --force -srcwin 64 0 32 32 -v "$@" 2>&1 >/dev/null |
    sed -n 's/.*tables .*; assembly \([0-9]*\)$/\1/p'
}
plain=$(assembly) areas=$(assembly --areas)
[ -n "$plain" ] && [ "$plain" = "$areas" ] || fail "areas of 32 pixels a row: $plain MiB, then $areas MiB"

# A style of the mask's name would be the mask's.
predict 1 map.tif $model -o same.tif --polygons=same.gpkg
grep -q 'type="paletted"' same.qml || fail "the mask's style was overwritten"

disk=$work/disk
mkdir "$disk"
mount -t tmpfs -o size=16m tmpfs "$disk" 2>/dev/null || skip "a file system cannot be mounted here"
trap 'umount "$disk"; rm -rf "$work"' EXIT
predict 2 map.tif $model -o map_mask.tif --polygons --areas
for ending in gpkg fgb; do # each alone on a disk that fills up
  echo old >"$disk/p.$ending"
  for kib in 8 24 48; do
    mount -o remount,size=${kib}k "$disk"
    refused 1 "p.$ending" 3 map.tif $model -o map_mask.tif --polygons="$disk/p.$ending"
    [ "$(cat "$disk/p.$ending")" = old ] || fail "the old polygons are gone at $kib KiB"
    [ "$(ls "$disk")" = p.$ending ] || { ls "$disk"; fail "files stay behind"; }
  done
  mount -o remount,size=16m "$disk"
  predict 1 map.tif $model -o map_mask.tif --polygons="$disk/p.$ending"
  [ "$(ls "$disk" | tr '\n' ' ')" = "p.$ending p.qml " ] || { ls "$disk"; fail "files stay behind"; }
  rm "$disk"/p.*
done
echo old >"$disk/a.csv"
dd if=/dev/zero of="$disk/filler" bs=1k 2>/dev/null || true
refused 1 "a.csv" 2 map.tif $model -o map_mask.tif --areas="$disk/a.csv"
[ "$(cat "$disk/a.csv")" = old ] && [ "$(ls "$disk" | tr '\n' ' ')" = "a.csv filler " ] || fail "the old areas are gone"
left=$(find . -name '*.tmp*' -o -name '*confidence*')
[ -z "$left" ] || fail "left: $left"
