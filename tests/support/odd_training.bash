# For scripts that train on odd input by job.yaml, on 2 ranks: source program.bash first.

# trains NAME KEY=VALUE...: must end well and leave a checkpoint that maps the scene
trains() {
  local name=$1
  shift
  timeout -k 5 120 "$mpirun" 2 "$segtiles" train job.yaml --out "$name" "$@" >model 2>log ||
    { cat log >&2; fail "$name: status $?"; }
  [ -s "$(cat model)" ] || fail "$name: no checkpoint"
}

# refuses STATUS WORDS KEY=VALUE...: it ends with STATUS and one message, which has WORDS
refuses() {
  local status=$1 words=$2 got=0
  shift 2
  rm -rf "refused.$log"
  timeout -k 5 120 "$mpirun" 2 "$segtiles" train job.yaml --out "refused.$log" "$@" >/dev/null 2>"$log" || got=$?
  [ "$got" = "$status" ] || { cat "$log" >&2; fail "expected status $status, got $got: $*"; }
  [ "$(grep -c '^segtiles: ' "$log")" = 1 ] || { cat "$log" >&2; fail "expected one message: $*"; }
  grep '^segtiles: ' "$log" | grep -qF -- "$words" || { cat "$log" >&2; fail "expected \"$words\": $*"; }
}
