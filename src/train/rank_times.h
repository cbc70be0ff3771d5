/*
 * Where the time of a training went, over all ranks.
 */
#ifndef SG_TRAIN_RANK_TIMES_H
#define SG_TRAIN_RANK_TIMES_H

#include "base/text.h"
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

/* The times of all ranks, step by step, as rank 0 writes them into metrics.jsonl. All [local]. */
typedef struct {
    int ranks;
    double pixels;       /* of one rank in a step */
    int64_t step;        /* the last one whose times are known, 0: none */
    sg_rank_times *last; /* [ranks] of that step, owned */
    int64_t steps;       /* in the sums: those since they were told */
    sg_rank_times *sum;  /* [ranks], owned */
} sg_step_times;

enum { SG_RANK_TIMES = 3 }; /* doubles in a sg_rank_times */
_Static_assert(sizeof(sg_rank_times) == SG_RANK_TIMES * sizeof(double), "sent as an array");

sg_err sg_step_times_open(sg_step_times *times, int ranks, double pixels);
void sg_step_times_close(sg_step_times *times);
/* all: (ranks, SG_RANK_TIMES), those of one step. */
void sg_step_times_note(sg_step_times *times, const double *all, int64_t step);
/*
 * Members of an object in JSON, from the comma on; nothing where nothing is known. "times" of one
 * step, in ms: read, compute, wait (mean, least and most over ranks), communicate, and, of several,
 * the slowest rank. What the last rank to enter a step's sums still spends in them is
 * communication, for all ranks; what the others spend beyond it is waiting for that one.
 */
sg_err sg_step_times_add(const sg_step_times *times, sg_text *text);
/* "ranks": of each, means over the steps since this was last called: its speed by itself, and ms of
 * reading, computing and in sums. */
sg_err sg_step_times_add_ranks(sg_step_times *times, sg_text *text);

#endif
