# For scripts that make calls of the program fail on one rank; source program.bash first. A fault is
# written "RANK CALL ERROR NTH FILE BYTES": the NTH call that matches fails with ERROR (see
# fault_preload.c; BYTES may be left out), and all later ones where a + follows ERROR; or the rank is
# killed where ERROR is KILL.
preload=$(dirname "$segtiles")/tests/fault_preload.so
ranks=3
declare -A error_number=([KILL]=0 [EIO]=5 [EAGAIN]=11 [ENOMEM]=12 [EACCES]=13 [ENOSPC]=28)

# run_ranks ARGUMENTS...: the program on all ranks, quiet. Its status in $status, what each rank says
# on standard error in said.RANK.
run_ranks() {
  rm -f said.*
  status=0
  timeout -k 5 60 "$mpirun" "$ranks" bash -c 'exec 2>"said.$OMPI_COMM_WORLD_RANK"; exec env "$@"' \
    ranks "${settings[@]}" "$segtiles" "$@" -q >log 2>&1 || status=$?
}

tell_and_fail() {
  tail -n 20 log said.* >&2
  fail "$*"
}

# works ARGUMENTS...: without any fault
works() {
  settings=()
  run_ranks "$@"
  [ $status = 0 ] || tell_and_fail "status $status without a fault: $*"
}

# strike FAULT ARGUMENTS...: run with the fault, see that it happened and that the job ended
strike() {
  local rank call error nth file bytes
  read -r rank call error nth file bytes <<<"$1"
  what="fault $1: ${*:2}"
  settings=(LD_PRELOAD="${LD_PRELOAD:+$LD_PRELOAD:}$preload" FAULT_MARK="$PWD/mark"
    FAULT_RANK="$rank" FAULT_CALL="$call" FAULT_ERROR="${error_number[${error%+}]}"
    FAULT_NTH="$nth" FAULT_FILE="$file" FAULT_BYTES="${bytes:-0}")
  [ "$error" = "${error%+}" ] || settings+=(FAULT_LASTS=1)
  rm -f mark
  run_ranks "${@:2}"
  [ -e mark ] || tell_and_fail "there was no such call: $what"
  [ $status != 124 ] || tell_and_fail "no end within 60 s: $what"
}

# fails WORDS FAULT ARGUMENTS...: status 1; one line, of the rank that met the fault, with WORDS;
# no temporary file stays (what a prediction has finished may: *.parts).
fails() {
  strike "${@:2}"
  [ $status = 1 ] || tell_and_fail "status $status, 1 expected: $what"
  [ "$(cat said.* | wc -l)" = 1 ] || tell_and_fail "not one line: $what"
  grep -q "^segtiles: \(rank ${2%% *}: \)\?.*$1" said.* || tell_and_fail "not \"$1\": $what"
  left=$(find . -name '*.tmp.*')
  [ -z "$left" ] || tell_and_fail "temporary files stay: $left: $what"
}

# killed FAULT ARGUMENTS...: the job ends when the rank is killed
killed() {
  OMPI_MCA_odls_base_sigkill_timeout=0 strike "$@" # see end_at_once
  [ $status != 0 ] || tell_and_fail "status 0 after a kill: $what"
}
