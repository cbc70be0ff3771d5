#!/usr/bin/env bash
# Odd scenes and labels train right, or are refused with one clear line, on 2 ranks.
. "$(dirname "$0")/../support/program.bash"
. "$support/odd_training.bash"

cat >job.yaml <<'YAML'
name: odd
data:
  train: {images: scene.tif, labels: labels.tif}
  classes:
    - {name: water, value: 1}
    - {name: forest, value: 2}
    - {name: grassland, value: 3}
    - {name: cropland, value: 4}
    - {name: built-up, value: 5}
    - {name: bare, value: 6}
model: {width: 4, depth: 2}
train: {tile: 64, batch: 2, steps: 3, rate: 1e-3}
YAML

"$make_scene" -s 300x200 -b 3 -o scene.tif -l labels.tif --vector labels.gpkg
"$make_scene" -s 300x200 -b 3 --offset 300,0 -o beside.tif -l beside_labels.tif
trains plain

# Sizes: smaller than a tile, one row, one pixel.
gdal_translate -q -srcwin 30 40 50 20 scene.tif small.tif
gdal_translate -q -srcwin 30 40 50 20 labels.tif small_labels.tif
trains small data.train.images=small.tif data.train.labels=small_labels.tif
gdal_translate -q -srcwin 0 50 300 1 scene.tif row.tif
trains row data.train.images=row.tif
gdal_translate -q -srcwin 100 100 1 1 scene.tif pixel.tif
trains pixel data.train.images=pixel.tif

# Types and what counts as no data.
for type in Byte Int16 Float32; do
  "$make_scene" -s 300x200 -b 2 -t $type --nodata-share 0.4 -o typed.tif
  trains "type_$type" data.train.images=typed.tif
done
# Fill that the file does not declare: neither trained on nor mapped.
gdal_translate -q -srcwin 0 0 250 200 scene.tif block.tif # gdal_calc sees a block at a time
gdal_calc.py --quiet -A block.tif --allBands=A --outfile=calculated.tif --type=UInt16 \
  --calc='numpy.where(numpy.arange(A.shape[-1]) < 100, 65535, A)'
gdal_translate -q -a_nodata none calculated.tif filled.tif
trains filled data.train.images=filled.tif data.nodata=65535
predict 2 filled.tif -m "$(cat model)" -o filled_mask.tif
gdal_translate -q -srcwin 0 0 100 200 filled_mask.tif left.tif
gdal_translate -q -srcwin 100 0 150 200 filled_mask.tif right.tif
gdalinfo -stats left.tif >left 2>&1
gdalinfo -stats right.tif >right
if grep -q STATISTICS_MINIMUM left; then fail "fill was mapped"; fi
grep -q 'STATISTICS_VALID_PERCENT=100$' right || fail "no map beside the fill"
gdal_translate -q -ot Float64 -a_nodata nan scene.tif double.tif
trains double data.train.images=double.tif
gdal_translate -q -b 1 -ot Byte -scale 0 3000 0 1 -co NBITS=1 scene.tif bit.tif
trains bit data.train.images=bit.tif
gdal_translate -q -ot CFloat32 scene.tif complex.tif
beside refuses 1 complex.tif data.train.images=complex.tif
gdal_translate -q -scale 0 60000 9 9 -ot Byte -a_nodata 9 scene.tif empty.tif
beside refuses 1 "no valid pixel" data.train.images=empty.tif

# Georeferencing: south-up, rotated, none.
gdal_translate -q -a_ullr 600000 5190000 603000 5192000 scene.tif south.tif
beside refuses 1 labels.tif data.train.images=south.tif # no ground in common
gdal_translate -q -a_ullr 600000 5190000 603000 5192000 labels.tif south_labels.tif
trains south data.train.images=south.tif data.train.labels=south_labels.tif
for what in scene labels; do
  gdal_translate -q -of VRT $what.tif rotated_$what.vrt
  sed -i 's|<GeoTransform>.*</GeoTransform>|<GeoTransform>6e5, 8, 6, 5.2e6, 6, -8</GeoTransform>|' \
    rotated_$what.vrt
done
trains rotated data.train.images=rotated_scene.vrt data.train.labels=rotated_labels.vrt
"$make_scene" -s 300x200 -b 3 --crs "" -o bare.tif -l bare_labels.tif
trains bare data.train.images=bare.tif data.train.labels=bare_labels.tif

# Labels: another CRS, another resolution, polygons, nothing known in them, not there at all.
gdalwarp -q -t_srs EPSG:4326 labels.tif degrees.tif
trains degrees data.train.labels=degrees.tif
gdal_translate -q -outsize 50% 50% labels.tif coarse.tif
trains coarse data.train.labels=coarse.tif
trains polygons data.train.labels=labels.gpkg data.attribute=name
beside refuses 1 "no attribute 'kind'" data.train.labels=labels.gpkg data.attribute=kind
beside refuses 1 "no layer 'x'" data.train.labels=labels.gpkg data.attribute=name data.layer=x
beside refuses 1 "have no pixel of any class" 'data.classes=[{name: a, value: 77}]'
beside refuses 1 "beside_labels.tif" data.train.labels=beside_labels.tif
beside refuses 1 "absent.tif" data.train.labels=absent.tif

# Damaged, of other bands, in two splits.
head -c 100000 scene.tif >truncated.tif
beside refuses 1 truncated.tif data.train.images=truncated.tif
printf 'not a raster' >text.tif
beside refuses 1 text.tif data.train.images=text.tif
gdal_translate -q -b 1 beside.tif one_band.tif
beside refuses 1 "scene.tif has 3 bands but one_band.tif has 1" \
  'data.scenes=[{image: one_band.tif, label: beside_labels.tif}]'
trains one_band 'data.scenes=[{image: one_band.tif, label: beside_labels.tif}]' data.bands=1
gdal_translate -q -of VRT scene.tif scene.vrt
beside refuses 2 "scene.vrt" 'data.val={images: scene.vrt, labels: labels.tif}'
trains beside 'data.val={images: beside.tif, labels: beside_labels.tif}'
[ "$(cat model)" = beside/best.h5 ] || fail "with validation, best.h5 is the result"
beside refuses 2 "no training region can hold a tile" data.blocks.size=64 data.blocks.guard=8 \
  data.blocks.val=0.5 train.tile=128

# Losses: every one of them, a class that is in no label, two classes, and mistakes.
trains losses 'train.loss=[ce, focal, boundary, dice, jaccard, tversky, lovasz]'
head -n 1 losses/metrics.csv | grep -q '"loss_ce","loss_focal",.*"loss_lovasz"$' ||
  fail "the terms of the loss have no columns"
trains absent_class 'train.loss=[dice, lovasz]' \
  'data.classes=[{name: forest, value: 2}, {name: nothing, value: 99}, {name: bare, value: 6}]'
trains between 'train.loss=[{name: boundary, between: built-up, peak: 5, sigma: 3}]'
trains two 'train.loss=bce' 'data.classes=[{name: forest, value: 2}, {name: cropland, value: 4}]'
beside refuses 2 "lovasz does not take it" 'train.loss=[{name: lovasz, smooth: 2}]'
beside refuses 2 "bce is for two classes" train.loss=bce
beside refuses 2 "auto is for a device with memory of its own" train.batch=auto --device cpu
beside refuses 2 "allowed: 1 to 65536, or auto" train.batch=many

# An output that cannot be.
echo >file
beside refuses 1 "file: is a file, but a folder is needed there" --out file/x
joined
echo passed
