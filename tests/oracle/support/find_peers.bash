# Sourced after program.bash: $peers is a Python with ONNX Runtime and safetensors, else the test is
# skipped.
peers=${SEGTILES_PEERS:-$support/../../build/peers}/bin/python
"$peers" -c 'import numpy, onnx, onnxruntime, safetensors' 2>/dev/null ||
  skip "ONNX Runtime and safetensors are not installed: tools/peers.sh installs them from PyPI"
