/*
 * Which values of a training plan are dropped after their last forward use and computed a second
 * time for the backward pass. For plan.c. Pure integers, all [local].
 *
 * The nodes are cut, in order, into parts of about the same bytes. What a later part reads is kept;
 * the rest of a part is computed again just before its backward steps begin. The last part's
 * backward steps follow at once, so nothing of it is dropped. (Chen et al., "Training deep nets
 * with sublinear memory cost", 2016.)
 */
#ifndef SG_NN_RECOMPUTE_H
#define SG_NN_RECOMPUTE_H

#include "nn/plan.h"

enum { SG_RECOMPUTE_TRIALS = 9 };
/* How many parts to try: what is kept grows with their number, what is computed again at once
 * falls, and skip connections decide where the sum is least. The first one drops nothing. */
extern const int32_t sg_recompute_parts[SG_RECOMPUTE_TRIALS];

/* Set part and again (0: runs twice, -1: once) of all nodes. active: a backward step will run the
 * node. */
sg_err sg_recompute_mark(sg_plan *plan, const bool *active, int32_t parts);

#endif
