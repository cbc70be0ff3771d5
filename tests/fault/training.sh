#!/usr/bin/env bash
# What goes wrong during a training ends it on all ranks, within seconds, with one message that
# names the file or the step; the last good checkpoint stays.
. "$(dirname "$0")/../support/program.bash" "$1"
. "$support/training.bash"
make_job

# ended WORDS: status 1 and one message with WORDS
ended() {
  [ $status = 1 ] || { cat log >&2; fail "status $status, 1 expected: $1"; }
  [ "$(grep -c '^segtiles: ' log)" = 1 ] || { cat log >&2; fail "expected one message: $1"; }
  grep '^segtiles: ' log | grep -q -- "$1" || { cat log >&2; fail "expected \"$1\""; }
}

# The folder vanishes: rank 0 alone fails to save.
begin_training 3 gone -o gone train.batch=9
wait_for_step 8
mv gone moved
SECONDS=0
end_training
ended "gone/.*h5: cannot create"
[ $SECONDS -lt 60 ] || fail "$SECONDS s to the end"

# A loss beyond all numbers, after a good checkpoint.
diverge="train.optimizer=sgd train.rate=100 train.decay=1 train.schedule=constant train.save_every=1"
begin_training 2 wild -o wild $diverge
end_training
ended "loss is not finite at step [0-9]*"
step=$(sed -n 's/.*not finite at step \([0-9]*\).*/\1/p' log)
[ "$(steps_done)" = $((step - 1)) ] || fail "metrics end at step $(steps_done)"
[ "$step" -gt 3 ] || fail "the loss was not finite from the start"
begin_training 2 wild --resume=wild $diverge
end_training
ended "loss is not finite at step $step" # the checkpoint is intact, and the way to it the same

# A damaged checkpoint is refused before anything is overwritten.
train 1 good -o good train.steps=3
cp good/last.h5 before.h5
printf 'x' | dd of=good/last.h5 bs=1 seek=3000 conv=notrunc 2>/dev/null
cp good/last.h5 damaged.h5
begin_training 2 good --resume=good train.steps=6
end_training
ended "good/last.h5"
cmp good/last.h5 damaged.h5 || fail "a checkpoint that could not be read was overwritten"

# A checkpoint of another network.
cp before.h5 good/last.h5
begin_training 2 good --resume=good train.steps=6 model.width=12
end_training
[ $status = 2 ] || fail "status $status for a checkpoint of another network, 2 expected"
echo "failures end the training on all ranks with one message"
