#!/usr/bin/env bash
# A training stopped by a signal in the middle saves, ends with status 75, and when resumed gives
# the losses, bit for bit, and the checkpoint of a run that nobody stopped. At 1 and 2 ranks; the
# signal reaches all ranks (SIGUSR1 through mpirun) or one alone (SIGTERM).
set -u
program=$(realpath "$1")
. "$(dirname "$0")/common.bash"
make_job

for ranks in 1 2; do
    begin_training $ranks whole$ranks -o "$folder/whole$ranks"
    end_training || fail "the uninterrupted run at $ranks ranks"

    begin_training $ranks usr$ranks -o "$folder/usr$ranks"
    wait_for_step 10
    kill -USR1 "$job"
    end_training
    status=$?
    [ $status = 75 ] || fail "status $status after SIGUSR1, 75 expected"
    steps=$(($(losses usr$ranks | wc -l) - 1))
    [ "$steps" -lt 60 ] || fail "the run was not stopped: $steps steps"
    begin_training $ranks usr$ranks --resume="$folder/usr$ranks"
    end_training || fail "resuming after SIGUSR1 at step $steps"
    assert_same_run whole$ranks usr$ranks
done

begin_training 2 term -o "$folder/term"
wait_for_step 25
kill -TERM "$(ranks_of | tail -n 1)"
end_training
status=$?
[ $status = 75 ] || fail "status $status after SIGTERM to one rank, 75 expected"
begin_training 2 term --resume="$folder/term"
end_training || fail "resuming after SIGTERM"
assert_same_run whole2 term
echo "resumed runs are those that nobody stopped"
