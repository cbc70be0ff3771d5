#!/usr/bin/env bash
# A training stopped by a signal in the middle saves, ends with status 75, and when resumed gives
# the losses, bit for bit, and the checkpoint of a run that nobody stopped. At 1 and 2 ranks; the
# signal reaches all ranks (SIGUSR1 through mpirun) or one alone (SIGTERM).
. "$(dirname "$0")/../support/program.bash" "$1"
. "$support/training.bash"
make_job

for ranks in 1 2; do
  train $ranks whole$ranks -o whole$ranks
  begin_training $ranks usr$ranks -o usr$ranks
  wait_for_step 10
  kill -USR1 "$job"
  end_training
  [ $status = 75 ] || fail "status $status after SIGUSR1, 75 expected"
  [ "$(grep -c '^segtiles: .*stopped by a signal' log)" = 1 ] || fail "expected one message"
  [ "$(steps_done)" -lt 60 ] || fail "the run was not stopped"
  train $ranks usr$ranks --resume=usr$ranks
  assert_same_run whole$ranks usr$ranks 60
done

begin_training 2 term -o term
wait_for_step 25
kill -TERM "$(ranks_of_training | tail -n 1)"
end_training
[ $status = 75 ] || fail "status $status after SIGTERM to one rank, 75 expected"
train 2 term --resume=term
assert_same_run whole2 term 60

# A mean of the weights changes no loss, is another network, and goes on as well.
train 2 mean -o mean train.average=0.9
cmp <(losses whole2) <(losses mean) || fail "a mean of weights changes the losses"
! cmp -s whole2/best.h5 mean/best.h5 || fail "the mean of weights is not what was saved"
begin_training 2 mean_stopped -o mean_stopped train.average=0.9
wait_for_step 30
kill -USR1 "$job"
end_training
[ $status = 75 ] || fail "status $status after SIGUSR1, 75 expected"
train 2 mean_stopped --resume=mean_stopped train.average=0.9
assert_same_run mean mean_stopped 60

# A loss of several terms goes on with its options, those of the checkpoint.
several='train.loss=[{name: ce, smoothing: 0.1}, dice, {name: boundary, peak: 5, sigma: 3}]'
train 2 several -o several "$several" train.validate_every=10
begin_training 2 several_stopped -o several_stopped "$several" train.validate_every=10
wait_for_step 30
kill -USR1 "$job"
end_training
[ $status = 75 ] || fail "status $status after SIGUSR1, 75 expected"
"$mpirun" 2 "$segtiles" train --resume=several_stopped >log 2>&1 || fail "the loss does not resume"
assert_same_run several several_stopped 60
cut -d, -f1,14- several/metrics.csv | cmp - <(cut -d, -f1,14- several_stopped/metrics.csv) ||
  fail "terms of the loss differ"

# A stop after a step whose validation is due does not wait for it: the resumed run makes up for it.
every="train.steps=24 train.validate_every=1"
train 1 every -o every $every
begin_training 1 due -o due $every
wait_for_step 5
kill -USR1 "$job"
end_training
[ $status = 75 ] || fail "status $status after SIGUSR1, 75 expected"
train 1 due --resume=due $every
assert_same_run every due 24
echo "resumed runs are those that nobody stopped"
