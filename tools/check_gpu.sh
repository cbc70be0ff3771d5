#!/usr/bin/env bash
# check_gpu.sh [BUILD_FOLDER]: on a machine with an NVIDIA GPU, and nothing else but CMake, a C and a C++
# compiler, CUDA and cuDNN (Python's packages will do): builds the engine alone, holds every operator and a
# whole network on the GPU against the reference, looks for memory errors and races where compute-sanitizer
# is there, and measures speed. Takes a few minutes; cuDNN compiles some of its engines when they are first
# used. Goes on after a failure, so that one run tells all; exits 1 if anything failed or had no time left, 77
# where there is no GPU.
#   CUDNN_ROOT   where cuDNN is, if CMake does not find it
#   ARCH         architectures to build for (native)
#   LIMIT        seconds after which no step begins, and within which all end (540)
set -uo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/gpu}
jobs=$(nproc)
failed=0
most=${LIMIT:-540}
summary=()

# step SECONDS NAME COMMAND...: run, for so long at most, and remember how it ended
step() {
  local limit=$1 name=$2 start=$SECONDS status=0
  shift 2
  if [ "$((most - SECONDS))" -lt "$limit" ]; then limit=$((most - SECONDS)); fi
  if [ "$limit" -le 0 ]; then
    summary+=("no time $name")
    failed=1
    return 1
  fi
  echo "==> $name"
  timeout -k 5 "$limit" "$@" || status=$?
  if [ "$status" = 0 ]; then
    summary+=("passed  $name ($((SECONDS - start)) s)")
  else
    summary+=("FAILED  $name (status $status, $((SECONDS - start)) s)")
    failed=1
  fi
  return "$status"
}

if ! command -v nvidia-smi >/dev/null || ! nvidia-smi -L | grep -q GPU; then
  echo "skipped: there is no NVIDIA GPU here"
  exit 77
fi
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader

# cuDNN as PyTorch's packages bring it, and the libraries that it loads by itself.
packages=$(python3 -c 'import os, nvidia.cudnn as c; print(os.path.dirname(list(c.__path__)[0]))' 2>/dev/null || true)
options=(-DSEGTILES_ENGINE_ONLY=ON -DSEGTILES_CUDA=ON -DCMAKE_BUILD_TYPE=Release "-DCMAKE_CUDA_ARCHITECTURES=${ARCH:-native}")
if [ -n "${CUDNN_ROOT:-}" ]; then
  options+=("-DCUDNN_ROOT=$CUDNN_ROOT")
elif [ -n "$packages" ]; then
  options+=("-DCUDNN_ROOT=$packages/cudnn")
fi
if [ -n "$packages" ]; then
  for folder in "$packages"/*/lib; do
    LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder
  done
  export LD_LIBRARY_PATH
fi
if command -v ninja >/dev/null; then options+=(-G Ninja); fi

if ! { step 60 "configure" cmake -S . -B "$build" "${options[@]}" &&
  step 240 "build" cmake --build "$build" -j "$jobs" --target op_check engine_bench; }; then
  printf '%s\n' "${summary[@]}"
  exit 1
fi

check=$build/tests/op_check
bench=$build/engine_bench
step 60 "a network against the reference" "$check" cuda network
step 120 "prediction, bf16" "$bench" net device=cuda type=bf16 width=64 size=512 batch=8
step 120 "training, bf16" "$bench" train device=cuda type=bf16 width=64 size=512 batch=8
step 300 "operators against the reference" "$check" cuda
step 60 "prediction of one tile, bf16" "$bench" net device=cuda type=bf16 width=64 size=512 batch=1
step 60 "prediction, f32" "$bench" net device=cuda type=f32 width=64 size=512 batch=8
step 60 "training, f32" "$bench" train device=cuda type=f32 width=64 size=256 batch=8
sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null || true)
if [ -n "$sanitizer" ]; then
  for word in batch_norm global_pool softmax_loss; do # what has barriers
    step 60 "racecheck: $word" "$sanitizer" --tool racecheck --error-exitcode 9 "$check" cuda "$word"
  done
  step 120 "memcheck" "$sanitizer" --tool memcheck --error-exitcode 9 "$check" cuda network
fi
printf '%s\n' "${summary[@]}"
exit "$failed"
