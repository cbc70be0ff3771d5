/*
 * One data-parallel training step. Every rank holds the whole network and an equal share of the
 * batch; gradients are summed in buckets while the backward pass goes on; the last bucket carries
 * loss, weight and failure count.
 *
 * A rank that fails stays in the dance: it enters the same collectives with zeros, and all ranks
 * learn of it in the same step. [collective] unless said otherwise.
 */
#ifndef SG_TRAIN_STEP_H
#define SG_TRAIN_STEP_H

#include "comm/comm.h"
#include "nn/exec.h"

typedef struct {
    int32_t accumulate; /* micro-batches per optimizer step, at least 1 */
    float clip_norm;    /* 0: off; of the mean gradient over all ranks, PyTorch's clip_grad_norm_ */
    int32_t sync_norm;  /* batch-norm statistics over all ranks */
    size_t bucket_elements; /* of a gradient bucket; 0: default (4 MiB) */
} sg_step_options;

typedef struct sg_stepper sg_stepper;

sg_err sg_stepper_create(sg_stepper **stepper, sg_comm *comm, sg_backend *backend,
                         sg_weights *weights, const sg_graph *training_graph, sg_shape input,
                         sg_dtype type, const sg_step_options *options);
void sg_stepper_close(sg_stepper *stepper);

typedef struct {
    double loss; /* mean over all valid pixels of all ranks, weighted by class weight */
    double norm; /* of the mean gradient, before clipping */
    int64_t
        failures; /* ranks that failed; then nothing was updated and the caller ends on all ranks */
} sg_step_result;

/*
 * One micro-batch: forward, backward, sums. pixels and labels may be NULL when mine != SG_OK (this
 * rank could not get its batch). When it completes an accumulation the optimizer steps with
 * `update` (rate, decay, rule, step; gradient_scale is set here).
 */
sg_err sg_stepper_run(sg_stepper *stepper, sg_err mine, const float *pixels, const uint8_t *labels,
                      sg_run *run, sg_update *update, sg_step_result *result);
/* Average running batch-norm statistics over ranks (before validation and checkpoints). */
void sg_stepper_average_state(sg_stepper *stepper);
sg_exec *sg_stepper_exec(sg_stepper *stepper); /* [local] */
/* Seconds spent in computing, in waiting for sums. [local] */
void sg_stepper_times(const sg_stepper *stepper, double *compute, double *wait);

#endif
