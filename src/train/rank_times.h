/*
 * Where the time of a training went, over all ranks.
 */
#ifndef SG_TRAIN_RANK_TIMES_H
#define SG_TRAIN_RANK_TIMES_H

#include "comm/comm.h"

/* Seconds of one rank, or of one of its steps. */
typedef struct {
    double read, compute,
        wait; /* waiting for batches; computing; waiting for sums of other ranks */
} sg_rank_times;

typedef struct {
    sg_rank_times mean, least, most; /* over ranks, each number by itself */
    int slowest;                     /* the rank that read and computed for longest */
} sg_times_over_ranks;

/* all: [ranks]. [local] */
sg_times_over_ranks sg_times_summarize(const sg_rank_times *all, int ranks);
/* Tell rank 0's reader of `steps` steps of all ranks, and name the slowest. [collective] */
sg_err sg_times_tell(sg_comm *comm, const sg_rank_times *mine, int64_t steps);

#endif
