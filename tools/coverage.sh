#!/usr/bin/env bash
# coverage.sh [LEAST]: run all tests with coverage and print the share of lines of src, tiles and
# jobs that they run; exits 1 below LEAST percent (85). The table per file goes to
# build/coverage/coverage.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
least=${1:-85}
build=build/coverage

cmake --preset coverage
cmake --build --preset coverage -j "$(nproc)"
find "$build" -name '*.gcda' -delete
# A failed test is the business of test.sh; what it ran is covered all the same. The test of memory
# runs nothing that others do not, for minutes.
ctest --test-dir "$build" --no-tests=error -j "$(nproc)" -LE lint -E '^invariance.memory$' || echo "coverage: some tests failed"
gcovr --root . --object-directory "$build" --filter 'src/' --filter 'tiles/' --filter 'jobs/' \
  --exclude-unreachable-branches --txt "$build/coverage.txt" --print-summary \
  --fail-under-line "$least" -j "$(nproc)"
