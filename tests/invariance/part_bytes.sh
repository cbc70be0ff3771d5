#!/usr/bin/env bash
# A part of a scene is mapped to the pixels that the whole scene's mask shows there, wherever the
# part lies, for any number of ranks, any tile and chunk; with a cutline, to those of gdal_rasterize.
. "$(dirname "$0")/../support/program.bash" "$1"

"$make_scene" -o scene.tif -s 720x530 -b 3 -t Byte --nodata-share 0.1
"$make_model" model.h5 --bands 3 --depth 4 --width 4 --normalize scene
outputs="-m model.h5 --precision f32 -o part.tif --confidence=part_c.tif --probabilities=part_p.tif"
predict 1 scene.tif -m model.h5 --precision f32 -o mask.tif --confidence=mask_c.tif --probabilities=mask_p.tif

# cut_out NAME X Y W H: the part of the whole scene's outputs
cut_out() {
  for kind in "" _c _p; do
    gdal_translate -q -srcwin $2 $3 $4 $5 mask$kind.tif "$1$kind.tif"
  done
}

# same_pixels A B: the same size, place, nodata and values
same_pixels() {
  /usr/bin/python3 - "$1" "$2" <<'PYTHON' || fail "$2 is not $1"
import sys
import numpy as np
from osgeo import gdal
gdal.UseExceptions()
a, b = (gdal.Open(name) for name in sys.argv[1:])
assert (a.RasterXSize, a.RasterYSize) == (b.RasterXSize, b.RasterYSize), "size"
assert np.allclose(a.GetGeoTransform(), b.GetGeoTransform(), rtol=0, atol=1e-6), "place"
assert a.GetProjection() == b.GetProjection(), "CRS"
assert a.GetRasterBand(1).GetNoDataValue() == b.GetRasterBand(1).GetNoDataValue(), "nodata"
assert (a.ReadAsArray() == b.ReadAsArray()).all(), "values"
assert len(np.unique(a.ReadAsArray())) > 1 or a.RasterXSize < 3, "too dull to tell"
PYTHON
}

# check WINDOW RANKS OPTIONS...
check() {
  local window=$1 ranks=$2
  shift 2
  rm -f part*.tif
  predict "$ranks" scene.tif $outputs -srcwin $window "$@"
  cut_out want $window
  for kind in "" _c _p; do
    same_pixels want$kind.tif part$kind.tif
  done
}

for ranks in 1 4; do
  check "101 37 403 301" $ranks --chunk 256 --tile 256
  check "101 37 403 301" $ranks --chunk 256 --tile 320 --batch 3
  check "333 255 387 275" $ranks --chunk 256 # to the lower right corner
  check "0 0 257 258" $ranks --chunk 256 --tile 224
done
check "101 37 403 301" 2
check "719 529 1 1" 1
check "5 0 715 1" 2
check "16 32 512 256" 2 --chunk 256

# Resumed, and the same to the byte for any number of ranks.
predict 1 scene.tif $outputs -srcwin 101 37 403 301 --chunk 256
mv part.tif one.tif
predict 4 scene.tif $outputs -srcwin 101 37 403 301 --tile 320
cmp one.tif part.tif || fail "other bytes on 4 ranks"

# The other ways to say it, snapped outwards.
read -r x0 y0 x1 y1 < <(/usr/bin/python3 - <<'PYTHON'
from osgeo import gdal
t = gdal.Open("scene.tif").GetGeoTransform()
at = lambda c, r: (t[0] + c * t[1] + r * t[2], t[3] + c * t[4] + r * t[5])
(ax, ay), (bx, by) = at(101.4, 37.3), at(503.2, 337.6)
print(*("%.9f" % v for v in (min(ax, bx), min(ay, by), max(ax, bx), max(ay, by))))
PYTHON
)
cut_out want 101 37 403 301
for way in "-te $x0 $y0 $x1 $y1" "--te=$x0,$y0,$x1,$y1" "-projwin $x0 $y1 $x1 $y0"; do
  predict 2 scene.tif $outputs $way
  same_pixels want.tif part.tif
done

# A cutline in another CRS: two overlapping polygons, one with a hole, drawn in the scene's pixels.
/usr/bin/python3 - <<'PYTHON'
from osgeo import gdal, ogr, osr
gdal.UseExceptions()
scene = gdal.Open("scene.tif")
t = scene.GetGeoTransform()
here = osr.SpatialReference(scene.GetProjection())
there = osr.SpatialReference()
there.ImportFromEPSG(4326)
for crs in (here, there):
    crs.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
change = osr.CoordinateTransformation(here, there)
def ring(points):
    r = ogr.Geometry(ogr.wkbLinearRing)
    for c, w in points + points[:1]:
        r.AddPoint_2D(t[0] + c * t[1], t[3] + w * t[5])
    return r
shapes = [[[(150.2, 60.7), (420.3, 90.1), (390.9, 300.6), (130.4, 240.2)],
           [(220.1, 120.3), (300.2, 130.4), (280.7, 200.8)]],
          [[(350.3, 200.2), (600.1, 210.9), (460.7, 400.4)]]]
for name, crs in (("near.gpkg", here), ("far.gpkg", there)):
    out = ogr.GetDriverByName("GPKG").CreateDataSource(name)
    out.CreateLayer("nothing", crs, ogr.wkbPoint)
    layer = out.CreateLayer("fields", crs, ogr.wkbPolygon)
    for rings in shapes:
        polygon = ogr.Geometry(ogr.wkbPolygon)
        for points in rings:
            polygon.AddGeometry(ring(points))
        if name == "far.gpkg":
            polygon.Transform(change)
        f = ogr.Feature(layer.GetLayerDefn())
        f.SetGeometry(polygon)
        layer.CreateFeature(f)
PYTHON
gdal_translate -q -ot Byte -b 1 -a_nodata none -scale 0 1 0 0 scene.tif inside.tif
gdal_rasterize -q -burn 1 -l fields near.gpkg inside.tif
# whole outputs, blanked outside, then cut to the polygons' box
/usr/bin/python3 - <<'PYTHON'
import numpy as np
from osgeo import gdal
inside = gdal.Open("inside.tif").ReadAsArray() == 1
assert 0 < inside.sum() < inside.size
for kind in ("", "_c", "_p"):
    out = gdal.GetDriverByName("GTiff").CreateCopy("outside%s.tif" % kind, gdal.Open("mask%s.tif" % kind))
    for i in range(out.RasterCount):
        band = out.GetRasterBand(i + 1)
        values = band.ReadAsArray()
        values[~inside] = band.GetNoDataValue()
        band.WriteArray(values)
PYTHON
for kind in "" _c _p; do
  gdal_translate -q -srcwin 130 60 471 341 outside$kind.tif want$kind.tif
done
for cutline in near far; do
  predict 3 scene.tif $outputs --cutline $cutline.gpkg --cutline-layer fields --chunk 256 --tile 256
  for kind in "" _c _p; do
    same_pixels want$kind.tif part$kind.tif
  done
  grep -q "1 of 4 chunks without data; [1-9]" log || { cat log >&2; fail "what is outside was computed"; }
done
gdal_translate -q -srcwin 200 100 300 100 outside.tif want.tif
predict 2 scene.tif $outputs --cutline far.gpkg --cutline-layer fields -srcwin 200 100 300 100
same_pixels want.tif part.tif
