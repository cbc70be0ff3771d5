#!/usr/bin/env bash
# What cannot be written, at any stage of a training, ends it on all ranks with one message that names
# the file; no part of a file stays under any name, and a checkpoint that was there stays what it was.
# Afterwards the training goes on to the bytes of one that nothing happened to.
. "$(dirname "$0")/../support/program.bash" "$1"
. "$support/fault.bash"
. "$support/fault_training.bash"
make_training
works train job.yaml -o whole

# Before the first checkpoint the same command starts anew.
start="train job.yaml -o run"
fails "run: the folder cannot be made" "0 mkdir EACCES 1 run" $start
for file in job.yaml metrics.csv metrics.jsonl best.h5 last.h5; do
  words="run/$file: cannot"
  fails "$words" "0 open EACCES 2 $file*" $start # HDF5 and our own flush open the file again
  fails "$words" "0 write ENOSPC 1 $file.tmp.*" $start
  fails "$words" "0 fsync EIO 1 $file.tmp.*" $start
  fails "$words" "0 rename EACCES 1 $file" $start
  [ ! -e run/last.h5 ] || fail "a checkpoint before anything was saved"
done
fails "run/metrics.csv: cannot be written" "0 write ENOSPC 1 metrics.csv" $start
fails "run/metrics.jsonl: cannot be written" "0 write ENOSPC 2 metrics.jsonl" $start
fails "run/last.h5: cannot write" "0 write ENOSPC 40 last.h5.tmp.*" $start

# After it the training goes on. The checkpoint of step 4 is written while later steps are computed.
fails "run/last.h5: cannot be written" "0 rename ENOSPC 2 last.h5" $start
lines=$(wc -l <run/metrics.csv)
[ "$lines" -ge 5 ] && [ "$lines" -le 7 ] || fail "expected metrics of 4 to 6 steps"
cp run/last.h5 former.h5
go_on="train job.yaml --resume=run"
fails "run/metrics.csv: cannot be read" "0 open EACCES 1 metrics.csv" $go_on
fails "run/metrics.csv: cannot be written" "0 write ENOSPC 3 metrics.csv.tmp.*" $go_on
fails "run/last.h5: " "2 open EACCES 1 last.h5" $go_on
fails "run/last.h5: " "1 read EIO 60 last.h5" $go_on
for nth in 1 2 20 80; do # once, or a disk that stays full
  fails "run/last.h5: cannot" "0 write ENOSPC $nth last.h5.tmp.*" $go_on
  fails "run/last.h5: cannot" "0 write ENOSPC+ $((nth + 3)) last.h5.tmp.*" $go_on
done
fails "run/last.h5: cannot be written" "0 fsync EIO 1 last.h5.tmp.*" $go_on
fails "run/previous.h5: cannot be written" "0 rename ENOSPC 1 previous.h5" $go_on
cmp former.h5 run/last.h5 || fail "the checkpoint changed"
resume
assert_same_run whole run
echo "what cannot be written ends the training with one message"
