#!/usr/bin/env bash
# demo.sh: from a bare checkout to a map. Installs what is missing, builds, makes a scene with labels,
# trains a small U-Net on two ranks, maps a scene it has not seen, and shows how well.
#
# The scenes are made (tools/make_scene) and not real: Debian packages carry real satellite scenes
# (r-cran-stars, libterralib-doc) but none with labels, and labels invented by a rule over the same
# bands would only show that a network can learn that rule. A made scene has true labels, classes
# that differ in texture more than in colour, and needs no download.
set -euo pipefail
cd "$(dirname "$0")/.."
start=$SECONDS
build=build/release
export DEMO=build/demo

say() { printf '\n== %s (%d s)\n' "$*" $((SECONDS - start)); }
run() { printf '$ %s\n' "$*"; "$@"; }
# mpirun as root and with more ranks than cores; see the script
ranks() { printf '$ mpirun -n %s\n' "$*"; tests/support/mpirun.sh "$@"; }

say "packages"
tools/setup.sh
say "build"
mkdir -p "$build"
{ cmake --preset release &&
  cmake --build --preset release --target segtiles make_scene view -j "$(nproc)"; } \
  >"$build/demo.log" 2>&1 || { cat "$build/demo.log" >&2; exit 1; }

say "scenes: one to train on, one that the network does not see"
rm -rf "$DEMO"
mkdir -p "$DEMO"
run "$build/make_scene" --size 3072x2048 -o "$DEMO/train.tif" -l "$DEMO/train_labels.tif"
run "$build/make_scene" --size 1536x1024 --offset 8192,4096 --nodata-share 0.05 \
  -o "$DEMO/unseen.tif" -l "$DEMO/unseen_labels.tif"

say "train"
ranks 2 "$build/segtiles" train jobs/demo.yaml --out "$DEMO/run"
say "map the unseen scene"
ranks 2 "$build/segtiles" predict -m "$DEMO/run/best.h5" -o "$DEMO/mask.tif" "$DEMO/unseen.tif"
say "compare with its true labels"
ranks 2 "$build/segtiles" evaluate "$DEMO/mask.tif" "$DEMO/unseen_labels.tif" | tee "$DEMO/scores.txt"
run "$build/view" -b 4,3,2 -o "$DEMO/view.png" "$DEMO/unseen.tif" "$DEMO/unseen_labels.tif" \
  "$DEMO/mask.tif"

say "done"
echo "mask (opens in QGIS with names and colours): $PWD/$DEMO/mask.tif"
echo "scene, truth and mask side by side:          $PWD/$DEMO/view.png"
