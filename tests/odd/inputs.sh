#!/usr/bin/env bash
# Folders, lists and STAC files become the scenes that they name, each with its own mask; what names
# none is refused with one line, before any work.
. "$(dirname "$0")/../support/program.bash" "$1"

"$make_scene" -o base.tif -s 200x160 -b 3 -t Byte
"$make_model" model.h5 --bands 3 --depth 2 --width 4 --normalize none --seed 2
m="-m model.h5 --precision f32"
mkdir -p scenes/sub masks list empty
gdal_translate -q -srcwin 0 0 90 80 base.tif scenes/b.tif
gdal_translate -q -srcwin 50 20 80 90 base.tif scenes/a.TIF
gdal_translate -q -of VRT -srcwin 70 60 100 90 base.tif scenes/c.vrt
gdal_translate -q -srcwin 1 1 50 50 base.tif scenes/sub/below.tif
echo "no raster" >scenes/notes.txt
echo "no raster" >scenes/strange.tif
mkdir scenes/b_mask.tif.parts
for band in 1 2 3; do
  gdal_translate -q -b $band base.tif scenes/sub/B0$band.tif
done
ogr2ogr -q scenes/shapes.gpkg /vsistdin/ <<'JSON'
{"type":"FeatureCollection","features":[{"type":"Feature","properties":{},"geometry":{"type":"Point","coordinates":[1,2]}}]}
JSON
predict 1 scenes/b.tif scenes/a.TIF scenes/c.vrt scenes/sub/below.tif base.tif $m -o masks/

# masks_are FOLDER NAME...: exactly these masks, with the bytes of those mapped one by one
masks_are() {
  local folder=$1
  shift
  [ "$(cd "$folder" && echo *_mask.tif)" = "$*" ] || { ls "$folder" >&2; fail "expected $*"; }
  for mask; do
    cmp "$folder/$mask" "masks/$mask" || fail "$mask in $folder"
  done
  rm -f "$folder"/*_mask.*
}

# A folder: sorted, not below it, without its own outputs.
cp masks/b_mask.tif scenes/
for ranks in 1 3; do
  mkdir -p out
  predict $ranks scenes $m -o out
  masks_are out a_mask.tif b_mask.tif c_mask.tif
done
predict 2 scenes/ base.tif $m -o out
masks_are out a_mask.tif b_mask.tif base_mask.tif c_mask.tif

# A list: comments, blanks, line ends of other systems; relative to itself; folders in it.
printf '\xef\xbb\xbf# scenes\r\n\r\n  ../scenes/b.tif  # the second\r\n%s/scenes/a.TIF\n../scenes/sub/below.tif' "$PWD" >list/scenes.txt
predict 2 @list/scenes.txt $m -o out
masks_are out a_mask.tif b_mask.tif below_mask.tif
echo ../scenes >list/folder.txt
predict 2 @list/folder.txt base.tif $m -o out
masks_are out a_mask.tif b_mask.tif base_mask.tif c_mask.tif

# STAC: masks are named for items.
cp masks/b_mask.tif masks/first_mask.tif
cp masks/base_mask.tif masks/second_mask.tif
band() {
  printf '"B0%s":{"href":"./scenes/sub/B0%s.tif","type":"image/tiff; application=geotiff","roles":["data"]}' $1 $1
}
item() {
  printf '{"type":"Feature","stac_version":"1.0.0","id":"%s","properties":{},"links":[],"geometry":null,"assets":{%s}}' "$1" "$2"
}
item first '"image":{"href":"scenes/b.tif","type":"image/tiff; application=geotiff"},"note":{"href":"scenes/notes.txt"}' >first.json
predict 2 first.json $m -o out
masks_are out first_mask.tif
item second "$(band 3),$(band 1),$(band 2)" >second.json
predict 3 second.json --asset B01,B02,B03 $m -o out
masks_are out second_mask.tif
printf '{"type":"Collection","id":"c","links":[{"rel":"item","href":"./second.json"}]}' >collection.json
predict 2 collection.json --asset B01,B02,B03 $m -o out
masks_are out second_mask.tif
# Bands of another resolution come to the first one's.
gdal_translate -q -outsize 50% 50% scenes/sub/B02.tif scenes/sub/B02_half.tif
item half "$(band 1),$(band 3),\"half\":{\"href\":\"scenes/sub/B02_half.tif\"}" >half.json
predict 2 half.json --asset B01,half,B03 $m -o out
gdalwarp -q -r bilinear -et 0.01 -ts 200 160 scenes/sub/B02_half.tif full.tif
gdalbuildvrt -q -separate stack.vrt scenes/sub/B01.tif full.tif scenes/sub/B03.tif
predict 1 stack.vrt $m -o want.tif
cmp out/half_mask.tif want.tif || /usr/bin/python3 -c 'from osgeo import gdal
assert (gdal.Open("want.tif").ReadAsArray() == gdal.Open("out/half_mask.tif").ReadAsArray()).all()' || fail "bands of two resolutions"
rm -f out/*

# What is refused, before any mask is there.
beside refused 1 "empty: no file in this folder" 3 $m -o out empty base.tif
beside refused 1 "absent.txt" 2 $m -o out @absent.txt
printf '# nothing\n\n' >list/none.txt
beside refused 1 "list/none.txt: lists no scene" 2 $m -o out @list/none.txt
printf 'absent.tif\n' >list/absent.txt
beside refused 1 "list/absent.tif" 3 $m -o out base.tif @list/absent.txt
printf '@none.txt\n' >list/nested.txt
beside refused 1 "a list in a list" 2 $m -o out @list/nested.txt
beside refused 1 "several rasters: B03, B01, B02" 2 $m -o out second.json
beside refused 1 "no asset 'B09'" 2 $m -o out second.json --asset B09
beside refused 1 "does not suit model.h5: it has 1 band" 2 $m -o out second.json --asset B01
beside refused 2 "no scene is a STAC file" 2 $m -o out base.tif --asset B01
printf '{"type":"Feature"' >broken.json
beside refused 1 "broken.json: is no JSON: it ends early" 2 $m -o out base.tif broken.json
item gone '"image":{"href":"gone.tif","type":"image/tiff"}' >gone.json
beside refused 1 "gone.tif" 3 $m -o out first.json gone.json
beside refused 2 "would both become" 2 $m -o out scenes/b.tif list/../scenes/b.tif
joined
[ -z "$(ls out)" ] || { ls out >&2; fail "something was mapped before all were looked at"; }

# A damaged file of a folder is a scene: that it is damaged is said.
head -c 3000 scenes/b.tif >scenes/damaged.tif
refused 1 "damaged.tif" 3 $m -o out scenes
