#include "world.h"

#include <mpi.h>
#include <simgrid/barrier.h>

enum { MESSAGE_MOST = 512 << 20, SMALL = 7 };

char *nothing;

bool once(void)
{
    static bool done;
    if (done)
        return false;
    done = true;
    nothing = SMPI_SHARED_MALLOC(MESSAGE_MOST);
    return true;
}

void meet(int count)
{
    static sg_bar_t barrier;
    if (!barrier)
        barrier = sg_barrier_init((unsigned)count);
    sg_barrier_wait(barrier);
}

int world_rank(ranks_of r, int rank)
{
    return (r.first + rank) * r.stride + r.offset;
}

static void give(ranks_of r, int rank, int values)
{
    MPI_Send(nothing, values, MPI_DOUBLE, world_rank(r, rank), SMALL, MPI_COMM_WORLD);
}

static void take(ranks_of r, int rank, int values)
{
    MPI_Recv(nothing, values, MPI_DOUBLE, world_rank(r, rank), SMALL, MPI_COMM_WORLD,
             MPI_STATUS_IGNORE);
}

void sum_small(ranks_of r, int values)
{
    int whole = 1;
    while (2 * whole <= r.count)
        whole *= 2;
    if (r.rank >= whole) {
        give(r, r.rank - whole, values);
        take(r, r.rank - whole, values);
        return;
    }
    bool folded = r.rank + whole < r.count;
    if (folded)
        take(r, r.rank + whole, values);
    for (int mask = 1; mask < whole; mask *= 2)
        MPI_Sendrecv(nothing, values, MPI_DOUBLE, world_rank(r, r.rank ^ mask), SMALL, nothing,
                     values, MPI_DOUBLE, world_rank(r, r.rank ^ mask), SMALL, MPI_COMM_WORLD,
                     MPI_STATUS_IGNORE);
    if (folded)
        give(r, r.rank + whole, values);
}
