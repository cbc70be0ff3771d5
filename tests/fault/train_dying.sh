#!/usr/bin/env bash
# A rank without memory or threads ends the training on all ranks with one message; a rank that is
# killed ends it, too. Afterwards it goes on to the bytes of one that nothing happened to.
. "$(dirname "$0")/../support/program.bash" "$1"
. "$support/fault.bash"
. "$support/fault_training.bash"
make_training
works train job.yaml -o whole
start="train job.yaml -o run"
go_on="train job.yaml --resume=run"
block=2048 # bytes: only pixels are read in pieces as large
large=65536

for rank in 0 1 2; do
  other=${train_scene[(rank + 1) % 3]}
  for nth in 4 8 16; do
    rm -rf run
    fails "no memory for [0-9]* bytes" "$rank memory ENOMEM $nth - $large" $start
  done
  for nth in 1 2 4; do # sums of gradients, the loader of training, that of a validation
    rm -rf run
    fails "thread .*cannot be started" "$rank thread EAGAIN $nth" $start
  done
  rm -rf run
  killed "$rank read KILL 5 $other.tif $block" $start
  resume
  assert_same_run whole run
done

# Rank 0 dies while it saves: before a part of the file is written, before it is whole on the disk,
# before it has its name; and before a row of metrics.
rm -rf run
killed "0 write KILL 40 last.h5.tmp.*" $start
killed "0 fsync KILL 1 last.h5.tmp.*" $start
[ ! -e run/last.h5 ] || fail "a checkpoint that was not written bears its name"
killed "0 rename KILL 2 last.h5" $start
cp run/last.h5 former.h5
killed "0 write KILL 2 metrics.csv" $go_on
cmp former.h5 run/last.h5 || fail "the checkpoint changed"
killed "0 rename KILL 1 previous.h5" $go_on
cmp former.h5 run/last.h5 || fail "the checkpoint changed"
resume
assert_same_run whole run
echo "ranks without memory or threads, and killed ranks, end the training"
