#!/usr/bin/env bash
# Parts of a scene that overlap, laid onto one grid, become the mask of the whole scene, for any
# number of ranks; where parts differ, the first one with data counts.
. "$(dirname "$0")/../support/program.bash" "$1"

"$make_scene" -o scene.tif -s 700x500 -b 3 -t Byte
"$make_model" model.h5 --bands 3 --depth 3 --width 4 --normalize none --seed 2
m="-m model.h5 --precision f32"
# Nodata pixels, alone and in a patch, also where parts overlap.
/usr/bin/python3 - <<'PYTHON'
from osgeo import gdal
import numpy as np
d = gdal.Open("scene.tif", gdal.GA_Update)
v = d.ReadAsArray()
v[v == 0] = 1
v[:, 200:240, 300:420] = 0
v[1, ::17, ::13] = 0
d.WriteArray(v)
for b in range(3):
    d.GetRasterBand(b + 1).SetNoDataValue(0)
PYTHON
gdal_translate -q -srcwin 0 0 420 500 scene.tif west.tif
gdal_translate -q -srcwin 301 0 399 320 scene.tif east.tif
gdal_translate -q -srcwin 283 300 417 200 scene.tif south.tif
predict 1 scene.tif $m -o whole.tif --confidence=whole_c.tif

# same A B: the same pixels at the same place
same() {
  /usr/bin/python3 - "$1" "$2" <<'PYTHON' || fail "$2 is not $1"
import sys
import numpy as np
from osgeo import gdal
a, b = (gdal.Open(name) for name in sys.argv[1:])
assert (a.RasterXSize, a.RasterYSize) == (b.RasterXSize, b.RasterYSize), "size"
assert np.allclose(a.GetGeoTransform(), b.GetGeoTransform(), rtol=0, atol=1e-6), "place"
assert a.GetProjection() == b.GetProjection(), "CRS"
assert (a.ReadAsArray() == b.ReadAsArray()).all(), "values"
assert len(np.unique(a.ReadAsArray())) > 2, "too dull to tell"
PYTHON
}

for ranks in 1 4; do
  predict $ranks --mosaic map.tif --confidence west.tif east.tif south.tif $m --chunk 256 --tile 128
  same whole.tif map.tif
  same whole_c.tif map_confidence.tif
  [ $ranks = 1 ] || cmp first.tif map.tif || fail "other bytes on $ranks ranks"
  mv map.tif first.tif
done
predict 3 --mosaic map.tif south.tif east.tif west.tif $m # another order, the same pixels
same whole.tif map.tif

# Sieve and polygons of a mosaic are GDAL's of its whole mask, by sides and by corners.
for connected in 4 8; do
  predict 3 --mosaic sieved.tif --sieve 9 --polygons=p.gpkg --connectedness $connected west.tif east.tif south.tif $m \
    --chunk 256
  /usr/bin/python3 - first.tif sieved.tif p.gpkg $connected <<'PYTHON' || fail "products of a mosaic, $connected-connected"
import sys
from osgeo import gdal, ogr
gdal.UseExceptions()
whole, mask, vector = gdal.Open(sys.argv[1]), gdal.Open(sys.argv[2]), ogr.Open(sys.argv[3])
connected, band = int(sys.argv[4]), whole.GetRasterBand(1)
made = gdal.GetDriverByName("MEM").Create("", band.XSize, band.YSize, 1, gdal.GDT_Byte)
gdal.SieveFilter(band, band.GetMaskBand(), made.GetRasterBand(1), 9, connected)
assert (made.ReadAsArray() == mask.ReadAsArray()).all(), "not GDAL's sieve"
assert (whole.ReadAsArray() != mask.ReadAsArray()).any(), "a sieve that does nothing"
layer_of = ogr.GetDriverByName("Memory").CreateDataSource("")
layer = layer_of.CreateLayer("", None, ogr.wkbPolygon)
layer.CreateField(ogr.FieldDefn("value", ogr.OFTInteger))
band = mask.GetRasterBand(1)
gdal.Polygonize(band, band.GetMaskBand(), layer, 0, ["8CONNECTED=8"] if connected == 8 else [])
wanted = sorted((f.GetField(0), bytes(f.GetGeometryRef().ExportToWkb())) for f in layer)
found = sorted((f.GetField("value"), bytes(f.GetGeometryRef().ExportToWkb())) for f in vector.GetLayer(0))
assert found == wanted and len(found) > 5, (len(found), len(wanted))
print(len(found), "polygons of the sieved mosaic,", connected)
PYTHON
done

