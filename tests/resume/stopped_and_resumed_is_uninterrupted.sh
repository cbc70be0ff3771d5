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
  assert_same_run whole$ranks usr$ranks
done

begin_training 2 term -o term
wait_for_step 25
kill -TERM "$(ranks_of_training | tail -n 1)"
end_training
[ $status = 75 ] || fail "status $status after SIGTERM to one rank, 75 expected"
train 2 term --resume=term
assert_same_run whole2 term
echo "resumed runs are those that nobody stopped"
