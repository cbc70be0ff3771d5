#!/usr/bin/env bash
# sbatch [sbatch's options] slurm/predict.sh SCENE ... [options of segtiles predict]
#
# Maps scenes. Before the time is up, and when it is preempted, it goes back into the queue and then does
# what is not yet done. --dry-run prints the command.
#SBATCH --job-name=predict
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
run predict "${arguments[@]}"
