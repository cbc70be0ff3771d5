/*
 * The sums over ranks within a pass of the network, of batch norm's statistics and of losses of
 * regions, which every rank has to enter, in the same order, also one that has failed.
 *
 * Those of the first pass are remembered: a rank that fails in the middle of a later one enters
 * what is left of them with zeros. [collective] unless said otherwise.
 */
#ifndef SG_TRAIN_PASS_SUMS_H
#define SG_TRAIN_PASS_SUMS_H

#include "comm/comm.h"

#include <stdbool.h>

typedef struct {
    sg_comm **comm; /* [count] whose sums they are; owned, the communicators borrowed */
    size_t *size;   /* [count] values of each; owned */
    int32_t count, most, next;
    double *zeros; /* as many as the largest has values, once a pass has gone through; owned */
} sg_pass_sums;

/* At most `most` sums in a pass. [local] */
sg_err sg_pass_sums_open(sg_pass_sums *sums, int32_t most);
void sg_pass_sums_close(sg_pass_sums *sums); /* zeros are fine. [local] */

void sg_pass_sums_begin(sg_pass_sums *sums); /* a pass. [local] */
/* values[size] become the sums over comm's ranks. */
void sg_pass_sums_add(sg_pass_sums *sums, sg_comm *comm, double *values, size_t size);
/* The pass went through. [local] */
sg_err sg_pass_sums_end(sg_pass_sums *sums);
/* It failed on this rank: enter what is left of it. False where no pass went through before: then
 * nobody knows here in which sums the others wait, and none is entered. */
bool sg_pass_sums_give_up(sg_pass_sums *sums);

#endif
