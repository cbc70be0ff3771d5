#!/usr/bin/env bash
# Parts of odd scenes are mapped right, or refused with one line; sparse scenes cost what is there.
. "$(dirname "$0")/../support/program.bash" "$1"

"$make_scene" -o base.tif -s 160x160 -b 3 -t Byte
"$support/make_odd.py" base.tif odd
"$make_model" model.h5 --bands 3 --depth 2 --width 4
"$make_model" metres.h5 --bands 3 --depth 2 --width 4 --gsd 10
m="-m model.h5 --precision f32 -o part.tif"

# Turned, upside down, without CRS, with ground control points: pixels are pixels.
/usr/bin/python3 - <<'PYTHON'
from osgeo import gdal
scene = gdal.Open("odd/whole.tif")
t = scene.GetGeoTransform()
out = gdal.GetDriverByName("GTiff").CreateCopy("upside_down.tif", scene)
out.SetGeoTransform((t[0], t[1], 0, t[3] + 150 * t[5], 0, -t[5]))
out.WriteArray(scene.ReadAsArray())
PYTHON
for scene in odd/rotated.tif odd/no_crs.tif odd/gcps.tif upside_down.tif odd/whole.tif; do
  predict 2 $scene -m model.h5 --precision f32 -o whole.tif
  predict 2 $scene $m -srcwin 33 21 70 90
  gdal_translate -q -srcwin 33 21 70 90 whole.tif want.tif
  /usr/bin/python3 - <<'PYTHON' || fail "a part of $scene"
import numpy as np
from osgeo import gdal
a, b = gdal.Open("want.tif"), gdal.Open("part.tif")
assert (a.ReadAsArray() == b.ReadAsArray()).all()
assert np.allclose(a.GetGeoTransform(), b.GetGeoTransform(), rtol=0, atol=1e-6)
assert a.GetProjection() == b.GetProjection()
place = lambda d: [(g.GCPPixel, g.GCPLine, g.GCPX, g.GCPY) for g in d.GetGCPs()]
assert place(a) == place(b)
PYTHON
done

# A box on the map that a turned scene, or one upside down, has other axes for: the least rectangle
# of pixels around it.
for scene in odd/rotated.tif upside_down.tif; do
  /usr/bin/python3 - $scene >box <<'PYTHON'
import sys
from osgeo import gdal
t = gdal.Open(sys.argv[1]).GetGeoTransform()
at = lambda c, r: (t[0] + c * t[1] + r * t[2], t[3] + c * t[4] + r * t[5])
(ax, ay), (bx, by) = at(50.5, 40.5), at(90.5, 100.5)
print(*("%.9f" % v for v in (min(ax, bx), min(ay, by), max(ax, bx), max(ay, by))))
PYTHON
  predict 1 $scene -m model.h5 --precision f32 -o whole.tif
  predict 2 $scene $m -te $(cat box)
  /usr/bin/python3 - $scene $(cat box) <<'PYTHON' || fail "a box on $scene"
import math, sys
from osgeo import gdal
t = gdal.Open(sys.argv[1]).GetGeoTransform()
x0, y0, x1, y1 = map(float, sys.argv[2:])
back = gdal.InvGeoTransform(t)
corners = [gdal.ApplyGeoTransform(back, x, y) for x in (x0, x1) for y in (y0, y1)]
c0, r0 = (max(0, math.floor(min(p[i] for p in corners))) for i in (0, 1))
c1, r1 = (min(150, math.ceil(max(p[i] for p in corners))) for i in (0, 1))
part = gdal.Open("part.tif").ReadAsArray()
assert part.shape == (r1 - r0, c1 - c0), (part.shape, r0, r1, c0, c1)
assert (part == gdal.Open("whole.tif").ReadAsArray(c0, r0, c1 - c0, r1 - r0)).all()
PYTHON
done

# With --resample pixels are those of the mask.
predict 2 odd/other_gsd.tif -m metres.h5 --precision f32 -o whole.tif --resample
predict 2 odd/other_gsd.tif -m metres.h5 --precision f32 -o part.tif --resample -srcwin 101 7 300 99
gdal_translate -q -srcwin 101 7 300 99 whole.tif want.tif
/usr/bin/python3 -c 'from osgeo import gdal
assert (gdal.Open("want.tif").ReadAsArray() == gdal.Open("part.tif").ReadAsArray()).all()' || fail "resampled"

