#include "comm/inner.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/size.h"
#include "base/threads.h"

/*
 * Open MPI pins each rank of a small job to one core unless told otherwise, so that a plain
 * `mpirun -n 1` on a machine of 64 would compute with one. Was that its own idea?
 */
static bool pinned_by_default(void)
{
    return getenv("OMPI_MCA_orte_bound_at_launch") &&
           !getenv("OMPI_MCA_hwloc_base_binding_policy") &&
           !getenv("OMPI_MCA_rmaps_base_mapping_policy");
}

/*
 * Where ranks were pinned by default and processors of the node are left over, take the pins out,
 * on all ranks of the node or none: a rank then has what the process that started it has (mpirun or
 * its daemon, within the limits that the user or the batch system set). *mine: this rank's
 * processors.
 */
static void unpin(MPI_Comm node, cpu_set_t *mine)
{
    cpu_set_t parents, used = *mine;
    int possible =
        pinned_by_default() && sched_getaffinity(getppid(), sizeof parents, &parents) == 0;
    MPI_Allreduce(MPI_IN_PLACE, &used, sizeof used, MPI_BYTE, MPI_BOR, node);
    MPI_Allreduce(MPI_IN_PLACE, &possible, 1, MPI_INT, MPI_MIN, node);
    if (possible && CPU_COUNT(&used) < CPU_COUNT(&parents) &&
        sched_setaffinity(0, sizeof parents, &parents) == 0) {
        *mine = parents;
    }
}

/* The share of each of my processors that is mine when ranks divide them evenly, summed. */
static double share(const cpu_set_t *masks, int ranks, int mine)
{
    double sum = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        int users = 0;
        for (int r = 0; r < ranks; r++) {
            users += CPU_ISSET(cpu, &masks[r]) != 0;
        }
        sum += CPU_ISSET(cpu, &masks[mine]) ? 1.0 / users : 0;
    }
    return sum;
}

int sg_comm_share_processors(MPI_Comm node)
{
    int rank = 0, ranks = 1;
    cpu_set_t mine;
    cpu_set_t *masks = NULL;
    MPI_Comm_rank(node, &rank);
    MPI_Comm_size(node, &ranks);
    CPU_ZERO(&mine);
    int known = sched_getaffinity(0, sizeof mine, &mine) == 0 &&
                sg_calloc((size_t)ranks, sizeof *masks, &masks) == SG_OK;
    MPI_Allreduce(MPI_IN_PLACE, &known, 1, MPI_INT, MPI_MIN, node);
    if (known) {
        unpin(node, &mine);
        MPI_Allgather(&mine, sizeof mine, MPI_BYTE, masks, sizeof mine, MPI_BYTE, node);
    }
    int threads = known && !getenv("OMP_NUM_THREADS") ? (int)(share(masks, ranks, rank) + 1e-6)
                                                      : sg_threads_fair(ranks);
    sg_free(masks);
    return threads > 0 ? threads : 1;
}
