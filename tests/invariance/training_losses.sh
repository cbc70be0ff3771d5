#!/usr/bin/env bash
# With batch-norm statistics over all ranks, a training has the same losses for any number of ranks
# and any number of loader threads, but for the order of sums: crops, turns, dropout and shares do
# not depend on ranks. A sample too many or too few changes a loss by 1e-2 at once. The order of sums
# changes the last bits of a gradient; what comes of that grows from step to step, where a maximum or
# a ReLU falls the other way: seen in f32 5e-8 in the third step and 1.2e-5 in the eighth, in bf16,
# where a weight may be rounded the other way, up to 8e-5.
. "$(dirname "$0")/../support/program.bash" "$1"
. "$support/training.bash"
make_job

common="train.steps=10 train.validate_every=10 train.sync_norm=true train.optimizer=sgd train.rate=0.05"

# expect_same PRECISION BOUND LATE_BOUND: of the first three steps, and of all
expect_same() {
  train 1 "$1.1" -o "$1.1" $common precision="$1"
  for ranks in 2 4; do
    train $ranks "$1.$ranks" -o "$1.$ranks" $common precision="$1"
    paste -d, <(losses "$1.1") <(losses "$1.$ranks") | awk -F, -v early="$2" -v late="$3" '
      { apart = ($2 - $4) / $2; if (apart < 0) apart = -apart
        bound = NR <= 3 ? early : late
        if (!(apart < bound)) wrong = 1
        print "step", NR, apart }
      END { exit wrong || NR != 10 }' ||
      fail "losses of 1 and $ranks ranks differ, $1"
  done
}

expect_same f32 1e-6 1e-4
# losses of regions are those of all ranks' pixels, statistics of batch norm are not asked for them
common="$common train.loss=[ce,dice,lovasz]"
cp -r f32.1 plain.1
rm -r f32.?
expect_same f32 1e-6 1e-4
! cmp -s <(losses plain.1) <(losses f32.1) || fail "the loss was not the one asked for"
common=${common% train.loss=*}
expect_same auto 1e-3 1e-3
train 1 threads -o threads $common train.loader_threads=3
cmp <(losses auto.1) <(losses threads) || fail "losses depend on loader threads"

# Crops that are altered and mixed in every way, around classes: with weights that stay as they are,
# losses differ by the order of sums alone, in every step.
altered=("train.balance={c: 0.5}" "train.augment={rotate: 20, scale: [0.8, 1.25], brightness: 0.1,
  contrast: 0.1, gamma: 0.1, blur: 0.7, noise: 0.1, band_dropout: 0.1, cut_mix: 0.3, paste: 0.3,
  paste_classes: [c]}" train.rate=0 precision=f32)
train 1 still.1 -o still.1 $common "${altered[@]}"
train 4 still.4 -o still.4 $common "${altered[@]}" train.loader_threads=2
paste -d, <(losses still.1) <(losses still.4) | awk -F, '
  { apart = ($2 - $4) / $2; if (apart < 0) apart = -apart
    if (!(apart < 1e-7)) wrong = 1
    print "step", NR, apart }
  END { exit wrong || NR != 10 }' || fail "altered crops of 1 and 4 ranks differ"
