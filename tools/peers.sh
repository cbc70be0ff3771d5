#!/usr/bin/env bash
# peers.sh: programs from PyPI that tests compare with and Debian lacks, as a Python environment in
# build/peers: ONNX and ONNX Runtime, safetensors. Does nothing when all are there.
set -euo pipefail
cd "$(dirname "$0")/.."
wanted="numpy onnx onnxruntime safetensors"
folder=build/peers

if "$folder/bin/python" -c 'import numpy, onnx, onnxruntime, safetensors' 2>/dev/null; then
  echo "peers: all are there"
  exit 0
fi
mkdir -p build
/usr/bin/python3 -m venv --clear "$folder"
# shellcheck disable=SC2086 # several names
"$folder/bin/pip" install --quiet --disable-pip-version-check $wanted
echo "peers: installed $wanted"
