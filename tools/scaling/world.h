/*
 * What all simulated processes share: they are threads of one process, and take turns, so that a
 * plain variable is seen by all and nobody is disturbed between two calls of SimGrid.
 *
 * MPI's own barriers and communicators are left out on purpose: splitting the world of n processes
 * costs the simulator n^2, which is all of its time from 500 nodes on.
 */
#ifndef SCALING_WORLD_H
#define SCALING_WORLD_H

#include <stdbool.h>

/* Memory for messages, nowhere looked at: as many bytes as a message has at most. */
extern char *nothing;

/* true for who comes first: then `nothing` is made, too. */
bool once(void);

/* Until `count` processes are here, in no time; all meetings are of the same processes. */
void meet(int count);

/* Processes `first`, first + 1 ... of `count`, this one being `rank` of them; process k is rank
 * k * stride + offset of the world. */
typedef struct {
    int first, count, rank, stride, offset;
} ranks_of;

int world_rank(ranks_of ranks, int rank);

/* An all-reduce of `values` numbers of 8 bytes as MPI libraries do short ones: recursive doubling,
 * what is beyond the largest power of 2 folded into the others. */
void sum_small(ranks_of ranks, int values);

#endif
