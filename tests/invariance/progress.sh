#!/usr/bin/env bash
# --progress json: objects on standard output, nothing else there, whose numbers add up, on any number of
# ranks and after a stop; without it standard output stays empty and lines tell of what limits.
. "$(dirname "$0")/../support/program.bash" "$1"
"$make_scene" -o scene.tif -s 1900x1400 -b 3 -t Byte >log 2>&1
"$make_model" model.h5 --bands 3 --depth 2 --width 8
options="-m model.h5 --chunk 256 --tile 128 --batch 1 -o mask.tif"

# check FOUND RANKS: what out.json says
check() {
  /usr/bin/python3 - "$@" <<'PYTHON' || { cat out.json >&2; fail "wrong objects"; }
import json, sys
found, ranks = int(sys.argv[1]), int(sys.argv[2])
lines = [json.loads(line) for line in open("out.json")]
progress, summary = lines[:-1], lines[-1]
assert progress and all(line["event"] == "progress" for line in progress)
assert summary["event"] == "summary"
done = [line["chunks_done"] for line in progress]
assert done == sorted(set(done)) and done[-1] == 48 and done[0] >= found, done
assert progress[-1]["seconds_left"] == 0
for line in lines:
    assert line["chunks"] == 48 and line["output"] == "mask.tif", line
    shares = {"network": line["network"], "read": line["read_wait"], "write": line["write_wait"]}
    assert 0 < sum(shares.values()) <= 1.01 and line["write"] >= 0, line
    assert shares[line["limit"]] == max(shares.values()), line
    assert line["seconds"] > 0 and line["mpx_per_s"] > 0, line
assert summary["chunks_found"] == found or found < 0, summary
each = summary["ranks"]
assert [rank["rank"] for rank in each] == list(range(ranks)), each
assert sum(rank["chunks"] for rank in each) == 48 - summary["chunks_found"], each
if summary["chunks_found"] == 0:
    assert sum(rank["pixels"] for rank in each) == 1900 * 1400, each
    assert sum(rank["bytes"] for rank in each) > 10000, each
assert summary["computed_times"] > 1 and summary["assembly_seconds"] > 0
assert summary["rank_writes_mpx_per_s"] > 0 and summary["rank_writes_mb_per_s"] > 0
PYTHON
}

for ranks in 1 4; do
  "$mpirun" $ranks "$segtiles" predict scene.tif $options --progress json -q >out.json 2>log || fail "predict"
  check 0 $ranks
done

# What an earlier run has finished is counted, and does not count for the rank.
"$mpirun" 2 "$segtiles" predict scene.tif $options >log 2>&1 &
job=$!
until [ "$(find mask.tif.parts -name '*.spool' -size +0 2>/dev/null | wc -l)" -gt 1 ]; do sleep 0.02; done
for process in $(pgrep -x segtiles); do
  [ "$(readlink "/proc/$process/cwd")" != "$work" ] || kill -TERM "$process" 2>/dev/null || true
done
status=0
wait $job || status=$?
[ $status = 75 ] || { cat log >&2; fail "status $status after SIGTERM"; }
"$mpirun" 2 "$segtiles" predict scene.tif $options --progress json >out.json 2>log || fail "predict"
check "$(sed -n 's/.*an earlier run has finished \([0-9]*\) of 48 chunks.*/\1/p' log)" 2

"$mpirun" 2 "$segtiles" predict scene.tif $options >out 2>log || fail "predict"
[ ! -s out ] || fail "something on standard output"
grep -q "^predict .*/48 .* Mpx/s, \(network\|read\|write\) limits  .* left" log || { cat log >&2; fail "no line"; }
grep -q "mask.tif: 1900 x 1400 pixels in .* limits; a rank writes" log || { cat log >&2; fail "no summary"; }
