#!/usr/bin/env bash
# On nodes with GPUs there is one rank for each, bound to it by Slurm: all of the node's, as the scripts
# take whole nodes, or those that sbatch was told. The GPUs are files that the scheduler hands out.
. "$(dirname "$0")/cluster.bash" "$1"
start_cluster 2
make_teller

places 'at n1: 2 threads, GPUs 0
at n1: 2 threads, GPUs 1
at n2: 2 threads, GPUs 0
at n2: 2 threads, GPUs 1' --nodes=2 "$scripts/train.sh" a.yaml
places 'at n1: 2 threads, GPUs 0
at n1: 2 threads, GPUs 1' --gpus-per-node=2 "$scripts/predict.sh" a.tif
# More ranks than GPUs: they share, and the program deals them out.
places 'at n1: 1 threads, GPUs 0,1
at n1: 1 threads, GPUs 0,1
at n1: 1 threads, GPUs 0,1
at n1: 1 threads, GPUs 0,1' --ntasks-per-node=4 "$scripts/train.sh" a.yaml
echo "a rank for each GPU"
