#!/usr/bin/env bash
# What cannot be read or written, or a rank that is killed, ends the writing of a tile store on all
# ranks with one message and nothing under its name; the same command then finishes it, on any number
# of ranks, to the bytes of one that nothing happened to.
. "$(dirname "$0")/../support/program.bash" "$1"
. "$support/fault.bash"
. "$support/fault_training.bash"
make_training
works tile job.yaml -o whole.h5 --tile 32
tile="tile job.yaml -o t.h5 --tile 32 --threads 1"

# finished RANKS: what is left is made, and is right
finished() {
  ranks=$1
  works $tile
  ranks=3
  cmp whole.h5 t.h5 || fail "other bytes after $what"
  [ ! -e t.h5.parts ] || fail "parts stay after $what"
  rm t.h5
}

for rank in 0 2; do
  fails "reading 160 x 160" "$rank read EIO 3 ${train_scene[rank]}.tif 2048" $tile
  [ ! -e t.h5 ] || fail "a store after $what"
  killed "$rank write KILL 5 *.spool" $tile
  [ ! -e t.h5 ] || fail "a store after $what"
done
finished 2
fails "spool: cannot be written: No space left" "1 write ENOSPC 4 *.spool" $tile
[ ! -e t.h5 ] || fail "a store after $what"
# The assembly, on rank 0.
for nth in 1 60; do
  fails "assembled.h5: cannot" "0 write ENOSPC $nth assembled.h5.tmp.*" $tile
  [ ! -e t.h5 ] || fail "a store after $what"
done
fails "assembled.h5: cannot be written" "0 fsync EIO 1 assembled.h5.tmp.*" $tile
fails "t.h5: cannot be written" "0 rename EACCES 1 t.h5" $tile
killed "0 write KILL 30 assembled.h5.tmp.*" $tile
[ ! -e t.h5 ] || fail "a store after $what"
finished 1
# A store that was there stays what it was, and another job does not go on with it.
cp whole.h5 t.h5
fails "spool: cannot be written" "1 write ENOSPC 2 *.spool" $tile --level 9
cmp whole.h5 t.h5 || fail "the old store is gone"
status=0
"$mpirun" 2 "$segtiles" $tile --level 1 >log 2>&1 || status=$?
[ $status = 2 ] && grep -q "holds an unfinished tile store that was made otherwise" log ||
  { cat log >&2; fail "another compression went on"; }
works $tile --level 9 --restart
[ ! -e t.h5.parts ] && ! cmp -s whole.h5 t.h5 || fail "not begun anew"

# A signal ends it after the tiles at hand; the same command goes on.
"$make_scene" -o large.tif -l large_labels.tif -s 1500x1500 -b 4 >log 2>&1 || fail "make_scene"
large="tile job.yaml --tile 64 --level 9 data.csv.file=scene.csv"
printf 'scene,split\nlarge,train\n' >scene.csv
works $large -o whole_large.h5
"$mpirun" 2 "$segtiles" $large -o large.h5 >log 2>&1 &
job=$!
until [ "$(stat -c %s large.h5.parts/0.spool 2>/dev/null || echo 0)" -gt 50000 ]; do
  kill -0 $job 2>/dev/null || { cat log >&2; fail "it ended before the signal"; }
  sleep 0.02
done
kill -TERM $(pgrep -P $job)
status=0
wait $job || status=$?
[ $status = 75 ] && grep -q "stopped by a signal" log && [ ! -e large.h5 ] ||
  { cat log >&2; fail "status $status after a signal"; }
"$mpirun" 3 "$segtiles" $large -o large.h5 >log 2>&1 || { cat log >&2; fail "after a signal"; }
grep -q "an earlier run has made [1-9][0-9]* of 576 tiles" log || { cat log >&2; fail "all was made anew"; }
cmp whole_large.h5 large.h5 || fail "other bytes after a signal"

# Reading it fails on one rank in the middle of a training.
rm -rf run
fails "whole.h5: " "1 read EIO 60 whole.h5" train job.yaml -o run data.store="$work/whole.h5"
