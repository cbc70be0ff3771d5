#!/usr/bin/env bash
# Training from staged copies is training from the scenes; copies are made once.
. "$(dirname "$0")/../support/program.bash" "$1"
. "$support/training.bash"
make_job
train 2 run_plain --out run_plain train.steps=10 train.validate_every=5
train 2 run_staged --out run_staged train.steps=10 train.validate_every=5 data.stage=local
grep -q "1 scenes staged in local: [1-9]" log || { cat log >&2; fail "nothing was staged"; }
cmp <(losses run_plain) <(losses run_staged) || fail "losses"
cmp <(validations run_plain) <(validations run_staged) || fail "validations"
[ "$(validations run_plain | wc -l)" = 2 ] || fail "no validations"
copies=$(ls local)
[ "$(echo "$copies" | wc -l)" = 2 ] || { ls local >&2; fail "what is in the folder"; }

# The checkpoint says how the scenes are read, not the copies: it goes on without them, and maps.
export LOCAL_DISK=$PWD/local
train 1 run_again --out run_again train.steps=10 train.validate_every=5 'data.stage=$LOCAL_DISK'
grep -q "staged in $PWD/local: 0\.0 MB" log || { cat log >&2; fail "copies are made again"; }
[ "$(ls local)" = "$copies" ] || fail "other copies"
predict 1 scene.tif -m run_staged/last.h5 -o staged_mask.tif
predict 1 scene.tif -m run_plain/last.h5 -o plain_mask.tif
/usr/bin/python3 -c 'from osgeo import gdal
a, b = (gdal.Open(f + "_mask.tif").ReadAsArray() for f in ("staged", "plain"))
assert (a == b).all()' || fail "masks"

# What cannot be staged ends all ranks with one line.
for wrong in 'data.stage=$NO_SUCH_VARIABLE' data.stage=scene.tif; do
  status=0
  "$mpirun" 2 "$segtiles" train job.yaml --out no train.steps=2 "$wrong" >log 2>&1 || status=$?
  [ $status = 1 ] || [ $status = 2 ] || { cat log >&2; fail "status $status: $wrong"; }
  [ "$(grep -c '^segtiles: ' log)" = 1 ] || { cat log >&2; fail "one line: $wrong"; }
done
