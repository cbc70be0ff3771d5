#!/usr/bin/env bash
# gpu_check.sh [BUILD_FOLDER]: on a machine with an NVIDIA GPU, and nothing else but CMake, a C and a C++
# compiler, CUDA and cuDNN (Python's packages will do): builds the engine alone and holds it against the
# reference, looks for memory errors and races where compute-sanitizer is there, and measures speed, against
# PyTorch where that is there. Under nine minutes. Goes on after a failure, so that one run tells all; the end
# is one line for each part. Exits 1 if anything failed or had no time left, 77 where there is no GPU.
#   CUDNN_ROOT   where cuDNN is, if CMake does not find it
#   ARCH         architectures to build for (native)
#   LIMIT        seconds after which no part begins, and within which all end (530)
#   OUT          folder for a log of each part (BUILD_FOLDER/gpu_check)
#   FULL         folder of a whole build, with MPI: the data-parallel step is checked on this GPU, too, by one rank and
#                by two (which share it, or by NCCL have one each)
#   PROGRAM, MODEL, SCENE   `segtiles` (of a bundle, say), a checkpoint and a scene: from the scene to the written mask,
#                against the network alone
set -uo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/gpu}
out=${OUT:-$build/gpu_check}
most=${LIMIT:-530}
failed=0
summary=()
mkdir -p "$out" || exit 1

# part SECONDS NAME COMMAND...: run, for so long at most, its output in OUT/NAME.log, and remember how it ended
part() {
  local limit=$1 name=$2 start=$SECONDS status=0 note
  shift 2
  if [ "$((most - SECONDS))" -lt "$limit" ]; then limit=$((most - SECONDS)); fi
  if [ "$limit" -le 0 ]; then
    summary+=("no time  $name")
    failed=1
    return 1
  fi
  timeout -k 5 "$limit" "$@" >"$out/$name.log" 2>&1 || status=$?
  note=$(grep -E '^whole |^\{|passed, ' "$out/$name.log" | tail -n 1)
  if [ "$status" = 0 ]; then
    summary+=("passed   $name ($((SECONDS - start)) s)  $note")
  else
    summary+=("FAILED   $name (status $status, $((SECONDS - start)) s)  $note")
    grep -E 'FAILED|ERROR|rror:|engine_bench:' "$out/$name.log" | head -n 5
    failed=1
  fi
  echo "${summary[-1]}"
  return "$status"
}

# mpx NAME: Mpx/s that engine_bench told, or nothing
mpx() { sed -n 's/^whole .* \([0-9.]*\) Mpx\/s.*/\1/p' "$out/$1.log" 2>/dev/null; }

# peer NAME KEY: what peer_torch.py told under KEY, or nothing
peer() { sed -n "s/.*\"$2\": \([0-9.]*\).*/\1/p" "$out/$1.log" 2>/dev/null; }

