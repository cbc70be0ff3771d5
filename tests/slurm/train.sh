#!/usr/bin/env bash
# train.sh on two nodes, by srun and by mpirun: told that its time is nearly up it saves, goes back into
# the queue and goes on to the end, by itself; so it does when it is requeued from outside. scancel ends
# it for good, saved. Without a job it trains the demo.
. "$(dirname "$0")/cluster.bash" "$1"
. "$(dirname "$0")/training.bash"
start_cluster

# tell WHAT: what the log says of the stop
tell() {
  echo "$SEGTILES_LAUNCHER, $1: $(grep -h 'stopped by a signal' "$work/${id}_"*.log | head -n 1)"
}

for SEGTILES_LAUNCHER in srun mpirun; do
  export SEGTILES_LAUNCHER
  begin_job "$scripts/train.sh" job.yaml
  scancel --batch --signal=USR1 "$id" # as Slurm does when the time is nearly up
  end_soon
  said "stopped by a signal at step" || fail "it was not stopped"
  said "goes back into the queue" || fail "it was not requeued by itself"
  assert_complete
  tell "its time up"

  begin_job "$scripts/train.sh" job.yaml
  scontrol requeue "$id"
  end_soon
  said "stopped by a signal at step" || fail "nothing was saved when it was requeued"
  assert_complete
  tell requeued
  [ $SEGTILES_LAUNCHER = srun ] || continue

  begin_job "$scripts/train.sh" job.yaml
  scancel "$id"
  ended CANCELLED
  ! has_restarted || fail "a cancelled job came back"
  said "stopped by a signal at step" || fail "nothing was saved when it was cancelled"
  tell cancelled
done

# Slurm itself, which looks every half minute whose time is up.
begin_job --time=1 --signal=B:USR1@50 "$scripts/train.sh" job.yaml
await 60 "the signal" has_restarted
end_soon
assert_complete
tell "time limit"

export SEGTILES_LAUNCHER= DEMO=$work/demo
submit --ntasks=2 "$scripts/train.sh" train.steps=2 threads=1 precision=f32
ended COMPLETED
[ -e "runs/slurm-$id/best.h5" ] || fail "the demo was not trained"
echo "stopped, requeued and cancelled trainings do what they should"
