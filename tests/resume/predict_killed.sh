#!/usr/bin/env bash
# A prediction that is killed again and again, one rank or all, at any moment and in the assembly, and
# taken up by another number of ranks each time, writes the files that an undisturbed one writes.
. "$(dirname "$0")/../support/program.bash" "$1"
kills=20
"$make_scene" -o scene.tif -s 1900x1500 -b 3 -t Byte --block 128 --nodata-share 0.1 >log 2>&1
"$make_model" model.h5 --bands 3 --depth 3 --width 8 --normalize scene
outputs="-o mask.tif --confidence=confidence.tif"
options="-m model.h5 --chunk 256 --tile 256 --batch 1"
mkdir whole
begin=$(date +%s%N)
predict 2 scene.tif $options -o whole/mask.tif --confidence=whole/confidence.tif
span=$((($(date +%s%N) - begin) / 1000000)) # of an undisturbed run, ms

# ranks_of: process numbers of the ranks that work in this folder
ranks_of() {
  for process in $(pgrep -x segtiles); do
    [ "$(readlink "/proc/$process/cwd")" != "$work" ] || echo "$process"
  done
}

finished_chunks() { sed -n 's/.*an earlier run has finished \([0-9]*\) of.*/\1/p' log; }

RANDOM=7
killed=0 resumed=0 round=0
while [ $killed -lt $kills ]; do
  n=$((round++ % 4 + 1))
  "$mpirun" $n "$segtiles" predict scene.tif $options $outputs >log 2>&1 &
  job=$!
  delay=$((span / 4 + RANDOM * span / 32768)) # before its first chunk up to after its end
  sleep "$((delay / 1000)).$(printf %03d $((delay % 1000)))"
  mapfile -t processes < <(ranks_of)
  if [ ${#processes[@]} -gt 0 ]; then
    victims=("${processes[@]}")
    [ $((RANDOM % 2)) = 0 ] || victims=("${processes[RANDOM % ${#processes[@]}]}")
    kill -9 "${victims[@]}" 2>/dev/null || true
  fi
  wait $job || killed=$((killed + 1))
  if [ -e mask.tif ] && [ ! -e mask.tif.parts ]; then # it was done
    cmp mask.tif whole/mask.tif && cmp confidence.tif whole/confidence.tif || fail "other bytes"
    rm -r mask.* confidence.tif*
  fi
  [ -z "$(finished_chunks)" ] || resumed=$((resumed + 1))
done
[ $resumed -ge $((kills / 2)) ] || fail "only $resumed runs went on where another had been killed"

# In the assembly: before and while the blocks are laid down, and between the two names.
for moment in "write 3 skeleton.tif" "write 1 assembled.tif" "rename 1 mask.tif" "rename 1 confidence.tif"; do
  read -r call nth file <<<"$moment"
  status=0
  LD_PRELOAD="${LD_PRELOAD:+$LD_PRELOAD:}$(dirname "$segtiles")/tests/fault_preload.so" FAULT_MARK=$work/mark \
    FAULT_RANK=0 FAULT_CALL=$call FAULT_ERROR=0 FAULT_NTH=$nth FAULT_FILE=$file \
    "$mpirun" 2 "$segtiles" predict scene.tif $options $outputs >log 2>&1 || status=$?
  [ -e mark ] && [ $status != 0 ] || { cat log >&2; fail "no kill at $moment"; }
  rm mark
done
predict 3 scene.tif $options $outputs
[ "$(finished_chunks)" = 48 ] || { cat log >&2; fail "all chunks had been finished"; }
cmp mask.tif whole/mask.tif && cmp confidence.tif whole/confidence.tif && cmp mask.qml whole/mask.qml ||
  fail "other bytes after kills in the assembly"
left=$(find . -name '*.tmp*' -o -name '*.parts')
[ -z "$left" ] || fail "left: $left"
echo "$killed kills, $resumed runs that went on"
