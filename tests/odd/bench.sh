#!/usr/bin/env bash
# What bench prints: a time and a ratio for each kind of run, every operator's time with --profile.
. "$(dirname "$0")/../support/program.bash"

small="--width 4 --depth 2 --size 32 --batch 2 --repeats 3 --precision f32"

# expects PATTERN...: each extended regular expression is in `out`
expects() {
  local pattern
  for pattern in "$@"; do
    grep -qE "$pattern" out || { cat out >&2; fail "expected \"$pattern\""; }
  done
}

whole='ms \(best [0-9.]+\), [0-9.]+ Mpx/s, [0-9]+ GFLOP/s'
alone='^its 3x3 convolutions alone: [0-9.]+ ms, .*the whole runs at [0-9]+ % of their speed'

timeout -k 5 60 "$segtiles" bench net $small --profile >out || fail "bench net"
expects "^whole forward pass: [0-9.]+ $whole" "$alone" '^  conv +forward +[0-9.]+ ms' \
  '^  max_pool +forward' '^  classify'
if grep -q backward out; then fail "a forward pass has no backward pass"; fi

timeout -k 5 60 "$segtiles" bench train $small --profile >out || fail "bench train"
expects "^whole step: [0-9.]+ $whole" "$alone" '^  conv +backward +[0-9.]+ ms' \
  '^  batch_norm +backward' '^  softmax_loss +forward' '^  update'

timeout -k 5 60 "$mpirun" 2 "$segtiles" bench net $small >out || fail "bench net on 2 ranks"
expects '2 ranks$' "$alone"
[ "$(wc -l <out)" = 4 ] || fail "one rank prints, without a table unless asked"

timeout -k 5 60 "$segtiles" bench net $small --device reference >out || fail "bench of the reference"
expects '^device: reference'

# What is measured is said as it is, what was left open as well.
timeout -k 5 60 "$segtiles" bench net --size 32 --repeats 1 >out || fail "bench of the usual network"
expects '^net: unet of width 64, depth 4, 4 bands, 6 classes; 1 x 32 x 32'
timeout -k 5 60 "$segtiles" bench net --net fcn,encoder=resnet18,width=8 --size 32 --repeats 1 >out || fail "--net"
expects '^net: fcn,encoder=resnet18,width=8, 4 bands, 6 classes'

"$make_scene" -o scene.tif -s 300x200 -b 3 -t Byte >log 2>&1
"$make_model" model.h5 --bands 3 --depth 2 --width 4
for ranks in 1 2; do
  timeout -k 5 60 "$mpirun" $ranks "$segtiles" bench predict scene.tif -m model.h5 --repeats 3 -q >out ||
    fail "bench predict on $ranks ranks"
  expects '^predict: scene.tif, model.h5; tiles of ' '^scene to mask: [0-9.]+ s, [0-9.]+ Mpx/s$' \
    '^its network alone: [0-9.]+ s, .*the whole runs at [0-9]+ % of its speed$'
done
[ "$(ls)" = "$(printf '%s\n' log model.h5 out scene.tif)" ] ||
  { ls >&2; fail "bench predict leaves files"; }

# Crops of a job, from its scenes, its tile store, or both.
cat >job.yaml <<'YAML'
name: crops
data:
  train: {images: scene.tif, labels: labels.tif}
  classes: [{name: a, value: 1}, {name: b, value: 2}]
train: {tile: 64, loader_threads: 2}
YAML
"$make_scene" -o scene.tif -l labels.tif -s 300x200 -b 3 -k 2 >log 2>&1
"$segtiles" tile job.yaml -o tiles.h5 -q >log || fail "tile"
load="timeout -k 5 60 $segtiles bench load job.yaml --repeats 2"
scenes='^from the scenes: [0-9]+ crops/s, [0-9.]+ Mpx/s$'
tiles='^from tiles.h5: [0-9]+ crops/s, [0-9.]+ Mpx/s$'
$load data.store=tiles.h5 >out || fail "bench load of both"
expects '^load: crops of 64 x 64 x 3, 2 reading threads, 1 rank$' "$scenes" "$tiles" \
  '^the store is read [0-9.]+ times as fast$'
$load --batch 3 >out || fail "bench load of scenes"
expects "$scenes"
[ "$(wc -l <out)" = 2 ] || fail "there is no store to tell of"
"$mpirun" 2 $load data.store=tiles.h5 data.train.images=[] >out || fail "bench load of a store"
expects '2 ranks$' "$tiles"
[ "$(wc -l <out)" = 2 ] || fail "there are no scenes to tell of"

# wrong WORDS ARGUMENTS...: status 2 and one line
wrong() {
  local words=$1 status=0
  shift
  "$segtiles" bench "$@" >out 2>log || status=$?
  [ $status = 2 ] && [ "$(wc -l <log)" = 1 ] && grep -q -- "$words" log || { cat log >&2; fail "bench $*"; }
}
wrong "there are net, train, predict and load" everything
wrong "the job file is missing" load
wrong "is no key=value" load job.yaml job.yaml
wrong "bench load wants a number" load job.yaml --batch auto
wrong "the scene is missing" predict
wrong "it takes no scene" net scene.tif
wrong "expected a number from 1 to 1024, or auto" net --batch 0
wrong "expected a number from 1 to 1024, or auto" train --batch many
if "$segtiles" bench train --batch auto --device cpu >out 2>log; then fail "a CPU does not say what fits"; fi
grep -q "does not say how much memory is free" log || { cat log >&2; fail "bench train --batch auto"; }
