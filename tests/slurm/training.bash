# For scripts in which a training runs on the cluster: source cluster.bash first. Ranks compute with one
# thread: there are more of them than cores.
. "$support/training.bash"

# A training without end: steps of a few milliseconds, in last.h5 every 20.
make_endless_job() {
  make_job
  sed -i 's/^model:.*/model: {net: unet, width: 4, depth: 1}/
    s/^train:.*/train: {tile: 32, batch: 8, schedule: constant, warmup: 0, save_every: 20,/' job.yaml
  cp job.yaml endless.yaml
  echo '  steps: 1000000, validate_every: 1000000}' >>job.yaml
}

# Once it is back in the queue it is given an end, 30 steps after its metrics, and runs at once.
end_soon() {
  await 30 "job $id in the queue" is_pending
  last=$(($(steps_done) + 30))
  { cat endless.yaml; echo "  steps: $last, validate_every: 1000000}"; } >new.yaml
  mv new.yaml job.yaml
  hurry
  ended COMPLETED
}

# begin_job ARGUMENTS OF SBATCH...: a job of a rank on each of two nodes, in its 40th step
begin_job() {
  make_endless_job
  submit --nodes=2 --ntasks-per-node=1 --cpus-per-task=1 "$@"
  folder=runs/slurm-$id
  metrics=$folder/metrics.csv
  await 60 "step 40" reaches_step 40
}

reaches_step() {
  [ "$(steps_done)" -ge "$1" ]
}

has_restarted() {
  [ "$(scontrol -o show job "$id" | sed 's/.* Restarts=\([0-9]*\).*/\1/')" -ge 1 ]
}

# said WORDS: in the log of the job
said() {
  grep -q -- "$1" "$work/${id}_4294967294.log"
}

# Every step stands in the metrics once, to the last.
assert_complete() {
  cmp <(losses "$folder" | cut -d, -f1) <(seq "$last") || fail "steps are missing or stand twice"
  [ -z "$(find runs -name '*.tmp.*')" ] || fail "temporary files stay"
}
