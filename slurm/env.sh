# What the scripts beside this one have to know of the cluster: adapt it. Read by bash, on the first
# node of a job; $root is the folder above this one. The environment goes on to all ranks.

# module purge
# module load gcc openmpi gdal hdf5 onednn

# The program, and the maker of the scenes of jobs/demo.yaml.
segtiles=${SEGTILES:-$root/build/release/segtiles}
make_scene=${SEGTILES_MAKE_SCENE:-$(dirname "$segtiles")/make_scene}

# What starts the ranks: srun or mpirun; empty: srun where it speaks PMIx, else mpirun.
launcher=${SEGTILES_LAUNCHER:-}

# Ranks on a node where sbatch was not told (--ntasks-per-node, --ntasks). Empty: one for each GPU of
# the job; without GPUs, one for each NUMA domain.
ranks_per_node=${SEGTILES_RANKS_PER_NODE:-}

# Half of the seconds that mpirun leaves ranks to save between SIGTERM and SIGKILL. It takes them whenever
# a run is stopped, so not more than saving takes; and less than half of Slurm's KillWait.
export OMPI_MCA_odls_base_sigkill_timeout=${OMPI_MCA_odls_base_sigkill_timeout:-5}
