#!/usr/bin/env bash
# Where ranks run on nodes without GPUs: one for each NUMA domain, or as sbatch was told; threads follow
# --cpus-per-task. By srun and by mpirun, and as --dry-run prints it.
. "$(dirname "$0")/cluster.bash" "$1"
start_cluster
make_teller

domains=$(lscpu -p=NODE | grep -v '^#' | sort -u | wc -l)
for SEGTILES_LAUNCHER in srun mpirun; do
  export SEGTILES_LAUNCHER
  [ "$domains" != 1 ] || places 'at n1: 4 threads, GPUs none
at n2: 4 threads, GPUs none' --nodes=2 "$scripts/predict.sh" a.tif
  places 'at n1: 2 threads, GPUs none
at n1: 2 threads, GPUs none
at n2: 2 threads, GPUs none
at n2: 2 threads, GPUs none' --nodes=2 --ntasks-per-node=2 --cpus-per-task=2 "$scripts/train.sh" a.yaml
  SEGTILES_RANKS_PER_NODE=4 places 'at n2: 1 threads, GPUs none
at n2: 1 threads, GPUs none
at n2: 1 threads, GPUs none
at n2: 1 threads, GPUs none' --nodelist=n2 "$scripts/predict.sh" a.tif
done

# Nothing runs, and arguments come through as they are.
said=$(SEGTILES_LAUNCHER=srun bash "$scripts/train.sh" 'a b.yaml' --dry-run train.steps=3)
case $said in
*"OMP_NUM_THREADS="*" srun --mpi=pmix -K "*"program train "*" a\\ b.yaml train.steps=3 ") ;;
*) fail "--dry-run prints: $said" ;;
esac
[ ! -e runs ] || fail "--dry-run made a folder"
echo "ranks are where they should be"
