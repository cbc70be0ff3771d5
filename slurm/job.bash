# For the scripts beside this one: how ranks are laid out and started, and what a signal does. They
# set $here, the folder of this file, and take --dry-run anywhere: print the command, run nothing.
set -euo pipefail
root=$(cd "$here/.." && pwd)
. "$here/env.sh"

dry_run=
arguments=()
for argument in "$@"; do
  if [ "$argument" = --dry-run ]; then dry_run=1; else arguments+=("$argument"); fi
done

# Ranks and the threads of each: what sbatch was told, else one rank for each GPU or NUMA domain.
lay_out() {
  local cpus=${SLURM_CPUS_ON_NODE:-$(nproc)} domains per_node
  nodes=${SLURM_JOB_NUM_NODES:-1} gpus=${SLURM_GPUS_ON_NODE:-0}
  domains=$(lscpu -p=NODE | grep -v '^#' | sort -u | wc -l)
  per_node=${ranks_per_node:-$((gpus > 0 ? gpus : domains > cpus ? cpus : domains))}
  ranks=${SLURM_NTASKS:-$((nodes * per_node))}
  per_node=$(((ranks + nodes - 1) / nodes))
  threads=${SLURM_CPUS_PER_TASK:-$((cpus / per_node > 0 ? cpus / per_node : 1))}
  export OMP_NUM_THREADS=$threads
  if [ -z "$launcher" ]; then
    launcher=mpirun
    if srun --mpi=list 2>&1 | grep -q pmix; then launcher=srun; fi
  fi
  if [ "$launcher" = srun ]; then
    # -K: a rank that is killed ends the others, too.
    launch=(srun --mpi=pmix -K --nodes="$nodes" --ntasks="$ranks" --cpus-per-task="$threads")
    if [ "$gpus" -ge "$per_node" ]; then
      launch+=(--gpus-per-task=1)
    elif [ "$gpus" -gt 0 ]; then # the ranks of a node take its GPUs in turn
      launch+=(--gres="gpu:$gpus")
    fi
  else
    # One slot a rank; where they run is Slurm's choice, what they are pinned to as well.
    launch=(env SLURM_TASKS_PER_NODE="$per_node(x$nodes)" mpirun -n "$ranks"
      --map-by "ppr:$per_node:node" --bind-to none)
  fi
}

# Has the job been asked to end by Slurm itself (scancel, scontrol requeue)? Then it knows what follows.
is_running() {
  [ "$(squeue -h -j "$SLURM_JOB_ID" -o %T 2>/dev/null)" = RUNNING ]
}

# run ARGUMENTS...: the program on all ranks. A signal is passed on, for the program saves what it has
# and ends with status 75; then the job goes back into the queue, and the same command goes on.
run() {
  local status=0 pid asked= caught=
  lay_out
  if [ -n "$dry_run" ]; then
    echo "OMP_NUM_THREADS=$threads $(printf '%q ' "${launch[@]}" "$segtiles" "$@")"
    return 0
  fi
  "${launch[@]}" "$segtiles" "$@" &
  pid=$!
  trap 'asked=1 caught=1; kill -USR1 "$pid" 2>/dev/null || true' USR1
  trap 'asked=1 caught=1' TERM # Slurm has sent it to the ranks as well
  until # a signal ends wait, but not what it waits for
    caught='' status=0
    wait "$pid" || status=$?
    [ -z "$caught" ]
  do :; done
  trap - USR1 TERM
  [ $status != 0 ] || return 0
  # With -K the last ranks of a run that stops may be killed at their exit, after all is saved.
  if [ $status = 75 ] || { [ -n "$asked" ] && [ $status -gt 128 ]; }; then
    if [ -n "${SLURM_JOB_ID:-}" ] && is_running; then
      echo "job $SLURM_JOB_ID is stopped and saved; it goes back into the queue" >&2
      scontrol requeue "$SLURM_JOB_ID"
      sleep 60 & # Slurm ends this script; should it end by itself, the job would have failed
      wait
    fi
  else
    echo "job ${SLURM_JOB_ID:-} ended with status $status; what was saved stays, and the job goes on" \
      "from there after: scontrol requeue ${SLURM_JOB_ID:-}" >&2
  fi
  exit $status
}
