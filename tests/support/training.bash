# For scripts that train: source program.bash first. Works in its folder.
here=$PWD

# A made scene, and a job small enough for seconds, long enough to be stopped in the middle.
make_job() {
  "$make_scene" -o scene.tif -l labels.tif --size 384x384 --classes 3 --bands 3 >log 2>&1 ||
    fail "make_scene"
  cat >job.yaml <<YAML
name: made
seed: 11
threads: 1
data:
  root: $here
  train: {images: scene.tif, labels: labels.tif}
  blocks: {size: 128, guard: 0, val: 0.25}
  classes: [{name: a, value: 1}, {name: b, value: 2}, {name: c, value: 3}]
model: {net: unet, width: 8, depth: 2, dropout: 0.1}
train: {tile: 64, batch: 8, steps: 60, rate: 2e-3, warmup: 0.1, validate_every: 20, save_every: 7}
YAML
}

# begin_training RANKS FOLDER ARGUMENTS...: in the background, its process number in $job. No new
# run where the arguments say --resume.
begin_training() {
  local ranks=$1 folder=$2
  shift 2
  "$mpirun" "$ranks" "$segtiles" train job.yaml "$@" >log 2>&1 &
  job=$!
  metrics=$folder/metrics.csv
}

# Its exit status, in $status.
end_training() {
  status=0
  wait "$job" || status=$?
}

# train RANKS FOLDER ARGUMENTS...: to a good end.
train() {
  local ranks=$1 folder=$2
  shift 2
  begin_training "$ranks" "$folder" "$@"
  end_training
  [ $status = 0 ] || {
    cat log >&2
    fail "status $status of training in $folder on $ranks ranks: $*"
  }
}

# Steps in the metrics of the training in the background, 0 before there are any.
steps_done() {
  local last=
  [ ! -f "$metrics" ] || last=$(tail -n 1 "$metrics" | cut -d, -f1)
  case $last in '' | *[!0-9]*) echo 0 ;; *) echo "$last" ;; esac
}

# Wait until step $1 is in the metrics; fails when the training ends before.
wait_for_step() {
  local until=$((SECONDS + 240))
  while [ "$(steps_done)" -lt "$1" ]; do
    kill -0 "$job" 2>/dev/null || {
      cat log >&2
      fail "the training ended before step $1"
    }
    [ "$SECONDS" -lt "$until" ] || fail "no step $1 after 240 s"
    sleep 0.02
  done
}

# The process numbers of the ranks of the training in the background.
ranks_of_training() {
  pgrep -P "$job"
}

# Step and loss, with all digits, of each step in FOLDER.
losses() {
  cut -d, -f1,4 "$1/metrics.csv" | awk -F, 'NR > 1 && $2 != ""'
}

# Step and validation scores of each validation in FOLDER.
validations() {
  cut -d, -f1,7- "$1/metrics.csv" | awk -F, 'NR > 1 && $2 != ""'
}

# assert_same_run A B STEPS: the same losses and scores, and every byte of what the last checkpoints
# hold.
assert_same_run() {
  [ "$(losses "$1" | wc -l)" = "$3" ] || fail "$1 does not have $3 steps"
  cmp <(losses "$1") <(losses "$2") || fail "losses of $1 and $2 differ"
  [ "$(validations "$1" | wc -l)" -gt 2 ] || fail "$1 was not validated"
  cmp <(validations "$1") <(validations "$2") || fail "validations of $1 and $2 differ"
  cmp "$1/best.h5" "$2/best.h5" || fail "best checkpoints of $1 and $2 differ"
  cmp "$1/last.h5" "$2/last.h5" || fail "checkpoints of $1 and $2 differ"
}
