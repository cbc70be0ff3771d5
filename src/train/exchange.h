/*
 * A rank's gradient on its way to the sum over all ranks: in buckets, while the backward pass goes
 * on. [collective] unless said otherwise.
 *
 * Ways. On a host the buckets are summed where they lie. On a device they go down into pinned
 * memory, are summed there and come back up; or MPI takes the device's memory; or NCCL sums between
 * the GPUs. With one rank nothing is moved. SEGTILES_SUMS=host, mpi or nccl asks for one of the
 * three, auto for the last that is possible.
 *
 * A bucket's bounds are the same on all ranks, and a rank that has failed starts the same sums in
 * the same order, of zeros or of whatever there is: nobody uses them.
 */
#ifndef SG_TRAIN_EXCHANGE_H
#define SG_TRAIN_EXCHANGE_H

#include "comm/comm.h"
#include "nn/exec.h"

typedef struct {
    int32_t accumulate;     /* micro-batches that are added up before the sum over ranks */
    size_t bucket_elements; /* 0: chosen: 1 Mi, or, where sums are ours and there are several nodes,
                               by what they are measured to take: no result depends on that */
    int32_t narrow;         /* 1: bf16 between nodes, with error feedback: see sg_sums_options */
} sg_exchange_options;

typedef struct sg_exchange sg_exchange;

/* backend and weights are borrowed. Fails on all ranks or on none. */
sg_err sg_exchange_open(sg_exchange **exchange, sg_comm *comm, sg_backend *backend,
                        sg_weights *weights, const sg_exchange_options *options);
void sg_exchange_close(sg_exchange *exchange); /* NULL is fine */

/* A micro-batch begins, the first being 0; its elements [0, ready) of weights->gradient are final;
 * all are, or, where this rank has failed, will never be. An error is this rank's alone, and has
 * changed nothing for the others. */
void sg_exchange_begin(sg_exchange *exchange, int32_t micro);
sg_err sg_exchange_ready(sg_exchange *exchange, size_t ready);
sg_err sg_exchange_finish(sg_exchange *exchange, bool failed);

/* After the last micro-batch: until what this rank gives is on its way, so that what goes wrong
 * with it is known; ... [local] */
sg_err sg_exchange_given(sg_exchange *exchange);
/* ... and until all sums are in, so that *gradient (the backend's memory) holds them for what the
 * backend is given next. An error is this rank's alone, or, SG_EPEER, another's: it cannot go on.
 */
sg_err sg_exchange_sums(sg_exchange *exchange, const float **gradient);

/* The progress thread's sums, for others of a host's values between finish and sums; NULL with one
 * rank. [local] */
sg_sums *sg_exchange_host_sums(sg_exchange *exchange);
/* Elements of a bucket. [local] */
size_t sg_exchange_bucket(const sg_exchange *exchange);
/* How gradients go. [local] */
typedef struct {
    const char *way;  /* in words */
    bool fixed_order; /* sums are ours: their bits do not depend on buckets */
    double summing;   /* seconds during which sums were under way; 0: not known */
    double exposed;   /* of these after the backward pass, which hides the others */
} sg_exchange_report;
void sg_exchange_get_report(const sg_exchange *exchange, sg_exchange_report *report);

#endif
