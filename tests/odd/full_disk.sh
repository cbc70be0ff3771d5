#!/usr/bin/env bash
# A disk that fills up while masks are written: one clear line, the old mask kept, and what is
# finished kept too: the same command goes on when there is room.
. "$(dirname "$0")/../support/program.bash" "$1"

"$make_scene" -o scene.tif -s 700x500 -b 3 -t Byte
"$make_model" model.h5 --bands 3 --depth 1 --width 4
disk=$work/disk
mkdir "$disk"
mount -t tmpfs -o size=64k tmpfs "$disk" 2>/dev/null || skip "a file system cannot be mounted here"
trap 'umount "$disk"; rm -rf "$work"' EXIT

# The outputs take about 4 MB twice over: in spools, then in files. Fill up at every stage.
echo old >"$disk/mask.tif"
for kib in 64 200 1000 3000 5000 6500; do
  mount -o remount,size=${kib}k "$disk"
  refused 1 "No space left on device" 3 -m model.h5 -o "$disk/mask.tif" --probabilities --confidence scene.tif
  [ "$(cat "$disk/mask.tif")" = old ] || fail "the old mask is gone at $kib KiB"
done
mount -o remount,size=64m "$disk"
predict 3 -m model.h5 -o "$disk/mask.tif" --probabilities --confidence scene.tif
[ "$(ls "$disk" | grep -c -E 'parts|tmp')" = 0 ] || { ls "$disk"; fail "temporary files stay behind"; }
gdalinfo "$disk/mask.tif" >/dev/null
