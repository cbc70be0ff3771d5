#!/usr/bin/env bash
# predict --batch auto takes as many tiles at once as --max-mem allows, keeps that amount, and the mask stays the
# same to the byte.
. "$(dirname "$0")/../support/program.bash" "$1"

# chosen MIB: the batch, with the mask in mask_MIB.tif
chosen() {
  /usr/bin/python3 - "$segtiles" "$1" <<'PYTHON' >log 2>&1 || { cat log >&2; fail "$1 MiB"; }
import resource, subprocess, sys
status = subprocess.run([sys.argv[1], "-v", "predict", "-m", "model.h5", "--device", "cpu", "--threads", "1", "--tile", "128",
                         "--batch", "auto", "--max-mem", sys.argv[2] + "M", "-o", f"mask_{sys.argv[2]}.tif",
                         "scene.tif"]).returncode
print("peak", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
sys.exit(status)
PYTHON
  [ "$(sed -n 's/^peak //p' log)" -le "$1" ] || { cat log >&2; fail "more than $1 MiB were taken"; }
  sed -n 's/.*, batch \([0-9]*\):.*/\1/p' log | head -n 1
}

"$make_scene" -o scene.tif -s 1000x900 -b 3 -t Byte >log 2>&1 || fail "make_scene"
"$make_model" model.h5 --bands 3 --classes 3 --depth 2 --width 16
predict 1 -m model.h5 --device cpu --threads 1 -o usual.tif scene.tif
before=0
for mib in 250 400 900; do
  batch=$(chosen "$mib")
  echo "$mib MiB: batch $batch"
  [ "${batch:-0}" -gt "$before" ] || { cat log >&2; fail "$mib MiB: batch ${batch:-none}, with less memory $before"; }
  before=$batch
  cmp usual.tif "mask_$mib.tif" || fail "the batch shows in the mask"
done
refused 2 "batch many: expected a number from 0 to 4096, or auto" 1 scene.tif -m model.h5 --batch many
refused 2 "batch -1: expected" 1 scene.tif -m model.h5 --batch=-1
