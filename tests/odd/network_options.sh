#!/usr/bin/env bash
# Networks with auxiliary heads, group norm, without padding, batch norm over groups of ranks: they train, go
# on where they were stopped, are mapped and exported; what does not go together is refused in one line.
. "$(dirname "$0")/../support/program.bash"
. "$support/odd_training.bash"
. "$support/training.bash"
make_job
short="train.steps=4 train.validate_every=2 train.save_every=2"

# Heads are in the checkpoint, and in nothing that is made of it.
trains aux $short model.aux=true train.aux_weight=0.3 "train.loss=[ce, dice]"
head -n 1 aux/metrics.csv | grep -q "loss_ce.*loss_dice.*loss_aux" || fail "no column of the heads' loss"
tr -d '"' <aux/metrics.csv | awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i }
  NR > 1 { sum = $at["loss_ce"] + $at["loss_dice"] + 0.3 * $at["loss_aux"]; d = sum - $at["loss"]
    if (d * d > 1e-12 * sum * sum) exit 1 }' || fail "the loss is not the sum of its terms"
"$segtiles" info aux/last.h5 >info
grep -q "of auxiliary heads, for training alone" info || fail "info does not tell of the heads"
predict 2 scene.tif -m aux/best.h5 -o aux.tif
"$segtiles" export aux/best.h5 --safetensors aux.safetensors --onnx aux.onnx >log 2>&1 || { cat log; fail "export"; }
grep -q "aux1.head" aux/last.h5 || fail "the checkpoint has no heads"
if grep -q "aux1" aux.safetensors aux.onnx; then fail "heads were exported"; fi

# Killed and taken up: the heads go on, too.
heads="model.aux=true train.steps=30 train.validate_every=8"
train 2 whole --out whole $heads
begin_training 2 killed --out killed $heads
wait_for_step 9
kill -KILL "$(ranks_of_training | head -n 1)"
end_training
[ $status != 0 ] || fail "a run with a killed rank ended well"
begin_training 2 killed --resume=killed # without the heads
end_training
grep -q "another network than the job asks for" log || { cat log; fail "a network without its heads went on"; }
train 2 killed --resume=killed $heads
assert_same_run whole killed 30

trains group $short model.norm=group model.groups=4 train.tile=64
predict 2 scene.tif -m group/best.h5 -o group.tif
grep -q "group norm" log || { cat log; fail "a map with group norm is not said to be blended"; }
gdalinfo group.tif >info
grep -q SEGTILES_BLEND info || fail "a map with group norm is not blended"

trains valid $short model.padding=valid model.aux=true train.tile=96
predict 2 scene.tif -m valid/best.h5 -o valid.tif
gdalinfo valid.tif >info
grep -q "Size is 384, 384" info || fail "size"
"$segtiles" evaluate valid.tif labels.tif >scores || fail "evaluate"

trains pairs $short train.sync_norm=2
trains node $short train.sync_norm=node
trains own $short train.sync_norm=false
cmp pairs/last.h5 node/last.h5 >/dev/null || true
cmp <(losses pairs) <(losses node) || fail "a node of two ranks is not a group of two"
if cmp -s <(losses pairs) <(losses own); then fail "statistics of groups are those of ranks"; fi

beside refuses 2 "train.sync_norm: \"1\" must be true (all ranks)" train.sync_norm=1
beside refuses 2 "train.sync_norm: \"all\" must be" train.sync_norm=all
beside refuses 2 "train.aux_weight: is of auxiliary heads, which model.aux: true asks for" train.aux_weight=0.5
beside refuses 2 "fcn8s has no auxiliary heads" model.net=fcn8s model.aux=true
beside refuses 2 "exclude each other" model.padding=valid model.norm=group
beside refuses 2 "are for unet, not for fcn" model.padding=valid model.net=fcn
beside refuses 2 "groups are for norm: group" model.groups=8
beside refuses 2 "model.norm" model.norm=layer
beside refuses 2 "32 leaves nothing beside margins of 20" model.padding=valid train.tile=32
joined
"$segtiles" info --net unet,valid=1 >info || fail "info"
grep -q "no result up to 96 pixels from a tile's sides" info || fail "info does not tell the margin"
"$segtiles" info --net unet,norm=group >info || fail "info"
grep -q "the whole input: tiles cannot be exact" info || fail "info does not tell that group norm is not exact"
echo passed