# An extent, snapped to the first scene's pixels, and a part of the mosaic.
read -r box < <(/usr/bin/python3 - <<'PYTHON'
from osgeo import gdal
t = gdal.Open("scene.tif").GetGeoTransform()
print(t[0] + 250.5 * t[1], t[3] + 400.2 * t[5], t[0] + 449.3 * t[1], t[3] + 150.7 * t[5])
PYTHON
)
predict 2 --mosaic map.tif west.tif east.tif south.tif $m -srcwin 250 150 200 251
gdal_translate -q -srcwin 250 150 200 251 whole.tif want.tif
same want.tif map.tif
predict 2 --mosaic map.tif west.tif east.tif south.tif $m -te $box
/usr/bin/python3 - <<'PYTHON'
from osgeo import gdal
d = gdal.Open("scene.tif")
import numpy as np
v = np.zeros((3, 500, 700), np.uint8)
v[:, 150:401, 250:450] = d.ReadAsArray(250, 150, 200, 251)
gdal.Translate("extent.tif", d, srcWin=[250, 150, 200, 251])
PYTHON
predict 1 extent.tif $m -o want.tif # nothing is known beyond the extent
same want.tif map.tif

# Where scenes differ: numpy lays them over each other as the rule says.
/usr/bin/python3 - <<'PYTHON'
from osgeo import gdal
d = gdal.Open("east.tif", gdal.GA_Update)
v = d.ReadAsArray().astype(int)
d.WriteArray(((255 - v) * (v > 0)).clip(0, 255).astype("uint8"))
d = None
for order in (("west", "east"), ("east", "west")):
    out = gdal.Open("scene.tif").ReadAsArray() * 0
    for name in reversed(order):
        v = gdal.Open(name + ".tif").ReadAsArray()
        x = 301 if name == "east" else 0
        place = out[:, :v.shape[1], x:x + v.shape[2]]
        place[:, (v > 0).all(0)] = v[:, (v > 0).all(0)]
    made = gdal.GetDriverByName("GTiff").CreateCopy("%s_first.tif" % order[0], gdal.Open("scene.tif"))
    made.WriteArray(out)
PYTHON
for first in west east; do
  other=$([ $first = west ] && echo east || echo west)
  predict 2 --mosaic map.tif $first.tif $other.tif $m --chunk 256
  predict 1 ${first}_first.tif $m -o want.tif
  same want.tif map.tif
done

# Another CRS: what gdalwarp makes of the only scene, away from its edges.
predict 2 --mosaic map.tif -t_srs EPSG:3857 -tr 15 15 west.tif $m
gdalwarp -q -t_srs EPSG:3857 -tr 15 15 -r bilinear -dstalpha -wo UNIFIED_SRC_NODATA=PARTIAL -et 0.01 west.tif warped.tif
predict 2 warped.tif $m -o want.tif
/usr/bin/python3 - <<'PYTHON' || fail "a mosaic in another CRS"
from osgeo import gdal
a, b = gdal.Open("want.tif"), gdal.Open("map.tif")
ta, tb = a.GetGeoTransform(), b.GetGeoTransform()
assert b.GetSpatialRef().GetAuthorityCode(None) == "3857" and tb[1] == 15 and tb[5] == -15
assert abs(ta[0] - tb[0]) <= 15 and abs(ta[3] - tb[3]) <= 15, (ta, tb)
assert abs(a.RasterXSize - b.RasterXSize) <= 2 and abs(a.RasterYSize - b.RasterYSize) <= 2
x, y = round((tb[0] - ta[0]) / 15), round((tb[3] - ta[3]) / -15)
w, h = b.RasterXSize - 20, b.RasterYSize - 20
same = (a.ReadAsArray(10 + x, 10 + y, w, h) == b.ReadAsArray(10, 10, w, h)).mean()
print("equal:", same)
assert same > .97
PYTHON

"$make_model" own.h5 --bands 3 --depth 3 --width 4 --normalize scene
beside refused 1 "one by one, without --mosaic" 2 --mosaic no.tif -m own.h5 west.tif east.tif
beside refused 2 "lies outside of all 2 scenes" 2 --mosaic no.tif $m west.tif east.tif -te 0 0 1000 1000
beside refused 2 "names the mask already" 2 --mosaic no.tif -o a.tif $m west.tif east.tif
beside refused 2 "is the scene itself" 2 --mosaic east.tif $m west.tif east.tif
beside refused 2 "there is no --mosaic" 1 $m west.tif -tr 10 10
beside refused 2 "larger than 0" 1 --mosaic no.tif $m west.tif -tr 10 inf
beside refused 2 "pixels long" 1 --mosaic no.tif $m west.tif -tr 1e-7 1e-7
beside refused 2 "no coordinate system" 2 --mosaic no.tif $m west.tif -t_srs nonsense
beside refused 1 "absent.tif" 3 --mosaic no.tif $m west.tif absent.tif
joined
