#!/usr/bin/env bash
# Altered, mixed and sampled crops of scenes that are smaller than they are, have one band, few
# labels or no pixel of a class: trained on, or refused with one clear line, on 2 ranks.
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
    - {name: snow, value: 77}
model: {width: 4, depth: 2}
train: {tile: 64, batch: 4, steps: 3, rate: 1e-3}
YAML

everything=("train.augment={rotate: 180, scale: [0.25, 4], brightness: 1, contrast: 0.9, gamma: 2,
  blur: 10, noise: 1, band_dropout: 0.9, cut_mix: 0.5, paste: 0.5, paste_classes: [forest, snow], p: 1}"
  train.jitter=0.9)

"$make_scene" -s 300x200 -b 3 -o scene.tif -l labels.tif
gdal_translate -q -srcwin 30 40 50 20 scene.tif small.tif
gdal_translate -q -srcwin 30 40 50 20 labels.tif small_labels.tif
gdal_translate -q -srcwin 100 100 1 1 -b 1 scene.tif pixel.tif
"$make_scene" -s 300x200 -b 2 --nodata-share 0.9 -o holes.tif

trains all "${everything[@]}" train.crops=balanced train.mining=0.5
trains small "${everything[@]}" train.mining=1 data.train.images=small.tif \
  data.train.labels=small_labels.tif
trains pixel "${everything[@]}" train.crops=grid data.train.images=pixel.tif \
  'data.classes=[{name: forest, value: 2}, {name: snow, value: 77}, {name: a, value: 1}]' \
  train.augment.paste_classes=snow data.train.labels=labels.tif
trains holes "${everything[@]}" data.train.images=holes.tif
trains grid train.crops=grid train.epochs=2 train.steps=0
grep -q '10 steps of 4 tiles of 64 x 64, 5 steps an epoch' log || # 5 x 4 tiles
  { cat log >&2; fail "two epochs of 20 tiles are 10 steps"; }
trains labelled "${everything[@]}" train.crops=labelled train.scene_weights=equal

refuses 2 "'snow'" 'train.balance={snow: 0.2}'
refuses 2 "'ice' is no class" 'train.balance={ice: 0.2}'
refuses 2 "do not go with it" train.crops=grid train.mining=0.1
refuses 2 "the least and the most size" train.augment.scale=[0,1]
# The checkpoint counts errors by cells of this tile.
trains mined train.mining=0.5
refuses_resume=0
timeout -k 5 120 "$segtiles" train --resume=mined train.steps=5 train.tile=32 2>log || refuses_resume=$?
[ $refuses_resume = 2 ] && grep -q 'counts errors in .* cells' log || fail "resumed with other cells"
echo passed
