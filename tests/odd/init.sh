#!/usr/bin/env bash
# Training that starts from a file: of other bands and classes, on 2 ranks, killed and resumed without
# it; and what is wrong with the file is told in one line.
. "$(dirname "$0")/../support/program.bash"
. "$support/odd_training.bash"

classes='[{name: water, value: 1}, {name: forest, value: 2}, {name: grassland, value: 3},
    {name: cropland, value: 4}, {name: built-up, value: 5}, {name: bare, value: 6}]'
cat >job.yaml <<YAML
name: init
data:
  train: {images: scene.tif, labels: labels.tif}
  classes: $classes
model: {width: 4, depth: 2}
train: {tile: 64, batch: 2, steps: 2, rate: 1e-9, warmup: 0}
YAML
"$make_scene" -s 200x150 -b 4 -o scene.tif -l labels.tif

# begins WORDS KEY=VALUE...: trains to the end, and the log has a line with WORDS
begins() {
  local words=$1
  shift
  rm -rf run
  timeout -k 5 120 "$mpirun" 2 "$segtiles" train job.yaml --out run "$@" >model 2>log ||
    { cat log >&2; fail "status $?: $*"; }
  grep -qF -- "$words" log || { cat log >&2; fail "expected \"$words\": $*"; }
}

# refuses_early STATUS WORDS KEY=VALUE...: refuses, and before there is a run folder
refuses_early() {
  refuses "$@"
  [ ! -e "refused.$log" ] || fail "a run folder was made: $*"
}

# From three bands and three classes to four and six.
"$segtiles" train job.yaml --out first data.bands=[1,2,3] train.rate=1e-3 \
  'data.classes=[{name: forest, value: 2}, {name: water, value: 1}, {name: snow, value: 4}]' >/dev/null 2>log ||
  { cat log >&2; fail "the first training"; }
begins "53 parameters loaded, 3 adapted" model.init=first/last.h5
cp run/last.h5 six.h5
begins "adapted to the bands" model.init=first/last.h5 -v
grep -q "head.weight .*2 of 6 classes" log || { cat log; fail "classes by name"; }
begins "cyclic gives bands" model.init=first/last.h5 model.init_bands=cyclic
begins "53 parameters loaded, 3 adapted" model.init=first/last.h5 model.init_bands=match \
  'model.init_roles=[blue, green, red, mean]'
begins "2 adapted, 1 left" model.init=first/last.h5 model.init_bands=none
begins "55 parameters loaded, 1 adapted, 0 left" model.init=six.h5 model.init_bands=first data.bands=[1,2,3,4,1]
begins "56 parameters loaded, 0 adapted, 0 left" model.init=six.h5

# Weights that begin a training are those that it begins with: at a rate of next to nothing the
# convolutions stay what they were, to what f32 holds.
"$segtiles" export six.h5 --safetensors six.safetensors 2>log
begins "56 parameters loaded" model.init=six.safetensors
"$segtiles" export run/last.h5 --safetensors run.safetensors 2>log
python3 - <<'PYTHON' || fail "other weights"
import array, json
def read(path):
    data = open(path, "rb").read()
    end = 8 + int.from_bytes(data[:8], "little")
    for name, t in json.loads(data[8:end]).items():
        if name != "__metadata__" and "running" not in name:
            begin, last = t["data_offsets"]
            yield name, array.array("f", data[end + begin:end + last])
a, b = dict(read("six.safetensors")), dict(read("run.safetensors"))
assert a.keys() == b.keys() and len(a) > 20
assert all(abs(x - y) < 1e-7 for name in a for x, y in zip(a[name], b[name]))
PYTHON

# A run that goes on has its own weights, even where the file is gone.
rm six.safetensors
timeout -k 5 120 "$segtiles" train job.yaml --resume=run model.init=six.safetensors train.steps=3 >model 2>log ||
  { cat log >&2; fail "resuming without the file"; }
timeout -k 5 120 "$segtiles" train --resume=run >model 2>log || { cat log >&2; fail "resuming by the folder"; }

refuses_early 1 "absent.safetensors: cannot be read" model.init=absent.safetensors
refuses_early 1 "none of its 56 tensors is one of this network" model.init=six.h5 model.net=fcn32s model.depth=4 \
  model.width=8 train.tile=64
head -c 20000 six.h5 >cut.h5
refuses_early 1 "cut.h5" model.init=cut.h5
echo 'not a checkpoint' >text.h5
refuses_early 1 "text.h5" model.init=text.h5
echo pickled >resnet18.pth
refuses_early 1 "resnet18.pth: PyTorch's own files" model.init=resnet18.pth
printf '\377\377\377\377\377\377\377\377{}' >big.safetensors
refuses_early 1 "big.safetensors: a header of 18446744073709551615 bytes" model.init=big.safetensors
refuses_early 2 "model.init_roles" model.init=six.h5 model.init_bands=match
refuses_early 2 "model.init_roles" model.init=six.h5 'model.init_roles=[red]'
refuses_early 2 "2 roles for 4 bands" model.init=six.h5 model.init_bands=match 'model.init_roles=[red, green]'
refuses_early 2 "there is no model.init" model.init_bands=first
refuses_early 2 "allowed: auto, match, mean, first, cyclic, none" model.init=six.h5 model.init_bands=best
echo passed
