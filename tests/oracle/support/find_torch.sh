#!/bin/sh
# Sourced: finds a Python with PyTorch, else ends with 77, which ctest shows as skipped.
set -eu
here=$(dirname "$0")
python=${PYTHON:-/usr/bin/python3}
if ! "$python" -c 'import torch' 2>/dev/null; then
    echo "skipped: $python has no torch (Debian: python3-torch)"
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
