#!/usr/bin/env bash
# Ten interruptions at random moments of one training, killed or told to stop, while a checkpoint is
# being written nearly all the time: the losses and checkpoints are those of an uninterrupted run,
# and no half-written file stays. SEED=N repeats a sequence.
. "$(dirname "$0")/../support/program.bash" "$1"
. "$support/training.bash"
end_at_once
make_job
RANDOM=${SEED:=$$}
echo "SEED=$SEED"
often="train.steps=80 train.save_minutes=1e-5"
train 2 whole -o whole $often

begin_training 2 cut -o cut $often
stopped=0
for i in $(seq 10); do
  wait_for_step $(($(steps_done) + 1 + RANDOM % 6)) # rows stay: one more, and it runs again
  sleep 0.0$((RANDOM % 10))
  case $((RANDOM % 3)) in
  0) kill -KILL "$(ranks_of_training | head -n 1)" ;; # rank 0, which writes
  1) kill -KILL "$(ranks_of_training | tail -n 1)" ;;
  2)
    pids=$(ranks_of_training)
    kill -CONT $pids
    kill -TERM $pids # as a batch system preempts
    ;;
  esac
  end_training
  [ $status != 0 ] || fail "the interrupted training ended well"
  [ $status != 75 ] || stopped=$((stopped + 1))
  begin_training 2 cut --auto-resume -o cut $often
done
end_training
[ $status = 0 ] || { cat log >&2; fail "status $status in the end"; }
assert_same_run whole cut 80
[ -z "$(find . -name '*.tmp.*')" ] || fail "temporary files stay"
echo "ten interruptions, $stopped of them stops: the run that nobody interrupted"
