#!/usr/bin/env bash
# sbatch [sbatch's options] slurm/train.sh [JOB [key=value ...] [options of segtiles train]]
#
# Trains by a job file, which stands first; without one by jobs/demo.yaml, whose scenes it makes. Before the time is up, and
# when it is preempted, it saves, goes back into the queue and goes on. The run folder is that of --out or
# of the job's out, else runs/slurm-JOBID. --dry-run prints the command.
#SBATCH --job-name=train
#SBATCH --nodes=1
#SBATCH --exclusive
#SBATCH --signal=B:USR1@180
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log
here=$(dirname "$0") # Slurm runs a copy; it knows where the script was
[ -e "$here/job.bash" ] ||
  here=$(scontrol show job "$SLURM_JOB_ID" | sed -n 's|^ *Command=\([^ ]*\)/.*|\1|p')
. "$here/job.bash"

case ${arguments[0]:-} in '' | -* | *=*)
  export DEMO=${DEMO:-$root/build/demo}
  arguments=("$root/jobs/demo.yaml" "${arguments[@]}")
  if [ -z "$dry_run" ] && [ ! -e "$DEMO/train_labels.tif" ]; then
    mkdir -p "$DEMO"
    "$make_scene" --size 3072x2048 -o "$DEMO/train.tif" -l "$DEMO/train_labels.tif"
  fi
  ;;
esac
run train --auto-resume="runs/slurm-${SLURM_JOB_ID:-JOBID}" "${arguments[@]}"
