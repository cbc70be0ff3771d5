#!/usr/bin/env bash
# Gradients in bf16 on the wire train as f32 does, but for rounding: a gradient's relative error is 2^-9 of each
# rank's part and of the sum, so that a loss changes in its last digits at first (1e-3 leaves room for ten steps of
# it), and it does change, or nothing was rounded. What it is rounded to depends neither on time nor on buckets: two
# runs are the same. The summary tells how much of the sums the backward pass hid.
. "$(dirname "$0")/../support/program.bash" "$1"
. "$support/training.bash"
make_job
common="train.steps=10 train.validate_every=10 precision=f32"
train 2 wide -o wide $common
grep -q 'sums of gradients (MPI): .* % of it hidden under the backward pass' log || fail "no share of hidden sums"
train 2 narrow -o narrow $common train.wire=bf16
train 2 again -o again $common train.wire=bf16
! cmp -s <(losses wide) <(losses narrow) || fail "nothing was rounded"
cmp <(losses narrow) <(losses again) || fail "two runs in bf16 differ"
paste -d, <(losses wide) <(losses narrow) | awk -F, '
  { apart = ($2 - $4) / $2; if (apart < 0) apart = -apart; if (!(apart < 1e-3)) wrong = 1; print "step", NR, apart }
  END { exit wrong || NR != 10 }' || fail "losses in f32 and bf16 are too far apart"
