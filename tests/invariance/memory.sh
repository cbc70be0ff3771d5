#!/usr/bin/env bash
# A rank's peak memory does not grow with the scene: 20 000 x 20 000 pixels against 4 000 x 4 000,
# with a network so small that reading and writing are most of the work.
. "$(dirname "$0")/../support/program.bash" "$1"

"$make_model" model.h5 --bands 2 --classes 3 --depth 1 --width 2
for side in 4000 20000; do
  "$make_scene" -o scene.tif -s ${side}x$side -b 2 -t Byte
  /usr/bin/python3 - "$segtiles" <<'PYTHON' >"peak_$side"
import resource, subprocess, sys
subprocess.run([sys.argv[1], "predict", "scene.tif", "-m", "model.h5", "-q", "--precision", "f32"],
               check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
PYTHON
  echo "$side x $side pixels: $(($(cat peak_$side) / 1024)) MiB"
  rm scene.tif
done
small=$(cat peak_4000) large=$(cat peak_20000)
[ $((large * 10)) -lt $((small * 11)) ] || fail "peak memory grew from $small to $large KiB"
