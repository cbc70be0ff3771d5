#!/usr/bin/env bash
# check_format.sh [--fix]: the C files are formatted as .clang-format says.
# Other versions of clang-format lay some lines out otherwise, so one version decides.
set -euo pipefail
cd "$(dirname "$0")/.."
version=14
format=$(command -v clang-format-$version || command -v clang-format || true)
if [ -z "$format" ] || ! "$format" --version | grep -q "version $version\."; then
  echo "skipped: clang-format $version decides, and it is not installed"
  exit 77
fi
folders=()
for folder in src tiles jobs cuda tests tools; do
  if [ -d "$folder" ]; then folders+=("$folder"); fi
done
mapfile -d '' files < <(find "${folders[@]}" \( -name '*.c' -o -name '*.h' -o -name '*.cu' -o -name '*.cuh' -o -name '*.cpp' \) -print0)
if [ "${1:-}" = --fix ]; then
  exec "$format" -i "${files[@]}"
fi
exec "$format" --dry-run -Werror "${files[@]}"
