#!/usr/bin/env bash
# Encoders' weights as PyTorch writes them are read into a network, which then computes what PyTorch
# computes; what is exported of it PyTorch loads, strictly.
. "$(dirname "$0")/../support/program.bash" "$1"
oracle=$support/../oracle
. "$oracle/support/find_peers.bash"
torch=${PYTHON:-/usr/bin/python3}
"$torch" -c 'import torch' 2>/dev/null || skip "$torch has no torch (Debian: python3-torch)"
site=$("$peers" -c 'import safetensors, os; print(os.path.dirname(os.path.dirname(safetensors.__file__)))')
dump_model=$(dirname "$make_model")/dump_model

while read -r kind network; do
  "$torch" "$oracle/weights_torch.py" "$site" write "$kind" "$kind.safetensors"
  "$make_model" --net "$network" --init "$kind.safetensors" model.h5 2>log || { cat log; fail "init from $kind"; }
  grep -q "parameters loaded, 0 adapted" log || { cat log; fail "$kind: what was loaded"; }
  "$segtiles" export model.h5 --safetensors exported.safetensors 2>log || { cat log; fail "export"; }
  "$dump_model" model.h5 2 64 96 run
  "$torch" "$oracle/weights_torch.py" "$site" check "$network,bands=3,classes=4" "$kind" \
    "$kind.safetensors" exported.safetensors run || fail "$kind in $network"
  "$make_model" --net "$network" --seed 5 --init exported.safetensors again.h5 2>log # and back again
  "$segtiles" export again.h5 --safetensors again.safetensors 2>log
  cmp exported.safetensors again.safetensors || fail "$network does not come back from its own export"
  rm ./*.safetensors
done <<'KINDS'
resnet18 unet,encoder=resnet18,width=4
resnet50 fcn,encoder=resnet50,width=8
vgg16_bn fcn8s,width=16
vgg16 fcn16s,width=16
KINDS

# A file of another network is refused by a tensor's name; a cut one, by its own.
"$torch" "$oracle/weights_torch.py" "$site" write resnet50 resnet50.safetensors
if "$make_model" --net unet,encoder=resnet18 --init resnet50.safetensors no.h5 2>log; then fail "not refused"; fi
grep -q "resnet50.safetensors: tensor 'layer1.0.*model.encoder" log || { cat log; fail "message"; }
head -c 1000000 resnet50.safetensors >cut.safetensors
if "$make_model" --net unet,encoder=resnet50 --init cut.safetensors no.h5 2>log; then fail "not refused"; fi
grep -q "cut.safetensors: .*outside of the file" log || { cat log; fail "message"; }
[ ! -e no.h5 ] || fail "a model was left behind"
echo passed
