#!/usr/bin/env bash
# A prediction that is killed again and again, one rank or all, at any moment and in the assembly, and
# taken up by another number of ranks each time, writes the files that an undisturbed one writes: of
# whole scenes, exact and blended, of a part inside a cutline, and of a mosaic. SEED=N draws other moments.
. "$(dirname "$0")/../support/program.bash" "$1"
end_at_once
kills=20
RANDOM=${SEED:=7}
"$make_scene" -o scene.tif -s 640x512 -b 3 -t Byte --block 64 --nodata-share 0.1 >log 2>&1
"$make_scene" -o west.tif -s 360x512 -b 3 -t Byte --block 64 >log 2>&1
"$make_scene" -o east.tif -s 320x512 --offset 320,0 -b 3 -t Byte --block 64 >log 2>&1
"$make_model" own.h5 --bands 3 --depth 2 --width 8 --normalize scene
"$make_model" model.h5 --bands 3 --depth 2 --width 8
cat >line.geojson <<'JSON'
{"type": "FeatureCollection", "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32632"}},
 "features": [{"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates":
  [[[600500, 5199600], [606100, 5199300], [605700, 5195200], [600900, 5195500], [600500, 5199600]]]}}]}
JSON
sizes="--chunk 64 --tile 64 --batch 1 -co BLOCKSIZE=64"

# ranks_of: process numbers of the ranks that work in this folder
ranks_of() {
  for process in $(pgrep -x segtiles); do
    [ "$(readlink "/proc/$process/cwd")" != "$PWD" ] || echo "$process"
  done
}

# aside FOLDER WHAT ARGUMENTS...: killed, in a folder of its own; most of the time is waiting, so that two of them
# share the machine
aside() {
  mkdir "$1"
  cd "$1"
  ln -s ../*.tif ../*.h5 ../line.geojson .
  RANDOM=$SEED
  killed "${@:2}"
}

finished_chunks() { sed -n 's/.*an earlier run has finished \([0-9]*\) of.*/\1/p' log; }

assert_same() {
  cmp mask.tif whole/mask.tif && cmp confidence.tif whole/confidence.tif && cmp mask.qml whole/mask.qml ||
    fail "other bytes of $what after $*"
  rm -r mask.* confidence.tif*
}

# begin RANKS: in the background, its process number in $job
begin() {
  "$mpirun" "$1" "$segtiles" predict "${arguments[@]}" >log 2>&1 &
  job=$!
}

# kill_some: all ranks or one, where there are any
kill_some() {
  local processes victims
  mapfile -t processes < <(ranks_of)
  [ ${#processes[@]} -gt 0 ] || return 0
  victims=("${processes[@]}")
  [ $((RANDOM % 2)) = 0 ] || victims=("${processes[RANDOM % ${#processes[@]}]}")
  kill -9 "${victims[@]}" 2>/dev/null || true
}

# written: bytes that all ranks of all runs have laid aside
written() {
  local size sum=0
  for size in $(stat -c %s mask.tif.parts/*.spool 2>/dev/null); do sum=$((sum + size)); done
  echo $sum
}

# await BYTES: until there are as many, or the run has ended
await() {
  until [ "$(written)" -ge "$1" ] || ! kill -0 $job 2>/dev/null; do sleep 0.02; done
}

# killed WHAT ARGUMENTS...: until it was killed often enough, and then to its end
killed() {
  local killed=0 resumed=0 round=0 before now whole=0
  what=$1
  shift
  rm -rf whole
  mkdir whole
  arguments=("$@" $sizes)
  begin 2
  while kill -0 $job 2>/dev/null; do
    now=$(written)
    [ "$now" -le $whole ] || whole=$now
    sleep 0.02
  done
  wait $job || { cat log >&2; fail "$what, undisturbed"; }
  mv mask.* confidence.tif* whole
  while [ $killed -lt $kills ]; do
    before=$(written)
    begin $((round++ % 4 + 1))
    # When up to a third of all has come, which at last is after its end; and at times before its first chunk
    [ $((RANDOM % 6)) = 0 ] || await $((before + 1 + RANDOM * whole / 3 / 32768))
    sleep "0.$(printf %03d $((RANDOM % 100)))"
    kill_some
    wait $job || killed=$((killed + 1))
    ! grep '^segtiles: ' log || fail "$what fails by itself"
    [ -z "$(finished_chunks)" ] || resumed=$((resumed + 1))
    [ ! -e mask.tif ] || [ -e mask.tif.parts ] || assert_same "$killed kills" # it was done
  done
  begin 3
  wait $job || { cat log >&2; fail "$what: the last run"; }
  assert_same "$killed kills"
  [ $resumed -ge $((kills / 3)) ] || fail "only $resumed runs went on where another had been killed"
  echo "$what: $killed kills, $resumed runs that went on"
}

outputs="-o mask.tif --confidence=confidence.tif"
beside aside blend "blend mode" scene.tif -m model.h5 $outputs --mode blend --overlap 16
beside aside part "part, cutline" scene.tif -m model.h5 $outputs -te 600300 5195100 606200 5199800 \
  --cutline line.geojson
joined
beside aside mosaic "mosaic" --mosaic mask.tif --confidence=confidence.tif west.tif east.tif -m model.h5 --cutline line.geojson
killed "exact mode" scene.tif -m own.h5 $outputs
joined

# In the assembly: on any rank while it makes overviews and lays blocks down, and between the two names.
for moment in "0 write 3 skeleton.tif" "1 write 4 derived.1.spool" "0 write 1 assembled.tif" "1 write 1 assembled.tif" \
  "1 fsync 1 assembled.tif" "0 rename 1 mask.tif" "0 rename 1 confidence.tif"; do
  read -r rank call nth file <<<"$moment"
  status=0
  LD_PRELOAD="${LD_PRELOAD:+$LD_PRELOAD:}$(dirname "$segtiles")/tests/fault_preload.so" FAULT_MARK=$work/mark \
    FAULT_RANK=$rank FAULT_CALL=$call FAULT_ERROR=0 FAULT_NTH=$nth FAULT_FILE=$file \
    "$mpirun" 2 "$segtiles" predict "${arguments[@]}" >log 2>&1 || status=$?
  [ -e mark ] && [ $status != 0 ] || { cat log >&2; fail "no kill at $moment"; }
  rm mark
done
predict 3 "${arguments[@]}"
[ "$(finished_chunks)" = 80 ] || { cat log >&2; fail "all chunks had been finished"; }
assert_same "kills in the assembly"
left=$(find . -name '*.tmp*' -o -name '*.parts')
[ -z "$left" ] || fail "left: $left"
