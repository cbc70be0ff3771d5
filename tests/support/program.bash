# For scripts that run the program as a user would: source this first, with the program's path as $1.
# Sets $segtiles, $make_scene, $make_model, $mpirun and a work folder, which is removed in the end.
set -euo pipefail
segtiles=$(realpath "$1")
make_scene=$(dirname "$segtiles")/make_scene
make_model=$(dirname "$segtiles")/tests/make_model
support=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mpirun=$support/mpirun.sh
work=$(mktemp -d "${TMPDIR:-/tmp}/segtiles_test_XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

# skip WHY: end as skipped
skip() {
  echo "skipped: $*"
  exit 77
}

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# When a rank is killed mpirun ends the others, which wait for it, only a second or two later; from now on at once.
end_at_once() {
  export OMPI_MCA_odls_base_sigkill_timeout=0
}

# beside COMMAND...: while the script goes on; four of them at a time, for most of a short run under mpirun is
# waiting. joined waits for them all, and ends the script where one has failed. They write into "$log" alone.
log=log
beside_jobs=()
beside() {
  [ ${#beside_jobs[@]} -lt 4 ] || beside_wait
  (
    log=log.$BASHPID
    export OMPI_MCA_mpi_yield_when_idle=1
    "$@"
    rm -f "$log"
  ) &
  beside_jobs+=($!)
}
beside_wait() {
  wait "${beside_jobs[0]}" || { wait; exit 1; }
  beside_jobs=("${beside_jobs[@]:1}")
}
joined() {
  while [ ${#beside_jobs[@]} -gt 0 ]; do beside_wait; done
}

# predict RANKS ARGUMENTS...: quietly, with its output kept in log
predict() {
  local ranks=$1
  shift
  "$mpirun" "$ranks" "$segtiles" predict "$@" >log 2>&1 || {
    cat log >&2
    fail "predict on $ranks ranks: $*"
  }
}

# refused STATUS WORDS RANKS ARGUMENTS...: predict ends with STATUS, and one line says WORDS
refused() {
  local status=$1 words=$2 ranks=$3 got=0
  shift 3
  timeout -k 5 60 "$mpirun" "$ranks" "$segtiles" predict "$@" >"$log" 2>&1 || got=$?
  [ "$got" = "$status" ] || { cat "$log" >&2; fail "expected status $status, got $got: $*"; }
  [ "$(grep -c '^segtiles: ' "$log")" = 1 ] || { cat "$log" >&2; fail "expected one message: $*"; }
  grep '^segtiles: ' "$log" | grep -q -- "$words" || { cat "$log" >&2; fail "expected \"$words\": $*"; }
}
