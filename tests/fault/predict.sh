#!/usr/bin/env bash
# Any failure, on any rank, at any stage of a prediction ends it on all ranks with one message; an
# older mask stays what it was. Afterwards the same command writes the mask that it always writes,
# whether it goes on with what was finished or begins anew.
. "$(dirname "$0")/../support/program.bash" "$1"
. "$support/fault.bash"
"$make_scene" -o scene.tif -s 1100x1100 -b 3 -t Byte --block 64 >log 2>&1
"$make_model" model.h5 --bands 3 --depth 1 --width 4 # by the statistics of its own training
"$make_model" scaled.h5 --bands 3 --depth 1 --width 4 --normalize scene
sizes="--chunk 512 --tile 256 --batch 1 --readers 1 -co COMPRESS=NONE" # large enough for all to assemble
command="predict scene.tif -m model.h5 -o mask.tif $sizes"
works predict scene.tif -m model.h5 -o whole.tif $sizes
echo old >mask.tif
echo old >mask.qml
block=4096 # bytes: only pixels are read in pieces as large
large=65536

# anew WORDS FAULT ARGUMENTS...: fails, with nothing finished before
anew() {
  rm -rf mask.tif.parts
  fails "$@"
}

for rank in 0 1 2; do
  fails "model.h5: " "$rank open EACCES 1 model.h5" $command
  fails "model.h5: " "$rank read EIO 30 model.h5" $command
  fails "scene.tif: .*Permission denied" "$rank open EACCES 1 scene.tif" $command
  fails "scene.tif: reading" "$rank read EIO 3 scene.tif $block" ${command/model/scaled} # statistics
  fails "scene.tif: .*Permission denied" "$rank open EACCES 3 scene.tif" $command # the reader
  anew "scene.tif: reading" "$rank read EIO 3 scene.tif $block" $command
  anew "$rank.spool: cannot be opened" "$rank open EACCES 1 $rank.spool" $command
  anew "$rank.spool: cannot be written" "$rank write ENOSPC 1 $rank.spool" $command
  anew "$rank.spool: cannot be written" "$rank write ENOSPC 4 $rank.spool" $command
  anew "$rank.spool: cannot be written" "$rank close ENOSPC 1 $rank.spool" $command
  anew "no memory for " "$rank memory ENOMEM 4 - $large" $command
  anew "no memory for " "$rank memory ENOMEM 7 - $large" $command
  anew "thread .*cannot be started" "$rank thread EAGAIN 1" $command
  anew "thread .*cannot be started" "$rank thread EAGAIN 2" $command
  # All put together what all have written.
  anew ".spool: cannot be opened" "$rank open EACCES 2 [0-9].spool" $command
  anew ".spool: cannot be read" "$rank read EIO 1 [0-9].spool" $command
  anew "derived.$rank.spool: cannot be written" "$rank write ENOSPC 1 derived.$rank.spool" $command
  anew "assembled.tif: cannot" "$rank write ENOSPC 2 assembled.tif" $command
done
anew "derived.1.spool: cannot be opened" "1 open EACCES 1 derived.1.spool" $command
anew "derived.1.spool: cannot be written" "1 fsync EIO 1 derived.1.spool" $command
anew "derived.1.spool: cannot be read" "0 read EIO 1 derived.1.spool" $command
anew "assembled.tif: cannot" "2 open EACCES 1 assembled.tif" $command
anew "assembled.tif: cannot" "2 fsync EIO 1 assembled.tif" $command
anew "assembled.tif: cannot" "2 close EIO 1 assembled.tif" $command
anew "mask.tif.parts: the folder cannot be made" "0 mkdir EACCES 1 mask.tif.parts" $command
anew "journal: cannot be written" "0 write ENOSPC 1 journal.tmp.*" $command
anew "skeleton.tif: cannot" "0 open EACCES 2 skeleton.tif" $command
anew "skeleton.tif: cannot" "0 write ENOSPC 3 skeleton.tif" $command
anew "skeleton.tif: cannot" "0 open EACCES 1 skeleton.tif.aux.xml" $command
anew "assembled.tif: cannot" "0 write ENOSPC 1 assembled.tif" $command
anew "mask.tif: cannot" "0 fsync EIO 2 assembled.tif" $command
anew "mask.tif: cannot" "0 rename EACCES 1 mask.tif" $command
[ "$(cat mask.tif mask.qml)" = "old
old" ] || fail "the older mask is gone"
anew "assembled.qml: cannot" "0 write ENOSPC 1 assembled.qml.tmp.*" $command

assert_same() {
  cmp whole.tif mask.tif && cmp whole.qml mask.qml && cmp whole.tif.aux.xml mask.tif.aux.xml ||
    fail "another mask after failures"
  [ ! -e mask.tif.parts ] || fail "mask.tif.parts stays"
}
works $command
assert_same

# Killed while it reads, writes, and before the mask has its name: what is there is whole.
anew_killed() {
  rm -rf mask.tif.parts
  killed "$@"
}
for rank in 0 1 2; do
  anew_killed "$rank read KILL 30 scene.tif $block" $command
  anew_killed "$rank write KILL 2 $rank.spool" $command
  anew_killed "$rank write KILL 2 assembled.tif" $command
done
anew_killed "1 write KILL 1 derived.1.spool" $command
anew_killed "0 rename KILL 1 mask.tif" $command
cmp whole.tif mask.tif || fail "a killed job changed the mask"
works $command
assert_same
echo "failures end the prediction with one message; the mask is whole or not there"
