#!/usr/bin/env bash
# A tile store is the same bytes for any number of ranks and threads, and whoever was killed while it
# was written; a training that reads it has, bit for bit, the losses and scores of one that reads the
# scenes; evaluate and report tell the same from either.
. "$(dirname "$0")/../support/program.bash" "$1"
. "$support/training.bash"

# Scenes of several sizes (one smaller than a tile), CRS and types, with nodata; one with polygons in
# another CRS for labels.
make() {
  "$make_scene" -k 3 -b 3 "$@" >log 2>&1 || { cat log >&2; fail "make_scene"; }
}
make -s 300x260 -t UInt16 --nodata-share 0.2 -o a.tif -l a_labels.tif
make -s 150x330 -t Byte --crs EPSG:3857 --offset 400,0 -o b.tif -l b_labels.tif
make -s 90x50 -t UInt16 --crs "" --offset 900,0 -o c.tif -l c_labels.tif
make -s 200x200 -t Byte --offset 3000,0 -o d.tif --vector d_labels.gpkg --vector-crs EPSG:4326
make -s 200x160 -t UInt16 --offset 5000,0 -o v.tif -l v_labels.tif
make -s 130x120 -t Byte --offset 7000,0 -o t.tif
cat >job.yaml <<'YAML'
name: tiled
seed: 11
threads: 1
data:
  scenes:
    - {image: a.tif, label: a_labels.tif}
    - {image: b.tif, label: b_labels.tif}
    - {image: c.tif, label: c_labels.tif}
    - {image: d.tif, label: d_labels.gpkg}
    - {image: v.tif, label: v_labels.tif, split: val}
  test: {images: t.tif}
  attribute: value
  classes: [{name: a, value: 1}, {name: b, value: 2}, {name: c, value: 3}]
model: {net: unet, width: 8, depth: 2, dropout: 0.1}
train: {tile: 64, batch: 8, steps: 6, rate: 2e-3, validate_every: 3}
YAML

# tiles RANKS FILE ARGUMENTS...
tiles() {
  local ranks=$1 file=$2
  shift 2
  "$mpirun" "$ranks" "$segtiles" tile job.yaml -o "$file" "$@" >log 2>&1 ||
    { cat log >&2; fail "tile on $ranks ranks: $*"; }
}
tiles 1 one.h5 --tile 64 --threads 1
for ranks in 2 3; do
  tiles $ranks other.h5 --tile 64 --threads 2
  cmp one.h5 other.h5 || fail "other bytes on $ranks ranks"
done
[ "$("$segtiles" info --json one.h5 | grep -o '"split": "[a-z]*"' | sort | uniq -c | tr -s ' \n' ' ')" = \
  ' 1 "split": "test" 4 "split": "train" 1 "split": "val" ' ] || fail "splits"

# assert_same NAME RANKS ARGUMENTS...: from scenes, and from tiles
assert_same() {
  local name=$1 ranks=$2
  shift 2
  train "$ranks" "$name.scenes" -o "$name.scenes" "$@"
  train "$ranks" "$name.tiles" -o "$name.tiles" "$@" data.store=one.h5
  [ "$(losses "$name.tiles" | wc -l)" = 6 ] || fail "$name: six losses"
  cmp <(losses "$name.scenes") <(losses "$name.tiles") || fail "$name: losses"
  [ "$(validations "$name.tiles" | wc -l)" = 2 ] || fail "$name: two validations"
  cmp <(validations "$name.scenes") <(validations "$name.tiles") || fail "$name: validations"
}
assert_same plain.1 1
assert_same plain.2 2 train.loader_threads=2
assert_same altered 2 "train.balance={c: 0.5}" train.mining=0.2 data.normalize=scene \
  "train.augment={rotate: 20, scale: [0.8, 1.25], noise: 0.1, cut_mix: 0.3, paste: 0.3, paste_classes: [c]}"
assert_same focused 1 train.crops=labelled train.tile=32 data.normalize=none

# Blocks of splits in one scene, a store that is staged, a training that is resumed from it.
blocks="data.blocks={size: 128, guard: 16, val: 0.3}"
few="data.scenes=[{image: a.tif, label: a_labels.tif}, {image: b.tif, label: b_labels.tif}]"
mv one.h5 all.h5
tiles 2 one.h5 --tile 48 "$blocks" "$few"
assert_same blocks 2 "$blocks" "$few" train.tile=32
flat="train.schedule=constant train.warmup=0 train.tile=32"
train 2 direct -o direct "$blocks" "$few" $flat
train 2 staged -o staged "$blocks" "$few" $flat data.store=one.h5 data.stage=local train.steps=3
grep "tile store staged in local: [0-9.]* MB" log | grep -qv "0\.0 MB" || { cat log >&2; fail "was not staged"; }
[ "$(find local -name 'one-*.h5' | wc -l)" = 1 ] || { ls local >&2; fail "one copy"; }
train 2 staged --resume=staged "$blocks" "$few" $flat data.store=one.h5 data.stage=local
grep -q "tile store staged in local: 0\.0 MB" log || { cat log >&2; fail "was staged again"; }
cmp <(losses staged) <(losses direct) || fail "losses of the staged store"

# assert_evaluates_same RUN SPLIT STORE KEY=VALUE...: the store counts as the scenes do, which need not be there
assert_evaluates_same() {
  local model=$1/last.h5 split=$2 store=$3
  shift 3
  "$segtiles" evaluate -m "$model" job.yaml --split "$split" --json "$@" >scenes.json 2>log ||
    { cat log >&2; fail "evaluate on scenes: $*"; }
  mkdir away
  mv ./*.tif ./*.gpkg away
  "$mpirun" 2 "$segtiles" evaluate -m "$model" job.yaml --split "$split" --json "$@" data.store="$store" >tiles.json 2>log ||
    { cat log >&2; fail "evaluate on tiles: $*"; }
  mv away/* .
  rmdir away
  cmp scenes.json tiles.json || { cat scenes.json tiles.json >&2; fail "evaluated otherwise: $*"; }
}
assert_evaluates_same plain.1.scenes val all.h5
assert_evaluates_same altered.scenes train all.h5 # each scene by its own statistics
assert_evaluates_same direct val one.h5 "$blocks" "$few"

"$segtiles" report plain.1.tiles -o scenes.html --tiles 3 data.store= >log 2>&1 || { cat log >&2; fail "report"; }
"$segtiles" report plain.1.tiles -o tiles.html --tiles 3 data.store=all.h5 >log 2>&1 ||
  { cat log >&2; fail "report from the store"; }
cmp scenes.html tiles.html || fail "another page from the store"
