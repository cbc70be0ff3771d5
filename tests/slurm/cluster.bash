# For scripts that want a Slurm cluster: source this first, with the program's path as $1. Makes a real
# one of two nodes, n1 and n2, on this machine: each has its own network, host name, /dev/shm and /tmp;
# the controller and the script itself live in a third. All of it is in a process namespace of its own,
# so that nothing can outlive the script. Skips where that is not permitted.
if [ -z "${CLUSTER_INSIDE:-}" ]; then
  skip() {
    echo "skipped: $*"
    exit 77
  }
  [ "$(id -u)" = 0 ] || skip "a cluster of namespaces wants root"
  for command in slurmctld slurmd munged sbatch ip unshare nsenter; do
    command -v $command >/dev/null || skip "there is no $command (tools/setup.sh --tests)"
  done
  apart=(unshare --mount --uts --net --pid --fork --kill-child --mount-proc --propagation private)
  "${apart[@]}" true 2>/dev/null || skip "namespaces are not permitted here"
  # Not below /tmp, of which each node has its own.
  CLUSTER_INSIDE=1 TMPDIR=/var/tmp exec "${apart[@]}" bash "$0" "$@"
fi
. "$(dirname "${BASH_SOURCE[0]}")/../support/program.bash" "$1"
scripts=$(cd "$support/../../slurm" && pwd)
cluster=$work/cluster
export SLURM_CONF=$cluster/slurm.conf SEGTILES=$segtiles
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_mpi_yield_when_idle=1
export OMPI_MCA_odls_base_sigkill_timeout=1
case $segtiles in /tmp/*) skip "the program lies in /tmp, of which each node has its own" ;; esac

# on NODE COMMAND...: in the namespaces of a node
on() {
  local node=$1
  shift
  nsenter -t "$(cat "$cluster/$node.pid")" --mount --uts --net -- "$@"
}

make_node() {
  local name=$1 address=$2
  mkdir "$cluster/tmp-$name"
  unshare --mount --uts --net --propagation private bash -c "
    hostname $name
    mount --bind '$cluster/hosts' /etc/hosts
    mount -t tmpfs tmpfs /dev/shm
    mount --bind '$cluster/tmp-$name' /tmp
    echo \$\$ >'$cluster/$name.new' && mv '$cluster/$name.new' '$cluster/$name.pid'
    exec sleep infinity" >/dev/null 2>&1 </dev/null &
  until [ -e "$cluster/$name.pid" ]; do sleep 0.02; done
  ip link add "v$name" type veth peer name eth0 netns "$(cat "$cluster/$name.pid")"
  ip link set "v$name" master bridge up
  on "$name" ip addr add "$address/24" dev eth0
  on "$name" ip link set eth0 up
  on "$name" ip link set lo up
}

write_configuration() {
  cat >"$SLURM_CONF" <<CONF
ClusterName=made
SlurmctldHost=ctl(10.77.0.254)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$cluster/munge/socket
CredType=cred/munge
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool-%n
SlurmctldPidFile=$cluster/slurmctld.pid
SlurmdPidFile=$cluster/slurmd-%n.pid
SlurmctldLogFile=$cluster/slurmctld.log
SlurmdLogFile=$cluster/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MailProg=/bin/true
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_min_interval=0,batch_sched_delay=0,bf_interval=2
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SlurmdTimeout=6
KillWait=8
JobRequeue=1
MinJobAge=600
NodeName=n1 NodeAddr=10.77.0.1 CPUs=4 RealMemory=4000 ${gpus:+Gres=gpu:$gpus} State=UNKNOWN
NodeName=n2 NodeAddr=10.77.0.2 CPUs=4 RealMemory=4000 ${gpus:+Gres=gpu:$gpus} State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
${gpus:+GresTypes=gpu}
CONF
  local gpu
  for ((gpu = 0; gpu < ${gpus:-0}; gpu++)); do # such as the scheduler knows them: a file each
    mknod "$cluster/nvidia$gpu" c 1 3
    echo "Name=gpu File=$cluster/nvidia$gpu Flags=nvidia_gpu_env"
  done >"$cluster/gres.conf"
}

# start_cluster [GPUS OF A NODE]
start_cluster() {
  local gpus=${1:-}
  mkdir -p "$cluster"/{munge,state}
  chmod 755 "$work" "$cluster" "$cluster/munge"
  printf '127.0.0.1 localhost\n10.77.0.254 ctl\n10.77.0.1 n1\n10.77.0.2 n2\n' >"$cluster/hosts"
  hostname ctl
  mount --bind "$cluster/hosts" /etc/hosts
  ip link set lo up
  ip link add bridge type bridge
  ip addr add 10.77.0.254/24 dev bridge
  ip link set bridge up
  make_node n1 10.77.0.1
  make_node n2 10.77.0.2
  write_configuration
  head -c 1024 /dev/urandom >"$cluster/munge/key"
  chmod 600 "$cluster/munge/key"
  munged --force --key-file="$cluster/munge/key" --socket="$cluster/munge/socket" \
    --pid-file="$cluster/munge/pid" --log-file="$cluster/munge/log" --seed-file="$cluster/munge/seed"
  slurmctld
  on n1 slurmd
  on n2 slurmd
  await 30 "two idle nodes" nodes_are_idle
}

nodes_are_idle() {
  [ "$(sinfo -h -t idle -o %D)" = 2 ]
}

# await SECONDS WHAT COMMAND...: until the command is true
await() {
  local until=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    [ "$SECONDS" -lt "$until" ] || {
      squeue -o '%i %T %r' >&2
      sinfo >&2
      tail -n 20 "$cluster"/*.log "$work"/*.log >&2 2>/dev/null
      fail "waited in vain for $what"
    }
    sleep 0.2
  done
}

# The job in $id, put back into the queue, waits for two minutes otherwise. Its former run must be gone
# from the nodes, where the new one would be taken for it: credentials count in whole seconds.
hurry() {
  await 30 "job $id in the queue" is_pending
  await 30 "two idle nodes" nodes_are_idle
  sleep 2.5
  scontrol update JobId="$id" StartTime=now TimeLimit=30
}

is_pending() {
  [ "$(squeue -h -j "$id" -o %T)" = PENDING ]
}

# submit ARGUMENTS OF SBATCH...: its number in $id, what it says in $log
submit() {
  id=$(sbatch --parsable --output="$work/%A_%a.log" --export=ALL "$@")
  id=${id%%;*}
}

# Programs to run instead, that tell where they run; places EXPECTED ARGUMENTS OF SBATCH...: what they
# tell
make_teller() {
  cat >program <<'PROGRAM'
#!/bin/bash
echo "at $(hostname): $OMP_NUM_THREADS threads, GPUs ${CUDA_VISIBLE_DEVICES:-none}"
PROGRAM
  chmod +x program
  export SEGTILES=$work/program
}

places() {
  local expected=$1
  shift
  submit "$@"
  ended COMPLETED
  diff <(grep -h '^at ' "$work/${id}_4294967294.log" | sort) <(echo "$expected") ||
    fail "ranks elsewhere: $*"
}

# The state that a job has come to; nothing is left of it on any node
has_ended() {
  state=$(scontrol -o show job "$1" | sed 's/.*JobState=\([A-Z_]*\).*/\1/;q')
  case $state in PENDING | RUNNING | COMPLETING | CONFIGURING | SUSPENDED | REQUEUED) return 1 ;; esac
  [ -z "$(squeue -h -j "$1" 2>/dev/null)" ]
}

# ended STATE: the job in $id ends so, and leaves no process behind
ended() {
  await 120 "the end of job $id" has_ended "$id"
  [ "$state" = "$1" ] || {
    tail -n 30 "$work"/*.log >&2
    fail "job $id is $state, $1 expected"
  }
  await 10 "the last process" no_process_left
}

no_process_left() {
  ! pgrep -f "^$segtiles " >/dev/null && ! pgrep -x 'mpirun|orted' >/dev/null
}
