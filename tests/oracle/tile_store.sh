#!/usr/bin/env bash
# What a tile store holds, as GDAL's HDF5 driver reads it with HDF5's own filters: the pixels, validity
# and labels that numpy and GDAL find in the scenes, tile by tile.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/program.bash" "$1"
/usr/bin/python3 -c 'import numpy; from osgeo import gdal; assert gdal.GetDriverByName("HDF5")' 2>/dev/null ||
  skip "numpy and GDAL for Python with HDF5 (python3-numpy, python3-gdal) are not installed"

make() {
  "$make_scene" -k 3 -b 4 "$@" >log 2>&1 || { cat log >&2; fail "make_scene"; }
}
make -s 300x170 -t UInt16 --nodata-share 0.3 -o a.tif -l a_labels.tif
make -s 90x50 -t Byte --crs EPSG:3857 --offset 900,0 -o b.tif -l b_labels.tif
make -s 200x130 -t UInt16 --crs "" --offset 5000,0 -o v.tif -l v_labels.tif
cat >job.yaml <<'YAML'
name: tiled
data:
  scenes:
    - {image: a.tif, label: a_labels.tif}
    - {image: b.tif, label: b_labels.tif}
    - {image: v.tif, label: v_labels.tif, split: val}
  bands: [4, 1, 2]
  classes: [{name: x, value: 3}, {name: y, value: 1}]
YAML
"$mpirun" 2 "$segtiles" tile job.yaml -o tiles.h5 --tile 64 >log 2>&1 || { cat log >&2; fail "tile"; }
"$segtiles" info --json tiles.h5 >info.json
/usr/bin/python3 "$here/tile_store.py" tiles.h5 info.json a b v || fail "the store"
# Signed and real pixels go through HDF5's shuffle too.
for type in Int16 Float32; do
  make -s 150x70 -t $type --nodata-share 0.2 -o typed.tif -l typed_labels.tif
  "$mpirun" 1 "$segtiles" tile job.yaml -o typed.h5 --tile 32 --level 9 \
    'data.scenes=[{image: typed.tif, label: typed_labels.tif}]' >log 2>&1 || { cat log >&2; fail $type; }
  "$segtiles" info --json typed.h5 >info.json
  /usr/bin/python3 "$here/tile_store.py" typed.h5 info.json typed || fail "$type"
done
