#!/usr/bin/env bash
# With --crf, mask, confidence and probabilities are the same to the byte for any number of ranks, any tile,
# chunk, batch, readers, threads and memory, killed and resumed too; a part, and what lies inside a cutline, is
# what the whole mask shows there; what cannot be is refused in one line.
. "$(dirname "$0")/../support/program.bash" "$1"
"$make_scene" -o scene.tif -s 620x450 -b 3 -t Byte --nodata-share 0.1 >log 2>&1
"$make_model" model.h5 --bands 3 --depth 4 --width 4 --normalize scene
m="-m model.h5 --precision f32"
crf="--crf=alpha=10,beta=0.5,iterations=3" # windows of 256 and 2 x 32 pixels

# same RANKS OPTIONS...: the bytes of single/
same() {
  local ranks=$1
  shift
  predict "$ranks" scene.tif $m -o mask.tif --confidence=c.tif --probabilities=p.tif "$@"
  for file in mask c p; do
    cmp single/$file.tif $file.tif || fail "another $file on $ranks ranks with $*"
  done
}

mkdir single
outputs="-o single/mask.tif --confidence=single/c.tif --probabilities=single/p.tif"
predict 1 scene.tif $m -o without.tif
predict 1 scene.tif $m $outputs $crf --tile 4096 --chunk 4096 --batch 1 --threads 1
/usr/bin/python3 -c 'if 1:
  from osgeo import gdal
  a, b = (gdal.Open(name).ReadAsArray() for name in ("without.tif", "single/mask.tif"))
  changed = ((a != b) & (a > 0)).sum() / (a > 0).sum()
  assert 0.002 < changed < 0.5 and len(set(b.ravel())) > 2 and ((a == 0) == (b == 0)).all(), changed' ||
  fail "too dull to tell"
same 2 $crf
same 4 $crf --chunk 256 --tile 288 --batch 4 --readers 3 --threads 2
same 3 $crf --chunk 512 --tile 352 --batch 3 --threads 3
same 2 $crf --max-mem 330M

# A part begins anywhere; windows still lie where the scene has them.
predict 3 scene.tif $m -o part.tif --probabilities=part_p.tif $crf -srcwin 101 37 353 301 --chunk 256 --tile 304
# A triangle over several windows, far from its box's corners.
/usr/bin/python3 - <<'PYTHON'
from osgeo import gdal, ogr, osr
t = gdal.Open("scene.tif").GetGeoTransform()
crs = osr.SpatialReference(gdal.Open("scene.tif").GetProjection())
out = ogr.GetDriverByName("GPKG").CreateDataSource("cut.gpkg")
layer = out.CreateLayer("cut", crs, ogr.wkbPolygon)
ring = ogr.Geometry(ogr.wkbLinearRing)
for c, r in ((30.2, 40.3), (300.4, 60.1), (60.7, 440.2), (30.2, 40.3)):
    ring.AddPoint_2D(t[0] + c * t[1], t[3] + r * t[5])
polygon = ogr.Geometry(ogr.wkbPolygon)
polygon.AddGeometry(ring)
feature = ogr.Feature(layer.GetLayerDefn())
feature.SetGeometry(polygon)
layer.CreateFeature(feature)
PYTHON
predict 2 scene.tif $m -o cut.tif --probabilities=cut_p.tif $crf --cutline cut.gpkg --chunk 256 --tile 288
/usr/bin/python3 - <<'PYTHON' || fail "a part is not what the whole mask shows"
import numpy as np
from osgeo import gdal
whole = gdal.Open("single/p.tif")
part = gdal.Open("part_p.tif").ReadAsArray()
assert (part == whole.ReadAsArray(101, 37, 353, 301)).all() and len(np.unique(part)) > 1000, "part"
cut, t, s = gdal.Open("cut_p.tif"), gdal.Open("cut_p.tif").GetGeoTransform(), whole.GetGeoTransform()
x, y = round((t[0] - s[0]) / s[1]), round((t[3] - s[3]) / s[5])
cut = cut.ReadAsArray()
want = whole.ReadAsArray(x, y, cut.shape[2], cut.shape[1])
inside = cut[0] >= 0
assert 25000 < inside.sum() < .7 * inside.size and (cut == want)[:, inside].all() and (cut[:, ~inside] == -1).all(), "cutline"
PYTHON

