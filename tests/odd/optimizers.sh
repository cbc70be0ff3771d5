#!/usr/bin/env bash
# Optimizers for large batches train; a training that gets no better ends, and stays ended.
. "$(dirname "$0")/../support/program.bash" "$1"
. "$support/training.bash"
make_job

# LARS and LAMB: the same losses on 1 and 2 ranks to what sums in another order may change, and less
# and less of it.
for rule in lars lamb; do
  rate=$([ $rule = lars ] && echo 0.5 || echo 0.01)
  for ranks in 1 2; do
    train $ranks run_$rule$ranks --out run_$rule$ranks train.optimizer=$rule train.rate_batch=4 train.rate=$rate \
      train.steps=30 train.trust=0.01 precision=f32 model.dropout=0
  done
  /usr/bin/python3 - <<PYTHON
import csv
one, two = ([float(row["loss"]) for row in csv.DictReader(open("run_%s%d/metrics.csv" % ("$rule", n))) if row["loss"]] for n in (1, 2))
assert len(one) == 30
assert abs(one[0] - two[0]) < 1e-5 * one[0] and abs(one[5] - two[5]) < 1e-3 * one[5], (one[:6], two[:6])
assert sum(one[-5:]) < .8 * sum(one[:5]), one
PYTHON
done

# With a rate of nearly nothing validations get no better before long: patience ends the training.
train 2 run_ended --out run_ended train.rate=1e-12 train.patience=2 train.validate_every=5 train.save_every=50 \
  train.steps=1000
best=$(sed -n 's/.*no better validation since step \([0-9]*\): training ends/\1/p' log)
[ -n "$best" ] || { cat log >&2; fail "patience"; }
[ "$(losses run_ended | wc -l)" = $((best + 10)) ] || fail "$(losses run_ended | wc -l) steps, the best at $best"
cp run_ended/metrics.csv before.csv
"$mpirun" 2 "$segtiles" train --resume=run_ended >log 2>&1 || { cat log >&2; fail "resuming an ended training"; }
cmp before.csv run_ended/metrics.csv || fail "an ended training went on"
