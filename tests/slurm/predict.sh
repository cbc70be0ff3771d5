#!/usr/bin/env bash
# predict.sh and array.sh on two nodes, by srun and by mpirun: the masks are those of one process,
# requeued in the middle or not.
. "$(dirname "$0")/cluster.bash" "$1"
start_cluster
"$make_model" --width 4 --depth 1 --bands 3 --classes 3 --normalize none model.h5 >log 2>&1 || fail "make_model"
mkdir scenes
for i in 1 2 3 4 5; do
  "$make_scene" -o scenes/s$i.tif --size 400x300 --offset $((i * 400)),0 --classes 3 --bands 3 >log 2>&1
  echo s$i.tif
done >scenes/list.txt
mkdir alone
predict 1 -m model.h5 -o alone scenes

for SEGTILES_LAUNCHER in srun mpirun; do
  export SEGTILES_LAUNCHER
  mkdir $SEGTILES_LAUNCHER
  submit --nodes=2 --ntasks-per-node=2 "$scripts/predict.sh" -m model.h5 -o $SEGTILES_LAUNCHER scenes \
    --threads 1
  ended COMPLETED
  diff -r alone $SEGTILES_LAUNCHER || fail "other masks by $SEGTILES_LAUNCHER"
done

export SEGTILES_LAUNCHER=
mkdir array
submit --array=3-5 --ntasks=1 "$scripts/array.sh" scenes/list.txt -m model.h5 -o array --threads 1
ended COMPLETED
diff -r alone array || fail "other masks by the array"
[ "$(cat array-"$id"_*.done | sort)" = "$(ls scenes/*.tif)" ] || fail "not every scene was done once"
[ "$(ls array-"$id"_*.done | wc -l)" = 3 ] || fail "not every task had its share"
echo "the same masks"
