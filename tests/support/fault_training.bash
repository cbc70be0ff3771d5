# For scripts in which a training meets a fault; source fault.bash first. Every rank looks at,
# measures and validates one scene of its own; all ranks crop from all training scenes.
train_scene=(a b c)
val_scene=(u v w)

make_training() {
  local scene
  for scene in "${train_scene[@]}" "${val_scene[@]}"; do
    "$make_scene" -o $scene.tif -l ${scene}_labels.tif --size 160x160 --classes 3 --bands 3 \
      --block 32 --offset "$(($(printf %d "'$scene") * 160)),0" >log 2>&1 || fail "make_scene"
  done
  printf 'scene,split\na,train\nb,train\nc,train\nu,val\nv,val\nw,val\n' >scenes.csv
  cat >job.yaml <<'YAML'
name: made
seed: 11
threads: 1
data:
  csv: {file: scenes.csv, images: "{scene}.tif", labels: "{scene}_labels.tif", split: split}
  classes: [{name: x, value: 1}, {name: y, value: 2}, {name: z, value: 3}]
model: {net: unet, width: 4, depth: 1}
train: {tile: 32, batch: 12, steps: 6, rate: 2e-3, validate_every: 2, loader_threads: 1}
YAML
}

# assert_same_run A B: the same losses, and every byte of what the checkpoints hold
assert_same_run() {
  cmp <(cut -d, -f1,4 "$1/metrics.csv") <(cut -d, -f1,4 "$2/metrics.csv") ||
    fail "losses of $1 and $2 differ"
  cmp "$1/last.h5" "$2/last.h5" && cmp "$1/best.h5" "$2/best.h5" ||
    fail "checkpoints of $1 and $2 differ"
}

# The training in run, from where it stands to its end.
resume() {
  if [ -e run/last.h5 ]; then works train job.yaml --resume=run; else works train job.yaml -o run; fi
}
