#!/usr/bin/env bash
# What the command line answers: exit statuses, one message naming what is wrong, on 1 and 2 ranks.
. "$(dirname "$0")/../support/program.bash"

# both ARGUMENTS...: on 1 rank without mpirun and, at the same time, on 2 ranks: $log.out.RANKS, $log.RANKS,
# $log.status.RANKS
both() {
  { timeout -k 5 60 "$mpirun" 2 "$segtiles" "$@" >"$log.out.2" 2>"$log.2" && echo 0 || echo $?; } >"$log.status.2" &
  { timeout -k 5 60 "$segtiles" "$@" >"$log.out.1" 2>"$log.1" && echo 0 || echo $?; } >"$log.status.1"
  wait $!
}

# says STATUS WORDS ARGUMENTS...: on 1 and 2 ranks; one line of ours says WORDS
says() {
  local status=$1 words=$2 ranks
  shift 2
  both "$@"
  for ranks in 1 2; do
    [ "$(cat "$log.status.$ranks")" = "$status" ] ||
      { cat "$log.$ranks" >&2; fail "expected status $status, got $(cat "$log.status.$ranks") on $ranks: $*"; }
    [ "$(grep -c '^segtiles: ' "$log.$ranks")" = 1 ] || { cat "$log.$ranks" >&2; fail "expected one message: $*"; }
    grep '^segtiles: ' "$log.$ranks" | grep -qF -- "$words" || { cat "$log.$ranks" >&2; fail "expected \"$words\": $*"; }
  done
}

# shows WORDS ARGUMENTS...: status 0, and standard output holds WORDS once, whatever the ranks
shows() {
  local words=$1
  shift
  both "$@"
  [ "$(cat "$log.status.1" "$log.status.2")" = "0
0" ] || fail "status $(cat "$log.status.1" "$log.status.2") of $*"
  grep -qF -- "$words" "$log.out.1" || fail "expected \"$words\" from $*"
  cmp "$log.out.1" "$log.out.2" || fail "2 ranks print other things for $*"
}

beside shows "usage: segtiles COMMAND" --help
beside shows "segtiles 0." --version
for command in train predict evaluate info bench; do
  beside shows "usage: segtiles $command" "$command" --help
done

beside says 2 "a command is missing"
beside says 2 'unknown command "trian"; did you mean "train"?' trian
beside says 2 'unknown command "xyzzy"; `segtiles --help`' xyzzy
beside says 2 "unknown option --dryrun; did you mean --dry-run?" train --dryrun
beside says 2 "a job file is missing" train
beside says 2 "a job file is missing" train --resume
beside says 2 '"second" is no key=value' train first.yaml second
beside says 2 "a mask or a job is missing" evaluate
beside says 2 "evaluate wants a mask and the truth" evaluate mask.tif
beside says 2 "with -m, evaluate wants a job file" evaluate -m model.h5 mask.tif truth.tif
beside says 2 "a file is missing" info
beside says 2 "one argument too many" info a b
beside says 1 "none.yaml" train none.yaml
beside says 1 "none.tif" info none.tif
beside says 1 "none.tif" evaluate none.tif other.tif
if [ ! -e /dev/nvidiactl ]; then
  beside says 1 'the device "cuda" is not' bench net --device cuda
fi
beside says 1 'tf32 is not offered by this device (cpu' bench net --device cpu --precision tf32
beside says 1 'tf32 is not offered by this device (reference' bench net --device reference --precision tf32

"$make_scene" --size 200x160 --bands 3 -o scene.tif -l labels.tif
cat >job.yaml <<'YAML'
name: cli
data:
  train: {images: scene.tif, labels: labels.tif}
  classes: [{name: water}, {name: forest}, {name: grassland}, {name: cropland}, {name: built-up}, {name: bare}]
model: {width: 4, depth: 1}
train: {tile: 32, batch: 2, steps: 2}
YAML
beside says 2 "command line: train.stepz: unknown key; did you mean steps?" train job.yaml train.stepz=3
beside says 2 "train.accumulate: 2 parts do not divide a batch of 3" train job.yaml train.accumulate=2 \
  train.batch=3
beside says 2 "train.tile: 33 is no multiple of the network's stride" train job.yaml train.tile=33
beside says 1 "band 4 does not exist" train job.yaml 'data.bands=[4]'
beside says 2 "data.train.images: no file matches" train job.yaml 'data.train.images=none/*.jp2'
beside says 1 "lab.tif" train job.yaml data.train.labels=lab.tif
beside says 2 "variable \$SEGTILES_TEST_UNSET" train job.yaml 'data.root=$SEGTILES_TEST_UNSET/x'
beside says 2 "--split best: expected one of: train val test" evaluate job.yaml --split best
joined
[ ! -e runs ] || fail "a refused training left a folder"

# A dry run checks all and leaves nothing.
"$segtiles" train job.yaml --dry-run 2>log || fail "dry run"
grep -q "forest" log || fail "the dry run does not print class frequencies"
[ ! -e runs ] || fail "a dry run left a folder"
"$segtiles" train -q job.yaml --out there 2>log >model || fail "train"
! grep -v '^warning: ' log || fail "--quiet is not quiet"
[ "$(cat model)" = there/last.h5 ] || fail "train does not print its checkpoint"
beside says 2 "there holds a training already" train job.yaml --out there
beside says 2 "no folder runs/cli-n here" train job.yaml --resume
"$segtiles" info there/last.h5 | grep -q "trained    2 steps" || fail "info of a checkpoint"
"$segtiles" info --json there/last.h5 | grep -q '"step": 2' || fail "info --json of a checkpoint"
"$segtiles" info labels.tif | grep -q "cropland" || fail "info of a mask"
"$segtiles" info --stats scene.tif | grep -q "deviation" || fail "info of a scene"
cp there/last.h5 damaged.h5
printf 'damage' | dd of=damaged.h5 bs=1 seek=3000 conv=notrunc status=none
beside says 1 "damaged.h5" info damaged.h5
beside says 1 "damaged.h5" predict -m damaged.h5 scene.tif
beside says 2 "are not the classes of there/last.h5" evaluate -m there/last.h5 job.yaml --split train \
  'data.classes=[{name: a}]'
joined
echo "passed"
