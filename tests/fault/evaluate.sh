#!/usr/bin/env bash
# Any failure, on any rank, at any stage of an evaluation, of a mask or of a network, ends it on all
# ranks with one message. Afterwards the same command prints the same scores.
. "$(dirname "$0")/../support/program.bash" "$1"
. "$support/fault.bash"
. "$support/fault_training.bash"
large=65536
block=2048 # bytes: only pixels are read in pieces as large

# A mask: windows of 1024 x 1024, in turn.
"$make_scene" -o scene.tif -l mask.tif -s 1100x1100 --block 256 >log 2>&1
cp mask.tif truth.tif
cp mask.tif.aux.xml truth.tif.aux.xml
command="evaluate mask.tif truth.tif"
works $command
cp log scores
for rank in 0 1 2; do
  for file in mask.tif truth.tif; do
    fails "$file: .*Permission denied" "$rank open EACCES 1 $file" $command
    fails "$file: .*read" "$rank read EIO 10 $file" $command
    fails "$file: reading" "$rank read EIO+ 22 $file" $command
  done
  fails "no memory for" "$rank memory ENOMEM 3 - $large" $command
  killed "$rank read KILL 10 truth.tif" $command
done
works $command
cmp scores log || fail "other scores of the mask"

# A network on the scenes of a job. Which rank maps which scene, time tells.
make_training
works train job.yaml -o run train.steps=2
command="evaluate -m run/last.h5 job.yaml --split val"
works $command
cp log scores
for rank in 0 1 2; do
  own=${val_scene[rank]}
  fails "job.yaml: cannot be read" "$rank open EACCES 1 job.yaml" $command
  fails "run/last.h5: " "$rank read EIO 30 last.h5" $command
  fails "$own.tif: .*Permission denied" "$rank open EACCES 1 $own.tif" $command
  fails "${own}_labels.tif: .*Permission denied" "$rank open EACCES 1 ${own}_labels.tif" $command
  fails "no memory for" "$rank memory ENOMEM 2 - $large" $command
  fails "$own.tif: reading" "any read EIO 1 $own.tif $block" $command
  killed "any read KILL 3 $own.tif $block" $command
done
works $command
cmp scores log || fail "other scores of the network"
echo "failures end the evaluation with one message"
