#!/usr/bin/env bash
# A rank killed with no warning: the run ends, and goes on from its last checkpoint to the losses
# and the checkpoint of a run that nobody killed. No half-written file is left under a final name.
set -u
program=$(realpath "$1")
. "$(dirname "$0")/common.bash"
make_job

begin_training 2 whole -o "$folder/whole"
end_training || fail "the uninterrupted run"

begin_training 2 killed -o "$folder/killed"
resume=0
for step in 9 16 33; do
    wait_for_step $step
    kill -KILL "$(ranks_of | head -n 1)"
    end_training && fail "a run with a killed rank ended well"
    [ -f "$folder/killed/last.h5" ] || fail "no checkpoint at step $step"
    resume=$((resume + 1))
    begin_training 2 killed --resume="$folder/killed"
done
end_training || fail "resuming after the last kill"
assert_same_run whole killed
echo "resumed $resume times after a kill: the run that nobody killed"
