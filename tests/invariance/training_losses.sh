#!/usr/bin/env bash
# With batch-norm statistics over all ranks, a training has the same losses for any number of ranks
# and any number of loader threads, but for the order of sums: crops, turns, dropout and shares do
# not depend on ranks. A loss is a sum over 8 * 64 * 64 pixels in f32: one rounding is 6e-8 of it,
# and in ten steps of SGD it grew to 1.5e-7 (Adam, which divides by what may be rounding alone, makes
# it 5e-5). 5e-6 leaves room for other processors; a sample too many or too few gives 1e-2.
. "$(dirname "$0")/../support/program.bash" "$1"
. "$support/training.bash"
make_job

common="train.steps=10 train.validate_every=10 train.sync_norm=true train.optimizer=sgd train.rate=0.05"
train 1 one -o one $common
for ranks in 2 4; do
  train $ranks ranks$ranks -o ranks$ranks $common
  paste -d, <(losses one) <(losses ranks$ranks) | awk -F, '
    { apart = ($2 - $4) / $2; if (apart < 0) apart = -apart; if (apart > worst) worst = apart }
    END { print "largest difference", worst; exit !(NR == 10 && worst < 5e-6) }' ||
    fail "losses of 1 and $ranks ranks differ"
done
train 1 threads -o threads $common train.loader_threads=3
cmp <(losses one) <(losses threads) || fail "losses depend on loader threads"
