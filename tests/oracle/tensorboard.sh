#!/usr/bin/env bash
# TensorBoard's own reader finds in a run's event files what metrics.csv holds, and pictures of validation tiles, also
# of a run that was stopped, trained on past its last checkpoint and resumed. TensorBoard is installed once, into the build folder.
. "$(dirname "$0")/../support/program.bash" "$1"
judge=$(cd "$(dirname "$0")" && pwd)/tensorboard_reads.py
. "$support/training.bash"
home=$(dirname "$segtiles")/tests/tensorboard
python=python3
if ! python3 -c 'import tensorboard' 2>/dev/null; then
  python=$home/bin/python
  if ! "$python" -c 'import tensorboard' 2>/dev/null; then
    { python3 -m venv "$home" && timeout 240 "$home/bin/pip" install -q --disable-pip-version-check tensorboard; } >pip_log 2>&1 ||
      skip "tensorboard is not installed, and pip cannot: $(tail -n 1 pip_log)"
  fi
fi
make_job
options="train.tensorboard=true train.steps=30 train.validate_every=10 train.average=0"
train 2 run -o run $options
"$python" "$judge" run 1 || fail "of a run"
if /usr/bin/python3 -c 'import numpy, osgeo.gdal' 2>/dev/null; then
  /usr/bin/python3 "${judge%_reads.py}_pictures.py" run || fail "pictures of a run"
fi

# Stopped, with rows behind the last checkpoint: killed.
begin_training 2 again -o again $options
wait_for_step 12
kill -KILL $(ranks_of_training) 2>/dev/null || true
wait "$job" 2>/dev/null || true
train 2 again --resume=again $options
"$python" "$judge" again 2 || fail "of a resumed run"
cmp <(losses run) <(losses again) || fail "the resumed run is another"

train 1 without -o without train.steps=2
[ -z "$(ls without | grep tfevents)" ] || fail "event files that nobody asked for"
echo passed
