#!/usr/bin/env bash
# Crops around classes and where the network errs, altered in every way: a stopped run goes on bit
# for bit, in the middle of what is counted; loader threads change nothing; ranks, which have
# batch-norm sums in another order, only the last digits. The order of sums can turn a pixel's class
# between equals and so, a step in thousands, a crop: losses would then differ from there on.
. "$(dirname "$0")/../support/program.bash" "$1"
. "$support/training.bash"
make_job

sampled=(train.steps=32 train.save_every=5 train.validate_every=8 "train.balance={c: 0.3}"
  train.mining=0.5 "train.augment={rotate: 20, scale: [0.8, 1.25], noise: 0.1}")

train 2 whole -o whole "${sampled[@]}"
begin_training 2 stopped -o stopped "${sampled[@]}"
wait_for_step 13
kill -USR1 "$job"
end_training
[ $status = 75 ] || fail "status $status after SIGUSR1, 75 expected"
[ "$(steps_done)" -lt 32 ] || fail "the run was not stopped"
train 2 stopped --resume=stopped "${sampled[@]}"
assert_same_run whole stopped 32

train 2 threads -o threads "${sampled[@]}" train.loader_threads=3
cmp <(losses whole) <(losses threads) || fail "losses depend on loader threads"

train 2 plain -o plain "${sampled[@]}" train.mining=0
head -n 10 <(losses whole) | cmp -s - <(losses plain | head -n 10) &&
  fail "mining did not change which crops are taken"
same=(train.optimizer=sgd train.rate=0.05 train.steps=16 precision=f32)
train 1 sgd1 -o sgd1 "${sampled[@]}" "${same[@]}"
for ranks in 2 4; do
  train $ranks sgd$ranks -o sgd$ranks "${sampled[@]}" "${same[@]}"
  paste -d, <(losses sgd1) <(losses sgd$ranks) | awk -F, '
    { apart = ($2 - $4) / $2; if (apart < 0) apart = -apart
      if (!(apart < 1e-4)) wrong = 1
      print "step", NR, apart }
    END { exit wrong || NR != 16 }' || fail "losses of 1 and $ranks ranks differ"
done
echo "sampled crops resume, and do not depend on threads or ranks"
