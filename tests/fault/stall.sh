#!/usr/bin/env bash
# A training that stands still is told of on every rank, with what each was doing; it ends, where that
# is asked for, within seconds and with its last checkpoint; else it goes on when the rank that held it
# back does.
. "$(dirname "$0")/../support/program.bash" "$1"
. "$support/training.bash"
end_at_once
make_job
long="train.stall=3"

# The last rank is stopped, as a node that swaps or a file system that hangs would.
begin_training 2 run -o run $long
wait_for_step 10
SECONDS=0
held=$(ranks_of_training | tail -n 1)
kill -STOP "$held"
until grep -q "rank 0: no progress" log; do
  [ $SECONDS -lt 60 ] || fail "rank 0 says nothing"
  sleep 0.1
done
kill -CONT "$held"
end_training
[ $status = 0 ] || { cat log >&2; fail "status $status after a pause"; }
grep -q "rank 0: no progress for [0-9]* s after step [0-9]*: this rank is waiting for sums of" log ||
  { cat log >&2; fail "rank 0 says nothing"; }
[ "$(losses run | wc -l)" = 60 ] || fail "steps are missing"

begin_training 2 ends -o ends $long train.stall_ends=true train.steps=100000
wait_for_step 10
kill -STOP "$(ranks_of_training | tail -n 1)"
SECONDS=0
end_training
[ $status = 1 ] || { cat log >&2; fail "status $status, 1 expected"; }
[ $SECONDS -lt 30 ] || fail "$SECONDS s to the end"
grep -q "training stands still for [0-9]* s; the job is ended" log || { cat log >&2; fail "no message"; }
[ -e ends/last.h5 ] || fail "no checkpoint stays"
! pgrep -f "$segtiles train job.yaml -o ends" >/dev/null || fail "ranks are left"
echo "a standstill is told of, and ended where that is asked for"
