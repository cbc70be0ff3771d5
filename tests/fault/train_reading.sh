#!/usr/bin/env bash
# What cannot be read, on any rank, at any stage of a training, ends it on all ranks with one message
# that names the file. Afterwards it goes on as if nothing had been.
. "$(dirname "$0")/../support/program.bash" "$1"
. "$support/fault.bash"
. "$support/fault_training.bash"
make_training
works train job.yaml -o whole
block=2048 # bytes: only pixels are read in pieces as large

# breaks WORDS FAULT: a new training fails
breaks() {
  rm -rf run
  fails "$1" "$2" train job.yaml -o run
}

for rank in 0 1 2; do
  own=${train_scene[rank]} val=${val_scene[rank]} other=${train_scene[(rank + 1) % 3]}
  breaks "job.yaml: cannot be read" "$rank open EACCES 1 job.yaml"
  breaks "scenes.csv: cannot be read" "$rank read EIO 1 scenes.csv"
  # The survey: size, bands and labels of each scene; label counts; band statistics.
  breaks "$own.tif: .*Permission denied" "$rank open EACCES 1 $own.tif"
  breaks "${own}_labels.tif: .*Permission denied" "$rank open EACCES 1 ${own}_labels.tif"
  breaks "${own}_labels.tif: .*Permission denied" "$rank open EACCES 2 ${own}_labels.tif"
  breaks "$own.tif: reading 160 x 160 pixels" "$rank read EIO 1 $own.tif $block"
  # The loader, in the middle of an epoch.
  breaks "${other}_labels.tif: .*read" "$rank read EIO 18 ${other}_labels.tif"
  breaks "$other.tif: reading 32 x 32 pixels" "$rank read EIO 5 $other.tif $block"
  # Validation.
  breaks "${val}_labels.tif: .*Permission denied" "$rank open EACCES 3 ${val}_labels.tif"
  breaks "$val.tif: reading" "$rank read EIO 1 $val.tif $block"
  resume
  assert_same_run whole run
done
echo "what cannot be read ends the training with one message"
