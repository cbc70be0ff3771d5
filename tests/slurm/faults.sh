#!/usr/bin/env bash
# A rank that is killed ends its job within seconds, with a message, and leaves nothing behind. A node
# that is cut off takes its ranks along; the job is put back into the queue and goes on from the last
# checkpoint, saved by the way.
. "$(dirname "$0")/cluster.bash" "$1"
. "$(dirname "$0")/training.bash"
start_cluster

for SEGTILES_LAUNCHER in srun mpirun; do
  export SEGTILES_LAUNCHER
  begin_job "$scripts/train.sh" job.yaml
  SECONDS=0
  kill -KILL "$(pgrep -f "^$segtiles " | tail -n 1)"
  ended FAILED
  [ $SECONDS -lt 30 ] || fail "$SECONDS s to the end of a job with a killed rank"
  said "job $id ended with status" && said 'Killed\|signal 9' || fail "no message of a killed rank"
  ! has_restarted || fail "a job with a killed rank came back by itself"
  [ -e "$folder/last.h5" ] || fail "no checkpoint stays"
  echo "$SEGTILES_LAUNCHER: a rank was killed, the job over after $SECONDS s"
done

node_is_lost() {
  [ -n "$(sinfo -h -n n2 -t down -o %D)" ]
}

export SEGTILES_LAUNCHER=srun
begin_job "$scripts/train.sh" job.yaml
ip link set vn2 down
await 60 "the loss of n2" node_is_lost
await 30 "the queue" is_pending
[ -e "$folder/last.h5" ] || fail "nothing was saved by the way"
reached=$(steps_done)
ip link set vn2 up
scontrol update NodeName=n2 State=RESUME
await 60 "the end of the ranks on n2" no_process_left
end_soon
! said "stopped by a signal" || fail "the job was told to stop; it should have lost its node"
assert_complete
echo "a node was cut off at step $reached: the job went on to $last"
