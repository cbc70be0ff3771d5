/*
 * Sums over ranks of what lies in GPUs, by NCCL: put into a stream of the caller's, which the GPUs
 * then carry out between them. The library is opened while running, and need not be there. Knows
 * nothing of CUDA but that a stream is a pointer.
 *
 * Sums are in an order that NCCL chooses: the same bits with every run on the same GPUs and
 * library, not those of other ways.
 */
#ifndef SG_COMM_NCCL_H
#define SG_COMM_NCCL_H

#include "comm/comm.h"

typedef struct sg_nccl sg_nccl;

/*
 * stream: of this rank's GPU, which must be the thread's current one; NULL: it has none. device: 16
 * bytes that are those of no other GPU. SG_EUNSUPPORTED, with the reason as the error text, where
 * NCCL is not built in or not found, where a rank has no GPU or shares it; the ranks that know of
 * no reason get SG_EPEER. Fails on all ranks or on none, silently. [collective]
 */
sg_err sg_nccl_create(sg_nccl **nccl, sg_comm *comm, void *stream, const uint8_t device[16]);
/* NULL is fine. [collective] */
void sg_nccl_close(sg_nccl *nccl);

/*
 * Put the sum of count values in the GPU's memory into the stream, in place. [collective: in the
 * same order and sizes on all ranks, but it waits for none]
 *
 * What fails here or in the stream is known to sg_nccl_check soon, on every rank: whoever waits for
 * the stream asks it now and then. After an error nothing more is summed: each call fails. [local]
 */
sg_err sg_nccl_sum(sg_nccl *nccl, float *values, size_t count);
/* SG_EPEER: another rank has given up. */
sg_err sg_nccl_check(sg_nccl *nccl);
/* Give up, and tell the others: this rank's GPU is lost. [local] */
void sg_nccl_give_up(sg_nccl *nccl);

#endif
