# What the resume tests share; sourced with $program set. Not a test.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail() {
    echo "FAILED: $*" >&2
    [ -f "$folder/log" ] && tail -n 20 "$folder/log" >&2
    exit 1
}

# A made scene, and a job small enough for seconds, long enough to be stopped in the middle.
make_job() {
    "$(dirname "$program")/make_scene" -o "$folder/scene.tif" -l "$folder/labels.tif" \
        --size 384x384 --classes 3 --bands 3 >"$folder/log" 2>&1 || fail "make_scene"
    cat >"$folder/job.yaml" <<YAML
name: resume
seed: 11
threads: 1
data:
  root: $folder
  train: {images: scene.tif, labels: labels.tif}
  blocks: {size: 128, guard: 0, val: 0.25}
  classes: [{name: a, value: 1}, {name: b, value: 2}, {name: c, value: 3}]
model: {net: unet, width: 8, depth: 2, dropout: 0.1}
train: {tile: 64, batch: 8, steps: 60, rate: 2e-3, warmup: 0.1, validate_every: 20, save_every: 7}
YAML
}

# train RANKS NAME [arguments]: in the background, its process number in $job.
begin_training() {
    local ranks=$1 name=$2
    shift 2
    "$here/../support/mpirun.sh" "$ranks" "$program" train "$@" "$folder/job.yaml" \
        >>"$folder/log" 2>&1 &
    job=$!
    metrics=$folder/$name/metrics.csv
}

# Steps in the metrics of the training in the background, 0 before there are any.
steps_done() {
    [ -f "$metrics" ] || { echo 0; return; }
    tail -n 1 "$metrics" | cut -d, -f1 | grep -E '^[0-9]+$' || echo 0
}

# Wait until step $1 is in the metrics; fails when the training ends before.
wait_for_step() {
    local until=$((SECONDS + 240))
    while [ "$(steps_done)" -lt "$1" ]; do
        kill -0 "$job" 2>/dev/null || fail "the training ended before step $1"
        [ "$SECONDS" -lt "$until" ] || fail "no step $1 after 240 s"
        sleep 0.02
    done
}

# Its exit status.
end_training() {
    wait "$job"
}

# The ranks of the training in the background.
ranks_of() {
    pgrep -P "$job"
}

# Steps and losses, all digits: not the speed, which no two runs share.
losses() {
    cut -d, -f1-5 "$folder/$1/metrics.csv" | awk -F, '$4 != ""'
}

# Losses, and every byte of what the last checkpoint holds.
assert_same_run() {
    [ "$(losses "$1" | wc -l)" = 61 ] || fail "$1 does not have 60 steps"
    cmp <(losses "$1") <(losses "$2") || fail "losses of $1 and $2 differ"
    cmp "$folder/$1/last.h5" "$folder/$2/last.h5" || fail "checkpoints of $1 and $2 differ"
}
