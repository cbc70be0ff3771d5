#!/usr/bin/env bash
# ONNX Runtime computes from an exported file what segtiles computes, for every network, and finds in
# it what Deepness looks for.
. "$(dirname "$0")/../support/program.bash" "$1"
oracle=$support/../oracle
. "$oracle/support/find_peers.bash"
dump_model=$(dirname "$make_model")/dump_model

# network, as sg_model_parse reads it; n height width; forms: also raw pixels and tiles of one size
count=0
while read -r network n height width forms; do
  folder=$((++count)).$network
  mkdir "$folder"
  "$make_model" --net "$network" --gsd 2.5 model.h5
  "$dump_model" model.h5 "$n" "$height" "$width" "$folder/run"
  "$segtiles" export model.h5 --onnx "$folder/model.onnx" --logits 2>log || { cat log; fail "$network"; }
  [ -n "$forms" ] || continue
  "$segtiles" export model.h5 --onnx "$folder/tile.onnx" --tile "$height" 2>log || { cat log; fail "$network"; }
  "$segtiles" export model.h5 --onnx "$folder/raw.onnx" --raw 2>log || { cat log; fail "$network"; }
done <<'NETWORKS'
unet,depth=2,width=8,bands=4,classes=3 2 32 48
unet,depth=3,width=8,up=bilinear,bands=1 2 64 64
unet,depth=2,width=8,separable=1,up=bilinear,dropout=0.3 2 40 40 forms
unet,depth=3,width=4,valid=1,aux=1 2 104 104 forms
unet,depth=2,width=24,norm=group,groups=8 2 48 48 forms
unet,encoder=resnet18,width=8,bands=5 2 64 96
unet,encoder=resnet50,width=4,up=bilinear 1 64 64
deeplabv3,encoder=resnet18,width=16,bands=4,classes=5 2 96 64
deeplabv3+,encoder=resnet34,width=16,output_stride=8,rates=2:3:5,pool=64 2 64 64
deeplabv3+,encoder=resnet50,width=8,pool=-1 2 64 64
deeplabv3+,encoder=resnet101,width=8,pool=32 2 64 48
pspnet,encoder=resnet18,width=16,pool=48 1 96 48
fcn,encoder=resnet18,width=16,norm=group,aux=1 2 64 64
fcn8s,width=16,classes=3 2 64 64 forms
fcn16s,width=16 2 64 64
fcn32s,width=16 1 64 96
NETWORKS
"$peers" "$oracle/onnx_runtime.py" [0-9]*

# Refused: a tile that the network does not take, statistics that a file cannot know.
refused_export() {
  local words=$1 got=0
  shift
  "$segtiles" export "$@" >/dev/null 2>log || got=$?
  [ "$got" != 0 ] || fail "export $* was not refused"
  grep '^segtiles: ' log | grep -qF -- "$words" || { cat log; fail "expected \"$words\": $*"; }
  [ ! -e no.onnx ] || fail "a file was left behind: $*"
}
"$make_model" --net unet,depth=4,width=4 model.h5
"$make_model" --net unet,depth=2,width=4 --normalize scene scene.h5
refused_export "multiples of 16" model.h5 --onnx no.onnx --tile 100
refused_export "normalize: scene" scene.h5 --onnx no.onnx --raw
refused_export "absent/no.onnx: cannot be written" model.h5 --onnx absent/no.onnx
refused_export "what is to be written" model.h5
refused_export "--onnx FILE" model.h5 --safetensors x --tile 64
refused_export "the same file" model.h5 --onnx no.onnx --safetensors no.onnx
refused_export "absent.h5" absent.h5 --onnx no.onnx
echo passed
