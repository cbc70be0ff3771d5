#!/usr/bin/env bash
# metrics.jsonl tells for each step how long ranks read, computed, waited and communicated, and names
# the slowest: here the one whose batches come late. A report shows the speed of each rank.
. "$(dirname "$0")/../support/program.bash" "$1"
. "$support/training.bash"
make_job

# Rank 1 is stopped for half a second, again and again, mostly while it computes: what it is stopped
# for within a sum is no rank's waiting.
begin_training 3 run -o run train.steps=40 train.batch=24 train.validate_every=20
wait_for_step 4
slow=$(ranks_of_training | sed -n 2p)
rank=$(tr '\0' '\n' <"/proc/$slow/environ" | sed -n 's/^OMPI_COMM_WORLD_RANK=//p')
for _ in 1 2 3 4; do
  kill -STOP "$slow"
  sleep 0.7
  kill -CONT "$slow" 2>/dev/null
  sleep 0.1
done
end_training
[ $status = 0 ] || { cat log >&2; fail "status $status"; }
/usr/bin/python3 - "$rank" <<'PY' || { cat run/metrics.jsonl >&2; fail "times"; }
import json, sys
rows = [json.loads(line) for line in open("run/metrics.jsonl")]
held = int(sys.argv[1])
assert len(rows) == 40 and "times" not in rows[0]
for row in rows[1:]:
    t = row["times"]
    assert t["step"] == row["step"] - 1 and 0 <= t["slowest"] < 3 and t["communicate"] >= 0
    for part in ("read", "compute", "wait"):
        assert 0 <= t[part]["least"] <= t[part]["mean"] * 1.001 and t[part]["mean"] <= t[part]["most"] * 1.001
late = [row["times"] for row in rows[1:] if row["times"]["wait"]["most"] > 400]
assert late, "no step waited for the rank that was stopped"
assert all(t["slowest"] == held for t in late), (held, [t["slowest"] for t in late])
for row in rows:
    told = row["step"] in (20, 40)
    assert ("ranks" in row) == told
    if told:
        assert sorted(row["ranks"]) == ["0", "1", "2"]
        assert all(r["mpx_per_s"] > 0 and r["compute_ms"] > 0 for r in row["ranks"].values())
PY
"$segtiles" report run --curves -o report.html >log 2>&1 || { cat log >&2; fail "report"; }
grep -q "Rank [0-2] was the slowest in [0-9]* % of the steps" report.html || fail "no slowest rank"
for r in 0 1 2; do
  grep -q "<th scope=\"row\">$r</th><td>mpx_per_s</td>" report.html || fail "no speed of rank $r"
done
grep -q "A step's time, ms\|A step&#39;s time, ms" report.html || fail "no chart of times"