beside refused 2 "exclude each other" 2 $m base.tif -te 0 0 1 1 -srcwin 0 0 1 1
beside refused 2 "maxima are larger" 1 $m base.tif -te 10 0 1 1
beside refused 2 "expected 4 numbers" 1 $m base.tif -te 10 0 1
beside refused 2 "expected 4 numbers" 1 $m -te 10 0 base.tif
beside refused 2 "no whole number" 1 $m base.tif -srcwin 0 0 1.5 1
beside refused 2 "at least one" 1 $m base.tif -srcwin 0 0 0 1
beside refused 2 "lies outside of base.tif, which has 160 x 160" 2 $m base.tif -srcwin 160 0 10 10
beside refused 2 "lies outside of base.tif, which covers x " 2 $m base.tif -te -20 -20 -10 -10
beside refused 2 "no geotransform" 2 $m odd/gcps.tif -te 0 0 10 10
beside refused 2 "no --cutline" 1 $m base.tif --cutline-layer a
beside refused 1 "absent.gpkg" 2 $m base.tif --cutline absent.gpkg
beside refused 1 "base.tif: cannot be opened as a vector" 2 $m base.tif --cutline base.tif

# Cutlines that cannot be.
cutline() {
  printf '{"type":"FeatureCollection","features":[{"type":"Feature","properties":{},"geometry":%s}]}' "$2" >"$1"
}
cutline away.geojson '{"type":"Polygon","coordinates":[[[100,1],[101,1],[101,2],[100,1]]]}'
cutline line.geojson '{"type":"LineString","coordinates":[[10,46],[11,47]]}'
cutline broken.geojson '{"type":"Polygon","coordinates":[[['
beside refused 1 "touches the scene" 2 $m base.tif --cutline away.geojson
beside refused 1 "is no polygon but a LINESTRING" 2 $m base.tif --cutline line.geojson
beside refused 1 "broken.geojson" 2 $m base.tif --cutline broken.geojson
beside refused 1 "has no layer 'b'" 2 $m base.tif --cutline away.geojson --cutline-layer b
beside refused 1 "ground control points" 2 $m odd/gcps.tif --cutline away.geojson
joined
[ ! -e part.tif.parts ] || fail "something was begun"

# A part is not gone on with as another one, or with another cutline.
if "$segtiles" predict base.tif $m -srcwin 0 0 100 100 --chunk 64 2>/dev/null; then :; fi
mkdir -p part.tif.parts
printf 'segtiles predict 1\n' >part.tif.parts/journal
refused 2 "part.tif" 2 $m base.tif -srcwin 0 0 100 100
rm -rf part.tif.parts

# A sparse scene, of which one corner is there, and a VRT that is larger than its source.
/usr/bin/python3 - <<'PYTHON'
from osgeo import gdal
base = gdal.Open("base.tif").ReadAsArray()
d = gdal.GetDriverByName("GTiff").Create("sparse.tif", 6000, 5000, 3, gdal.GDT_Byte,
    ["TILED=YES", "SPARSE_OK=TRUE"])
for b in range(3):
    d.GetRasterBand(b + 1).SetNoDataValue(0)
d.WriteArray(base, 4100, 4200)
PYTHON
gdal_translate -q -of VRT -a_nodata 0 -srcwin -4100 -4200 6000 5000 base.tif sparse.vrt
for scene in sparse.tif sparse.vrt; do
  predict 2 $scene $m
  grep -q "chunks without data; [1-9]" log || { cat log >&2; fail "$scene was read where nothing is"; }
  read -r computed < <(grep -o "computed [0-9.]* times" log | cut -d' ' -f2)
  [ "${computed%.*}" = 0 ] || fail "$scene was computed $computed times"
  gdal_translate -q -srcwin 4100 4200 160 160 part.tif there.tif
  /usr/bin/python3 -c 'from osgeo import gdal
import numpy
v = gdal.Open("there.tif").ReadAsArray()
assert (v != 255).mean() > .9' || fail "what is there in $scene was not mapped"
done
