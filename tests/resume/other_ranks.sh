#!/usr/bin/env bash
# A training that goes on with another number of ranks keeps its batch, the order of its samples and
# its rates. Losses then differ by the order of sums alone: relative 2^-24 = 6e-8 in one sum of f32,
# which grows from step to step (see invariance/training_losses.sh, whose bounds are these: 1e-6 in
# three steps, 1e-4 in ten); a sample too many or too few changes a loss by 1e-2 at once.
. "$(dirname "$0")/../support/program.bash" "$1"
. "$support/training.bash"
make_job
common="train.steps=20 train.validate_every=20 train.optimizer=sgd train.rate=0.05 precision=f32"
common="$common train.accumulate=2 train.save_every=12"
train 2 whole -o whole $common # previous.h5 is that of step 12

for ranks in 1 4; do
  mkdir r$ranks
  cp whole/previous.h5 r$ranks/last.h5
  cp whole/metrics.csv r$ranks
  train $ranks r$ranks --resume=r$ranks $common
  grep -q "resuming on $ranks ranks what ran on 2: samples and rates" log || fail "nothing is said"
  cmp <(cut -d, -f1,2,3 whole/metrics.csv) <(cut -d, -f1,2,3 r$ranks/metrics.csv) ||
    fail "steps, epochs or rates differ on $ranks ranks"
  paste -d, <(losses whole) <(losses r$ranks) | awk -F, '
    NR > 12 { apart = ($2 - $4) / $2; if (apart < 0) apart = -apart
      if (!(apart < (NR <= 15 ? 1e-6 : 1e-4))) wrong = 1
      if (apart > 0) differ = 1
      print "step", NR, apart }
    END { exit wrong || !differ || NR != 20 }' || fail "losses differ on $ranks ranks"
done

# Where the parts of the batch do not go round, there are fewer; where the batch does not, one line.
mkdir parts
cp whole/previous.h5 parts/last.h5
train 4 parts --resume=parts $common train.accumulate=4
grep -q "the batch of 8 is computed in 2 parts instead of 4, on 4 ranks" log || fail "no line"
status=0
"$mpirun" 3 "$segtiles" train job.yaml --resume=parts $common -q >log 2>&1 || status=$?
[ $status = 2 ] || fail "status $status for a batch that 3 ranks cannot share"
[ "$(grep -c '^segtiles: .*8 samples cannot be shared by 3 ranks' log)" = 1 ] || fail "one message"
echo "other numbers of ranks: the same samples and rates"
