#!/usr/bin/env bash
# QGIS, given a mask, shows the named classes and no others by itself, leaves nodata out, and has it
# where the scene is. Its polygons lie on it, by name; probabilities in bytes are probabilities, and
# confidence has its values there.
. "$(dirname "$0")/../support/program.bash" "$1"
if ! /usr/bin/python3 -c 'import qgis.core' 2>/dev/null; then
  skip "QGIS for Python (python3-qgis, qgis-providers) is not installed"
fi
. "$support/training.bash"
make_job
train 2 run -o run train.steps=60 # enough for a map of several classes
"$make_scene" -o map.tif -s 300x200 -b 3 --nodata-share 0.2 >log 2>&1
predict 2 map.tif -m run/last.h5 --polygons --confidence --probabilities --probabilities-type byte
QT_QPA_PLATFORM=offscreen XDG_RUNTIME_DIR=$work /usr/bin/python3 "$(dirname "$0")/qgis_shows.py" \
  map.tif map_mask.tif 3 map_polygons.gpkg map_probabilities.tif map_confidence.tif
