#!/usr/bin/env bash
# Whatever the outputs are stored as, GDAL reads the same pixels and overviews from them, calls COGs
# valid, and says what was asked for; the bytes do not depend on the ranks.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../support/program.bash" "$1"
if ! /usr/bin/python3 -c 'import numpy, osgeo_utils.samples.validate_cloud_optimized_geotiff' 2>/dev/null; then
  skip "numpy and GDAL for Python (python3-numpy, python3-gdal) are not installed"
fi
judge=$here/formats_equal.py
"$make_scene" -o scene.tif -s 700x540 -b 3 -t Byte --nodata-share 0.5 >log 2>&1
"$make_model" model.h5 --bands 3 --classes 3 --depth 2 --width 4
outputs="--confidence=confidence.tif --probabilities=probabilities.tif"

# stored NAME RANKS ARGUMENTS...: on so many ranks, and on four; then what GDAL says of it
stored() {
  local name=$1 ranks first=$2
  shift 2
  for ranks in $(printf '%s\n' "$first" 4 | sort -u); do
    predict $ranks scene.tif -m model.h5 -o mask.tif $outputs --chunk 256 "$@"
    mkdir -p "$name.$ranks"
    mv mask.* confidence.* probabilities.* "$name.$ranks"
  done
  diff -r "$name.$first" "$name.4" >&2 || fail "$name: other bytes on other ranks"
  /usr/bin/python3 "$judge" reference.1 "$name.4" "$*" || fail "$name"
}

mkdir reference.1
predict 1 scene.tif -m model.h5 -o mask.tif $outputs
mv mask.* confidence.* probabilities.* reference.1
stored deflate 4 -co LEVEL=9 -co PREDICTOR=YES
stored zstd 1 -co COMPRESS=ZSTD -co LEVEL=3 -co PREDICTOR=STANDARD
stored lzw 1 -of COG -co COMPRESS=LZW -co BLOCKSIZE=128 -co PREDICTOR=FLOATING_POINT
stored none 4 -co COMPRESS=NONE -co BIGTIFF=YES
stored sparse 1 -co SPARSE_OK=TRUE -co COMPRESS=ZSTD -co BLOCKSIZE=64
stored plain 4 -of GTiff -co compress=lzw -co BLOCKXSIZE=16 -co BLOCKYSIZE=16 -co SPARSE_OK=TRUE
stored plain_overviews 4 -of GTiff -co OVERVIEWS=AUTO -co BIGTIFF=IF_SAFER -co PREDICTOR=2
stored bare 4 -of COG -co OVERVIEWS=NONE -co COMPRESS=NONE -co SPARSE_OK=YES
