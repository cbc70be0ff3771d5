#!/usr/bin/env bash
# Formats that cannot be are refused before any work, with one line that names what can.
. "$(dirname "$0")/../support/program.bash" "$1"
"$make_scene" -o scene.tif -s 160x160 -b 3 -t Byte
"$make_model" model.h5 --bands 3 --depth 2 --width 4
refused 2 "-of JP2: expected one of: COG GTiff" 2 -m model.h5 scene.tif -of JP2
refused 2 "-co COMPRESS=JPEG: expected one of: NONE LZW DEFLATE ZSTD" 2 -m model.h5 scene.tif -co COMPRESS=JPEG
refused 2 "-co QUALITY=75: expected one of: COMPRESS" 1 -m model.h5 scene.tif --co QUALITY=75
refused 2 "-co needs a value" 1 -m model.h5 scene.tif -co
refused 2 "does not go with COMPRESS=LZW" 1 -m model.h5 scene.tif -co LEVEL=9 -co COMPRESS=LZW
[ ! -e scene_mask.tif.parts ] || fail "work was begun"

# A scene of 70 000 x 70 000 pixels that is one small file: 4.9 GB when nothing is compressed.
gdal_translate -q -of VRT -outsize 70000 70000 scene.tif large.vrt
refused 2 "do not fit into a TIFF without BIGTIFF" 2 -m model.h5 --force large.vrt \
  -co COMPRESS=NONE -co BIGTIFF=NO -co OVERVIEWS=NONE
[ ! -e large_mask.tif.parts ] || fail "work was begun for a file that cannot be"
