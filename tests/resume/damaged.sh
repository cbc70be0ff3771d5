#!/usr/bin/env bash
# A checkpoint that is cut off, damaged anywhere or gone: the one before it is used, with one warning,
# and the run becomes the one that nothing happened to. The damaged one never takes the place of the
# good one. Where both are damaged the run ends with one message, and nothing is overwritten.
. "$(dirname "$0")/../support/program.bash" "$1"
. "$support/training.bash"
make_job
short="train.steps=20 train.schedule=constant train.warmup=0 train.validate_every=5 train.save_every=5"
train 2 whole -o whole $short
train 2 start -o start $short train.steps=15
[ -e start/previous.h5 ] || fail "no former checkpoint was kept"
! cmp -s start/last.h5 start/previous.h5 || fail "the former checkpoint is the last one"
size=$(stat -c %s start/last.h5)

# flip BYTE FILE: change one byte of it
flip() {
  local byte
  byte=$(od -An -tu1 -j "$1" -N 1 "$2")
  printf "\\$(printf %o $((byte ^ 255)))" | dd of="$2" bs=1 seek="$1" conv=notrunc 2>/dev/null
}

# Stopped before anything was saved: the damaged file is no better than before, the good one stays.
cp -r start run
truncate -s $((size / 2)) run/last.h5
status=0
LD_PRELOAD="$(dirname "$segtiles")/tests/fault_preload.so${LD_PRELOAD:+:$LD_PRELOAD}" FAULT_RANK=0 \
  FAULT_CALL=rename FAULT_FILE=last.h5 FAULT_ERROR=28 FAULT_MARK=mark \
  timeout 60 "$mpirun" 1 "$segtiles" train job.yaml --resume=run $short -q >log 2>&1 || status=$?
[ $status = 1 ] && [ -e mark ] || { cat log >&2; fail "status $status when saving fails"; }
cmp start/previous.h5 run/previous.h5 || fail "the good checkpoint changed"

for damage in "truncate -s 0" "truncate -s $((size - 1))" "rm" "flip 9" "flip $((2 * size / 3))"; do
  rm -rf run
  cp -r start run
  $damage run/last.h5
  train 2 run --resume=run $short
  [ "$(grep -c 'going on from run/previous.h5, at step 10' log)" = 1 ] ||
    { cat log >&2; fail "no warning: $damage"; }
  cmp <(losses whole) <(losses run) && cmp whole/last.h5 run/last.h5 &&
    cmp whole/best.h5 run/best.h5 || fail "another run: $damage"
done

# Any byte, wherever it lies: what is read is either refused or the same. (HDF5 leaves gaps in its files, which
# nobody reads: a byte changed there goes unseen, and the run must become the same all the same.)
RANDOM=${SEED:=$$}
echo "SEED=$SEED"
for i in 1 2 3; do
  rm -rf run
  cp -r start run
  at=$(((RANDOM * 32768 + RANDOM) % size))
  flip $at run/last.h5
  train 2 run --resume=run $short
  cmp <(losses whole) <(losses run) && cmp whole/last.h5 run/last.h5 &&
    cmp whole/best.h5 run/best.h5 || fail "byte $at is read, and changes the run"
done

rm -rf run
cp -r start run
truncate -s 100 run/last.h5
truncate -s 100 run/previous.h5
cp -r run before
status=0
"$mpirun" 2 "$segtiles" train job.yaml --resume=run $short -q >log 2>&1 || status=$?
[ $status = 1 ] || fail "status $status for two damaged checkpoints"
[ "$(grep -c '^segtiles: .*run/last.h5' log)" = 1 ] || { cat log >&2; fail "one message"; }
diff -r before run || fail "something was overwritten"
echo "damaged checkpoints: the one before is used, or one message"
