#!/usr/bin/env bash
# Tile stores of odd scenes, and what is refused: jobs that have changed, other files in the way,
# damaged stores. One line each, on 2 ranks.
. "$(dirname "$0")/../support/program.bash" "$1"
. "$support/odd_training.bash"

"$make_scene" -s 130x100 -b 3 -k 3 -o a.tif -l a_labels.tif
"$make_scene" -s 130x100 -b 3 -k 3 --offset 200,0 -o b.tif -l b_labels.tif
cat >job.yaml <<'YAML'
name: odd
data:
  train: {images: [a.tif, b.tif], labels: "{stem}_labels.tif"}
  classes: [{name: x, value: 1}, {name: y, value: 2}, {name: z, value: 3}]
model: {width: 4, depth: 2}
train: {tile: 32, batch: 4, steps: 2, rate: 1e-3}
YAML

# tiles FILE ARGUMENTS...
tiles() {
  local file=$1
  shift
  timeout -k 5 60 "$mpirun" 2 "$segtiles" tile job.yaml -o "$file" "$@" >/dev/null 2>log ||
    { cat log >&2; fail "tile -o $file $*: status $?"; }
}

# refuses_tiles STATUS WORDS ARGUMENTS...
refuses_tiles() {
  local status=$1 words=$2 got=0
  shift 2
  timeout -k 5 60 "$mpirun" 2 "$segtiles" tile "$@" >/dev/null 2>"$log" || got=$?
  [ "$got" = "$status" ] || { cat "$log" >&2; fail "expected status $status, got $got: $*"; }
  [ "$(grep -c '^segtiles: ' "$log")" = 1 ] || { cat "$log" >&2; fail "expected one message: $*"; }
  grep '^segtiles: ' "$log" | grep -qF -- "$words" || { cat "$log" >&2; fail "expected \"$words\": $*"; }
}

tiles t.h5
trains named data.store=t.h5 data.train.images=[] # the store alone names the scenes

# Many bands, a sparse scene, blank tiles.
gdal_translate -q $(for i in $(seq 20); do echo "-b 1 -b 2 -b 3"; done) a.tif many.tif
tiles many.h5 data.train.images=many.tif data.train.labels=a_labels.tif
trains many data.train.images=many.tif data.train.labels=a_labels.tif data.store=many.h5
gdal_translate -q -co SPARSE_OK=TRUE -co TILED=YES -a_nodata 0 -srcwin 0 0 130 100 -outsize 1300 1000 -r near a.tif big.tif
gdal_translate -q -ot Byte -outsize 1300 1000 -r near a_labels.tif big_labels.tif
tiles big.h5 data.train.images=big.tif data.train.labels=big_labels.tif --tile 128
trains big data.train.images=big.tif data.train.labels=big_labels.tif data.store=big.h5

# What is no store stays what it is.
cp a.tif scene.tif
beside refuses_tiles 2 "is no tile store; choose another name" job.yaml -o scene.tif
joined
cmp a.tif scene.tif || fail "the scene was replaced"
mkdir folder
beside refuses_tiles 2 "is a folder" job.yaml -o folder
beside refuses_tiles 2 "where to?" job.yaml
beside refuses_tiles 1 "/proc/no" job.yaml -o /proc/no/tiles.h5
beside refuses_tiles 2 "from 16 to 4096" job.yaml -o x.h5 --tile 5
beside refuses_tiles 1 "none_a.tif" job.yaml -o x.h5 data.train.labels=none_{stem}.tif
joined
[ ! -e x.h5 ] && [ ! -e x.h5.parts ] || fail "something of x.h5 was made"

# Jobs that are not the store's any more.
classes="[{name: x, value: 1}, {name: y, value: 2}]"
beside refuses 2 "t.h5 was written with other classes" data.store=t.h5 "data.classes=$classes"
beside refuses 2 "t.h5 was written with other bands" data.store=t.h5 data.bands=[3,2,1]
beside refuses 2 "t.h5 was written with another value" data.store=t.h5 data.nodata=3
beside refuses 2 "t.h5 was written with another share" data.store=t.h5 data.val_share=0.5
beside refuses 2 "t.h5 was written with other blocks" data.store=t.h5 "data.blocks={size: 32, guard: 0, val: 0.5}"
beside refuses 2 "t.h5 was written with other rasters" data.store=t.h5 'data.stack=[{file: "{stem/a/b}.tif"}]'
joined
tiles same.h5 data.val_share=0.5 data.bands=[3,1]
trains same data.store=same.h5
beside refuses 2 "bands" data.store=t.h5 --resume=same

# Stores that are none, or damaged.
beside refuses 1 "no such file" data.store=nowhere.h5
beside refuses 1 "not an HDF5 file" data.store=a.tif
beside refuses 1 "not a tile store" data.store="$(cat model)"
head -c 20000 t.h5 >cut.h5
beside refuses 1 "cut.h5" data.store=cut.h5
joined
size=$(stat -c %s t.h5)
for at in 3 7; do # in the middle of packed tiles
  cp t.h5 broken.h5
  printf '\xff\x00\xff\x00' | dd of=broken.h5 bs=1 seek=$((size * at / 10)) conv=notrunc status=none
  refuses 1 "broken.h5: " data.store=broken.h5 train.steps=40
done
! "$segtiles" info cut.h5 >log 2>&1 || fail "info of a cut store"

# Test scenes need no labels for training.
tiles test.h5 data.test.images=b.tif data.train.images=a.tif
"$segtiles" info test.h5 | grep -q "^test *1 scenes" || fail "no test scene"
trains untested data.store=test.h5

# evaluates_not WORDS ARGUMENTS...: status 2
evaluates_not() {
  local words=$1 status=0
  shift
  "$segtiles" evaluate job.yaml "$@" >log 2>&1 || status=$?
  [ $status = 2 ] && [ "$(grep -c '^segtiles: ' log)" = 1 ] && grep -qF -- "$words" log ||
    { cat log >&2; fail "evaluation, status $status, \"$words\" expected: $*"; }
}
evaluates_not "has no labels" -m "$(cat model)" --split test data.test.images=b.tif data.train.images=a.tif
evaluates_not "test.h5: b.tif has no labels there" -m "$(cat model)" --split test data.store=test.h5
evaluates_not "no scene is left for the split 'val'" -m "$(cat model)" --split val data.store=test.h5
evaluates_not "same.h5 was written with other bands than" -m "$(cat model)" --split train data.store=same.h5
trains nothing data.nodata=77
evaluates_not "t.h5 was written with other nodata than" -m "$(cat model)" --split train data.store=t.h5
evaluates_not "t.h5 was written with another value" -m "$(cat model)" --split train data.store=t.h5 data.nodata=77
