#!/usr/bin/env bash
# A rank killed with no warning: the run ends, and goes on from its last checkpoint to the losses
# and the checkpoint of a run that nobody killed. What a kill left half-written never bears the
# name of a checkpoint: each resume reads it.
. "$(dirname "$0")/../support/program.bash" "$1"
. "$support/training.bash"
end_at_once
make_job

train 2 whole -o whole
begin_training 2 killed -o killed
for step in 9 16 33; do
  wait_for_step $step
  kill -KILL "$(ranks_of_training | head -n 1)"
  end_training
  [ $status != 0 ] || fail "a run with a killed rank ended well"
  begin_training 2 killed --resume=killed
done
end_training
[ $status = 0 ] || fail "status $status of the run that was killed three times"
assert_same_run whole killed 60
[ -z "$(find . -name '*.tmp.*')" ] || fail "temporary files stay"
echo "killed three times: the run that nobody killed"
