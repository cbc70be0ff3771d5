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

for rank in 0 1 2; do
  fails "cannot be read\|reading" "$rank read EIO 3 ${train_scene[rank]}.tif 2048" $tile
  [ ! -e t.h5 ] || fail "a store after $what"
  fails "spool: cannot be written: No space left" "$rank write ENOSPC 4 *.spool" $tile
  [ ! -e t.h5 ] || fail "a store after $what"
  finished $((rank + 1))
  killed "$rank write KILL 5 *.spool" $tile
  [ ! -e t.h5 ] || fail "a store after $what"
  finished $((3 - rank))
done
# The assembly, on rank 0.
for nth in 1 20 60; do
  fails "assembled.h5: cannot" "0 write ENOSPC $nth assembled.h5.tmp.*" $tile
  [ ! -e t.h5 ] || fail "a store after $what"
done
fails "assembled.h5: cannot be written" "0 fsync EIO 1 assembled.h5.tmp.*" $tile
fails "t.h5: cannot be written" "0 rename EACCES 1 t.h5" $tile
killed "0 write KILL 30 assembled.h5.tmp.*" $tile
[ ! -e t.h5 ] || fail "a store after $what"
finished 2
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

# Reading it fails on one rank in the middle of a training.
rm -rf run
fails "whole.h5: " "1 read EIO 60 whole.h5" train job.yaml -o run data.store="$work/whole.h5"
