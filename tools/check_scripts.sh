#!/usr/bin/env bash
# check_scripts.sh: shell and Python scripts are at least well formed.
set -euo pipefail
cd "$(dirname "$0")/.."
failed=0
while IFS= read -r -d '' file; do
  bash -n "$file" || failed=1
done < <(find .ci tools tests slurm -type f \( -name '*.sh' -o -path .ci/run \) -print0 2>/dev/null)
while IFS= read -r -d '' file; do
  python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' "$file" || failed=1
done < <(find tools tests -name '*.py' -print0)
exit "$failed"