# ratio WHAT OURS THEIRS WANTED: how much faster than PyTorch, and whether that is what is wanted
ratio() {
  if [ -z "$2" ] || [ -z "$3" ]; then
    summary+=("unknown  $1: ${2:-no} Mpx/s here, ${3:-no} Mpx/s in PyTorch")
  else
    summary+=("$(awk -v what="$1" -v a="$2" -v b="$3" -v w="$4" 'BEGIN {
      printf "%s %s: %.1f Mpx/s, PyTorch %.1f: %.2f times, wanted %.1f", a / b >= w ? "reached " : "missed  ",
        what, a, b, a / b, w}')")
  fi
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
libraries=${LD_LIBRARY_PATH:-}
if [ -n "$packages" ]; then
  for folder in "$packages"/*/lib; do
    libraries=${libraries:+$libraries:}$folder
  done
fi
if command -v ninja >/dev/null; then options+=(-G Ninja); fi

if ! { part 60 configure cmake -S . -B "$build" "${options[@]}" &&
  part 200 build cmake --build "$build" -j "$(nproc)" --target op_check engine_bench; }; then
  tail -n 20 "$out"/configure.log "$out"/build.log 2>/dev/null
  exit 1
fi

check=(env "LD_LIBRARY_PATH=$libraries" "$build/tests/op_check" cuda)
bench=(env "LD_LIBRARY_PATH=$libraries" "$build/engine_bench")
unet=(device=cuda type=bf16 width=64 size=512 bands=4 classes=6)
deeplab=(device=cuda type=bf16 net=deeplabv3+,encoder=resnet50 size=512 bands=4 classes=6)

# What matters most comes first. The long comparison of losses is mostly the reference's work on one core:
# it runs beside what follows and is waited for before anything is measured.
part 45 network "${check[@]}" network
timeout -k 5 240 "${check[@]}" losses >"$out/losses.log" 2>&1 &
losses=$!
part 130 operators "${check[@]}"
part 40 tiles "${check[@]}" tiles
for ranks in ${FULL:+1 2}; do
  part 60 "step-on-$ranks-ranks" env "LD_LIBRARY_PATH=$libraries" tests/support/mpirun.sh "$ranks" \
    "$FULL/tests/test_mpi_step_on_cuda"
done
if [ -z "${FULL:-}" ]; then summary+=("absent   a whole build (FULL=): the data-parallel step"); fi
if wait "$losses"; then
  summary+=("passed   losses  $(grep -c 'largest difference' "$out/losses.log") networks")
else
  summary+=("FAILED   losses  $(grep FAILED "$out/losses.log" | tail -n 1)")
  failed=1
fi
cat "$out/losses.log"

part 40 unet-train "${bench[@]}" train "${unet[@]}" batch=8
part 30 unet-predict "${bench[@]}" net "${unet[@]}" batch=8
part 40 deeplab-train "${bench[@]}" train "${deeplab[@]}" batch=8
part 30 deeplab-predict "${bench[@]}" net "${deeplab[@]}" batch=8
part 30 unet-train-recompute "${bench[@]}" train "${unet[@]}" batch=8 recompute=1
part 30 unet-train-auto "${bench[@]}" train "${unet[@]}" batch=auto repeats=3
SEGTILES_TUNE=free part 40 unet-train-free "${bench[@]}" train "${unet[@]}" batch=8 # what the same bits each time cost
if [ -n "${PROGRAM:-}" ]; then
  part 90 scene-to-mask env "LD_LIBRARY_PATH=$libraries" "$PROGRAM" bench predict --device cuda --repeats 3 -m "${MODEL:?}" "${SCENE:?}"
else
  summary+=("absent   PROGRAM=, MODEL=, SCENE=: from a scene to the written mask")
fi
part 30 unet-train-f32 "${bench[@]}" train "${unet[@]}" type=f32 batch=4 repeats=3
if python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
  for net in unet deeplabv3+,encoder=resnet50; do
    part 90 "torch-${net%%,*}" python3 tools/peer_torch.py speed --device cuda --net "$net" --width 64 --batch 8 \
      --size 512 --bands 4 --classes 6 --repeats 10 --seconds 75
  done
fi
sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null || true)
if [ -n "$sanitizer" ]; then
  for word in batch_norm group_norm global_pool softmax_loss; do # what has barriers
    part 30 "racecheck-$word" "$sanitizer" --tool racecheck --error-exitcode 9 "${check[@]}" "$word"
  done
  part 90 memcheck "$sanitizer" --tool memcheck --error-exitcode 9 "${check[@]}" network
else
  summary+=("absent   compute-sanitizer")
fi

ratio "U-Net, training" "$(mpx unet-train)" "$(peer torch-unet train_mpx_s)" 1.2
ratio "U-Net, prediction" "$(mpx unet-predict)" "$(peer torch-unet predict_mpx_s)" 1.5
ratio "DeepLabv3+, training" "$(mpx deeplab-train)" "$(peer torch-deeplabv3+ train_mpx_s)" 1.2
ratio "DeepLabv3+, prediction" "$(mpx deeplab-predict)" "$(peer torch-deeplabv3+ predict_mpx_s)" 1.5
echo
matrix=$(peer torch-unet matrix_gflop_s)
for name in unet-train unet-predict deeplab-train deeplab-predict; do
  awk -v name="$name" -v matrix="${matrix:-0}" '/convolutions alone/ {
    for (i = 2; i <= NF; i++) if ($i ~ /^GFLOP/) rate = $(i - 1)
    printf "%s: %s", name, $0
    if (matrix > 0) printf "; %.0f %% of the %d GFLOP/s of a product of matrices", 100 * rate / matrix, matrix
    print ""}' "$out/$name.log" 2>/dev/null
done
awk -v same="$(mpx unet-train)" -v free="$(mpx unet-train-free)" 'BEGIN {if (same > 0 && free > 0)
  printf "engines with the same bits each time train the U-Net at %.2f of the speed of any engines\n", same / free}'
grep -h 'of its speed' "$out/scene-to-mask.log" 2>/dev/null
printf '%s\n' "${summary[@]}"
exit "$failed"
