#!/usr/bin/env bash
# The arrow check finds what it is for: a copy of it over a small wrong tree names each mistake.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{tools,src/nn/op,src/base,src/model,jobs,tiles}
cp "$root/tools/check_arrows.py" "$tree/tools/"

echo '#include "nn/graph.h"' >"$tree/src/nn/op/fine.c"
echo '#include "cpu/cpu.h"' >"$tree/jobs/fine.c"
"$tree/tools/check_arrows.py"

expect() { # FILE INCLUDE MESSAGE
  echo "#include $2" >"$tree/$1"
  if out=$("$tree/tools/check_arrows.py"); then
    echo "$1 may include $2, which it must not"
    exit 1
  fi
  if [ "$out" != "$1:1: $(tr -d '<>"' <<<"$2"): $3" ]; then
    echo "unexpected: $out"
    exit 1
  fi
  rm "$tree/$1"
}
expect src/nn/op/bad.c '"comm/comm.h"' 'nn must not include comm; it may include base'
expect src/base/bad.h '"nn/graph.h"' 'base must not include nn; it may include nothing'
expect src/model/bad.c '"cpu/cpu.h"' 'model must not include cpu; it may include nn, base'
expect jobs/bad.c '"cpu/convolution.h"' \
  'jobs must not include cpu; it may include train, tiles, model, nn, data, comm, base'
expect tiles/bad.c '<mpi.h>' "MPI's headers belong into src/comm only"
expect jobs/bad.c '<gdal_alg.h>' "GDAL's headers belong into src/data only"
expect jobs/bad.c '<oneapi/dnnl/dnnl.h>' "oneDNN's headers belong into src/cpu only"
expect tiles/bad.c '"grid.h"' 'name it with its folder: "tiles/grid.h"'
