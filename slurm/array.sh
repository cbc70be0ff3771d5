#!/usr/bin/env bash
# sbatch --array=0-9 [sbatch's options] slurm/array.sh LIST [options of segtiles predict]
#
# Maps the scenes of a text file, one a line, relative to it: each task of the array takes every tenth
# of them. A task that is stopped or preempted goes back into the queue and does what is not yet done:
# array-JOBID_TASK.done lists its finished scenes. --dry-run prints the commands.
#SBATCH --job-name=array
#SBATCH --nodes=1
#SBATCH --signal=B:USR1@180
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%A_%a.log
here=$(dirname "$0") # Slurm runs a copy; it knows where the script was
[ -e "$here/job.bash" ] ||
  here=$(scontrol show job "$SLURM_JOB_ID" | sed -n 's|^ *Command=\([^ ]*\)/.*|\1|p;T;q')
. "$here/job.bash"

list=${arguments[0]:?a list of scenes is missing: slurm/array.sh LIST}
done=array-${SLURM_ARRAY_JOB_ID:-JOBID}_${SLURM_ARRAY_TASK_ID:-0}.done
first=${SLURM_ARRAY_TASK_MIN:-0} tasks=${SLURM_ARRAY_TASK_COUNT:-1}
mapfile -t scenes < <(awk -v n="$tasks" -v i="$((${SLURM_ARRAY_TASK_ID:-0} - first))" \
  'NF && k++ % n == i' "$list")
for scene in "${scenes[@]}"; do
  [[ $scene = /* ]] || scene=$(dirname "$list")/$scene
  if ! grep -qxFs -- "$scene" "$done"; then
    run predict "$scene" "${arguments[@]:1}"
    [ -n "$dry_run" ] || echo "$scene" >>"$done"
  fi
done
