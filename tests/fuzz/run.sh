#!/usr/bin/env bash
# run.sh FUZZER: a while on the saved corpus; a crash is left, by name, in the current folder.
set -euo pipefail
fuzzer=$1
name=${fuzzer##*/fuzz_}
if [ ! -x "$fuzzer" ]; then
  echo "skipped: there is no clang with libFuzzer (Debian: clang-14 libclang-rt-14-dev libfuzzer-14-dev)"
  exit 77
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/segtiles_fuzz_XXXXXX")
trap 'rm -rf "$work"' EXIT
seconds=${SEGTILES_FUZZ_SECONDS:-60}
ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1 \
  "$fuzzer" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -malloc_limit_mb=2000 -verbosity=0 -print_final_stats=1 \
  -artifact_prefix="$PWD/crash-$name-" "$work" "$(dirname "$0")/corpus/$name"
