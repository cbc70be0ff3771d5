#!/usr/bin/env bash
# A rank slowed to a quarter (stopped three quarters of the time) does accordingly fewer chunks than the
# others, which do the rest: nobody waits for it. All of it takes at most a quarter longer than the ideal, the
# chunks of all over the sum of the ranks' speeds; equal shares would not.
. "$(dirname "$0")/../support/program.bash" "$1"
"$make_scene" -o scene.tif -s 4000x3000 -b 3 -t Byte >log 2>&1
"$make_model" model.h5 --bands 3 --depth 3 --width 16
slow=2

# The process of the slow rank, once it is at work.
find_slow() {
  for process in $(pgrep -x segtiles); do
    [ "$(readlink "/proc/$process/cwd" || true)" = "$work" ] || continue
    if tr '\0' '\n' <"/proc/$process/environ" | grep -qx "OMPI_COMM_WORLD_RANK=$slow"; then
      echo "$process"
      return
    fi
  done
}

"$mpirun" 4 "$segtiles" predict scene.tif -m model.h5 -o mask.tif --chunk 256 --tile 256 --batch 1 \
  --progress json >out.json 2>log &
job=$!
until [ "$(find mask.tif.parts -name '*.spool' 2>/dev/null | wc -l)" = 4 ]; do sleep 0.02; done
process=$(find_slow)
[ -n "$process" ] || fail "no rank to slow down"
while [ -d "/proc/$process" ] && [ -e mask.tif.parts ]; do
  kill -STOP "$process" 2>/dev/null || break
  sleep 0.15
  kill -CONT "$process" 2>/dev/null || break
  sleep 0.05
done
wait $job || { cat log >&2; fail "predict"; }

/usr/bin/python3 - $slow <<'PYTHON' || fail "the slow rank did not do fewer chunks"
import json, sys
slow = int(sys.argv[1])
summary = json.loads(open("out.json").readlines()[-1])
chunks = [rank["chunks"] for rank in summary["ranks"]]
seconds = [rank["seconds"] for rank in summary["ranks"]]
print("chunks of the ranks:", chunks, "seconds:", seconds)
others = [n for rank, n in enumerate(chunks) if rank != slow]
assert sum(chunks) == summary["chunks"]
# A quarter is meant; two cores for four ranks, which share what it leaves, and its first chunks, blur it.
assert chunks[slow] <= 0.5 * sum(others) / 3, chunks
assert min(others) >= 0.5 * max(others), chunks
assert max(seconds) <= 1.25 * min(seconds), seconds  # all end together, but for a chunk or two
# Speeds are those that the ranks had here, so what else the machine does is in the ideal as well.
speeds = [n / s for n, s in zip(chunks, seconds)]
ideal, equal = sum(chunks) / sum(speeds), sum(chunks) / 4 / min(speeds)
print("%.2f s, ideal %.2f s; with equal shares it would be %.2f s" % (max(seconds), ideal, equal))
assert max(seconds) <= 1.25 * ideal, (max(seconds), ideal)
assert equal > 1.25 * ideal, "the slow rank was not slow: nothing was tested"
PYTHON
