#!/usr/bin/env bash
# A stopped prediction of a part, with a cutline, or of a mosaic goes on to the same bytes, on another
# number of ranks; another part, cutline or mosaic is not mixed in.
. "$(dirname "$0")/../support/program.bash" "$1"
"$make_scene" -o scene.tif -s 1600x1500 -b 3 -t Byte --block 128 >log 2>&1
"$make_model" model.h5 --bands 3 --depth 3 --width 8 --normalize none --seed 2
gdal_translate -q -srcwin 0 0 900 1500 scene.tif west.tif
gdal_translate -q -srcwin 800 0 800 1500 scene.tif east.tif
cutline() { # NAME POINTS: in pixels of the scene
  /usr/bin/python3 - "$@" <<'PYTHON'
import json, sys
from osgeo import gdal
d = gdal.Open("scene.tif")
t = d.GetGeoTransform()
points = [tuple(map(float, p.split(","))) for p in sys.argv[2].split()]
ring = [[t[0] + c * t[1], t[3] + r * t[5]] for c, r in points + points[:1]]
crs = d.GetSpatialRef().GetAuthorityCode(None)
json.dump({"type": "FeatureCollection",
           "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::" + crs}},
           "features": [{"type": "Feature", "properties": {},
                         "geometry": {"type": "Polygon", "coordinates": [ring]}}]}, open(sys.argv[1], "w"))
PYTHON
}
cutline one.geojson "50.2,40.7 1500.3,60.1 1400.8,1450.3 90.6,1380.9"
cutline two.geojson "50.2,40.7 1500.3,60.1 1400.8,1450.3 90.6,1380.1"
common="-m model.h5 --chunk 256 --tile 256 --batch 1 --precision f32"

one_rank() {
  for process in $(pgrep -x segtiles); do
    [ "$(readlink "/proc/$process/cwd")" != "$work" ] || { echo "$process"; return; }
  done
}

spools() { find mask.tif.parts -name '*.spool' -size +0 2>/dev/null | wc -l; }

# stop RANKS ARGUMENTS...: when one rank has written something
stop() {
  local status=0 ranks=$1 process
  shift
  "$mpirun" "$ranks" "$segtiles" predict $common "$@" >log 2>&1 &
  local job=$!
  until [ "$(spools || true)" -gt 0 ]; do sleep 0.02; done
  process=$(one_rank)
  [ -n "$process" ] || fail "no rank to signal"
  kill -USR1 "$process"
  wait $job || status=$?
  [ $status = 75 ] || { cat log >&2; fail "status $status after SIGUSR1"; }
}

# goes_on FILE ARGUMENTS...: stopped on 2 ranks, finished on 3, it is FILE
goes_on() {
  local want=$1
  shift
  predict 3 $common "$@"
  grep -q "an earlier run has finished" log || fail "begun anew: $*"
  cmp mask.tif "$want" || fail "other bytes: $*"
  rm mask.*
}

area="scene.tif -o mask.tif -srcwin 101 53 1300 1400 --cutline one.geojson"
predict 1 $common $area
mv mask.tif area.tif
stop 2 $area
refused 2 'made otherwise ("at ' 2 $common ${area/101/102}
refused 2 'made otherwise ("cutline ' 2 $common ${area/one/two}
refused 2 'made otherwise ("' 2 $common ${area/--cutline one.geojson/}
cp one.geojson copy.geojson # the same polygons
goes_on area.tif ${area/one/copy}

mosaic="--mosaic mask.tif west.tif east.tif"
predict 1 $common $mosaic
mv mask.tif mosaic.tif
stop 2 $mosaic
refused 2 'made otherwise ("scene .*east.tif' 2 $common --mosaic mask.tif east.tif west.tif
refused 2 'made otherwise ("put together' 2 $common $mosaic -t_srs EPSG:4326 --force
refused 2 'made otherwise ("scene' 2 $common scene.tif -o mask.tif
goes_on mosaic.tif $mosaic
