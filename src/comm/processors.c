#include "comm/inner.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "base/threads.h"

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
    int threads = sg_threads_fair(ranks);
    if (known) {
        MPI_Allgather(&mine, sizeof mine, MPI_BYTE, masks, sizeof mine, MPI_BYTE, node);
    }
    if (known && !getenv("OMP_NUM_THREADS")) {
        threads = (int)(share(masks, ranks, rank) + 1e-6);
    }
    sg_free(masks);
    return threads > 0 ? threads : 1;
}
