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
# Crops are altered in every way.
altered="train.augment={rotate: 20, scale: [0.8, 1.25], brightness: 0.1, contrast: 0.1, gamma: 0.1, \
blur: 0.7, noise: 0.1, band_dropout: 0.1}"

common="train.steps=10 train.validate_every=10 train.sync_norm=true train.optimizer=sgd train.rate=0.05"

# expect_same PRECISION BOUND LATE_BOUND: of the first three steps, and of all
expect_same() {
  train 1 "$1.1" -o "$1.1" $common "$altered" precision="$1"
  for ranks in 2 4; do
    train $ranks "$1.$ranks" -o "$1.$ranks" $common "$altered" precision="$1"
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
expect_same auto 1e-3 1e-3
train 1 threads -o threads $common "$altered" train.loader_threads=3
cmp <(losses auto.1) <(losses threads) || fail "losses depend on loader threads"