# Killed, and taken up with other ranks, tiles and threads; another CRF is refused, and so is none.
LD_PRELOAD="${LD_PRELOAD:+$LD_PRELOAD:}$(dirname "$segtiles")/tests/fault_preload.so" FAULT_MARK=$work/mark \
  FAULT_RANK=0 FAULT_CALL=write FAULT_ERROR=0 FAULT_NTH=1 FAULT_FILE=assembled.tif "$mpirun" 2 "$segtiles" predict \
  scene.tif $m -o killed.tif $crf --chunk 256 >log 2>&1 && fail "not killed"
[ -e mark ] && [ -d killed.tif.parts ] || fail "not killed in the assembly"
refused 2 "made otherwise" 2 scene.tif $m -o killed.tif --crf=alpha=10,beta=0.5,iterations=4
refused 2 "made otherwise" 2 scene.tif $m -o killed.tif
predict 3 scene.tif $m -o killed.tif $crf --tile 320 --threads 2
cmp single/mask.tif killed.tif || fail "another mask after a kill"
gdalinfo killed.tif >info
grep -q "SEGTILES_CRF=iterations=3,w1=.*,alpha=10,beta=0.5,.* in windows of 256 + 2 x 32 pixels" info ||
  fail "the mask does not say how it was made"

# Blended tiles, and a mosaic.
rm single/*
small="--mode blend --tile 128 --overlap 48"
gdal_translate -q -srcwin 100 0 420 300 scene.tif part.tif && mv part.tif scene.tif
predict 1 scene.tif $m $outputs $crf $small --chunk 1024
same 3 $crf $small --chunk 256 --batch 3
"$make_model" own.h5 --bands 3 --depth 4 --width 4 --normalize none --seed 4
gdal_translate -q -srcwin 0 0 260 300 scene.tif west.tif
gdal_translate -q -srcwin 201 0 219 300 scene.tif east.tif
predict 1 scene.tif -m own.h5 --precision f32 -o whole.tif --crf=w1=1,alpha=12,beta=20
predict 3 --mosaic map.tif west.tif east.tif -m own.h5 --precision f32 --crf=w1=1,alpha=12,beta=20 --chunk 256 --tile 272
/usr/bin/python3 -c 'from osgeo import gdal
assert (gdal.Open("whole.tif").ReadAsArray() == gdal.Open("map.tif").ReadAsArray()).all()' || fail "another mosaic"

# One pixel, and no data at all.
gdal_translate -q -srcwin 150 150 1 1 scene.tif one.tif
predict 2 one.tif $m -o odd.tif --crf
gdal_create -q -if scene.tif -outsize 300 200 -burn 0 -a_nodata 0 empty.tif
predict 2 empty.tif -m own.h5 -o odd.tif --crf
/usr/bin/python3 -c 'from osgeo import gdal
mask = gdal.Open("odd.tif")
assert set(mask.ReadAsArray().ravel()) == {mask.GetRasterBand(1).GetNoDataValue()}' ||
  fail "classes where there is no data"

beside refused 2 "unknown key alfa; did you mean alpha?" 2 scene.tif $m --crf=alfa=3
beside refused 2 "alpha=200: expected a number from 0.25 to 128" 2 scene.tif $m --crf=alpha=200
beside refused 2 "beta=nan: expected" 1 scene.tif $m --crf=beta=nan
beside refused 2 "w1=: expected" 1 scene.tif $m --crf=w1=
beside refused 2 "iterations=2.5: expected a whole number" 1 scene.tif $m --crf=iterations=2.5
beside refused 2 "iterations=0: expected" 1 scene.tif $m --crf=iterations=0
beside refused 2 "expected key=value" 1 scene.tif $m --crf=strong
beside refused 2 "nothing is left to do" 1 scene.tif $m --crf=w1=0,w2=0
joined
