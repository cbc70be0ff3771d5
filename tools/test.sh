#!/usr/bin/env bash
# test.sh: set up, build with warnings as errors, run all tests and checks; then build with the
# address and undefined-behaviour sanitizers and run the unit, operator and MPI tests again.
# Goes on after a failure, so that one run tells all; exits 1 if anything failed.
set -uo pipefail
cd "$(dirname "$0")/.."
jobs=$(nproc)
summary=()
rm -f build/ci/ctest.log build/asan/ctest.log
failed=0

# step NAME COMMAND...: run and remember how it ended
step() {
  local name=$1 start=$SECONDS
  shift
  echo "==> $name"
  if "$@"; then
    summary+=("passed  $name ($((SECONDS - start)) s)")
  else
    summary+=("FAILED  $name ($((SECONDS - start)) s)")
    failed=1
    return 1
  fi
}

build() {
  cmake --preset "$1" && cmake --build --preset "$1" -j "$jobs"
}

# A run that finds no tests has not passed.
run_tests() {
  ctest --test-dir "build/$1" --output-on-failure --no-tests=error -j "$jobs" -O "build/$1/ctest.log" \
    "${@:2}"
}

tools_for_tests() {
  tools/setup.sh --tests || return
  tools/peers.sh || echo "without the programs from PyPI: tests that compare with them are skipped"
}

step "set up" tools_for_tests &&
  step "build, warnings as errors" build ci &&
  step "all tests and checks" run_tests ci
step "build with sanitizers" build asan &&
  step "unit, operator and MPI tests with sanitizers" run_tests asan -L '^(unit|op|mpi)$'

for preset in ci asan; do # how many passed, and which failed or were skipped
  if [ -e "build/$preset/ctest.log" ]; then
    echo "==> $preset"
    sed -n '/tests passed/,/^Errors while/{/^Errors while/d;p}' "build/$preset/ctest.log"
  fi
done
printf '%s\n' "${summary[@]}"
exit "$failed"
