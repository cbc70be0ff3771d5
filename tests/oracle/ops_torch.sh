#!/bin/sh
# ops_torch.sh DUMP_OPS BACKEND: every operator case against torch.nn.functional.
. "$(dirname "$0")/support/find_torch.sh"

"$1" "$2" "$folder/run"
"$python" "$here/ops_torch.py" "$folder/run"
