/*
 * One data-parallel training step. Every rank holds the whole network and an equal share of the
 * batch; gradients are summed over ranks in buckets while the backward pass goes on. Loss, weight
 * and failure count travel in a small sum of doubles beside them, so counts stay exact.
 *
 * A rank that fails stays in the dance: it enters the same collectives with zeros, and all ranks
 * learn of it in the same step. [collective] unless said otherwise.
 */
#ifndef SG_TRAIN_STEP_H
#define SG_TRAIN_STEP_H

#include "train/exchange.h"

/* Which ranks share batch-norm statistics: each its own, all, those of a node; or a number above 1:
 * so many neighbours, which all ranks are shared out into (fewer ranks are one group). */
enum { SG_SYNC_NONE = 0, SG_SYNC_ALL = 1, SG_SYNC_NODE = -1 };

typedef struct {
    int32_t accumulate; /* micro-batches per optimizer step, at least 1 */
    float clip_norm;    /* 0: off; of the mean gradient over all ranks, PyTorch's clip_grad_norm_ */
    int32_t sync_norm;  /* SG_SYNC_..., or ranks of a group */
    int32_t recompute;  /* 1: less memory, see SG_PLAN_RECOMPUTE */
    size_t bucket_elements; /* of a gradient bucket; 0: chosen */
    int32_t narrow;         /* 1: gradients travel between nodes as bf16: see train/exchange.h */
    const float *rate;      /* factors on the rate, by parameter id, 0: frozen; NULL: 1; borrowed */
} sg_step_options;

typedef struct sg_stepper sg_stepper;

/* input: one rank's micro-batch. training_graph ends in the loss and is borrowed, like the weights,
 * which were made for training. SG_EUSAGE: groups of sync_norm that ranks cannot be shared out
 * into. Fails on all ranks or on none. */
sg_err sg_stepper_create(sg_stepper **stepper, sg_comm *comm, sg_backend *backend,
                         sg_weights *weights, const sg_graph *training_graph, sg_shape input,
                         sg_dtype type, const sg_step_options *options);
void sg_stepper_close(sg_stepper *stepper); /* NULL is fine */

/* The same on all ranks. While `complete` is 0 everything else is 0. */
typedef struct {
    int32_t complete; /* 1 when the micro-batch was the last of its step */
    int32_t finite;   /* 1: loss and gradient are numbers; else nothing was updated */
    double loss;      /* mean over all valid pixels of all ranks, weighted by class weight; 0 when
                         no pixel is valid: then nothing was updated */
    double norm;      /* of the mean gradient, before clipping */
    double term[SG_MAX_TERMS]; /* of each term of the loss, the same mean, without its weight */
    int64_t failures; /* ranks that failed; then nothing was updated and the caller ends on all
                         ranks */
    int64_t stops;    /* ranks that asked to stop */
} sg_step_result;

/*
 * One micro-batch: forward, backward, sums. image [n], as sg_exec_forward_images takes them, and
 * labels (n, h, w) may be NULL when mine != SG_OK (this rank could not get its batch). When it
 * completes an accumulation the optimizer steps with `update` (rate, decay, rule, step;
 * gradient_scale is set here). Of `run` the caller sets seed, step, first_sample, class_weight and
 * border.
 *
 * A failure is kept until the step completes; then a rank that failed returns its own error, the
 * others SG_EPEER. Between steps (result->failures is 0) an error is this rank's alone: pass it as
 * `mine` to the next call.
 */
sg_err sg_stepper_run(sg_stepper *stepper, sg_err mine, const sg_raw_image *image,
                      const uint8_t *labels, sg_run *run, sg_update *update,
                      sg_step_result *result);
/* The next micro-batch is this one: see sg_exec_send. [local] */
void sg_stepper_send(sg_stepper *stepper, const sg_raw_image *image, const uint8_t *labels);
/* Call `work` in each micro-batch while the device computes it. [local] */
void sg_stepper_meanwhile(sg_stepper *stepper, void (*work)(void *user), void *user);
/* Tell all ranks with the next completed step that this one wants to stop. [local] */
void sg_stepper_ask_stop(sg_stepper *stepper);
/* From now on classify each micro-batch between its passes, into classes (n, h, w), borrowed; they
 * are of no use when the step failed. NULL: no more. [local] */
void sg_stepper_watch(sg_stepper *stepper, uint8_t *classes);
/* Call `wait` each time before the optimizer changes the weights. [local] */
void sg_stepper_before_update(sg_stepper *stepper, void (*wait)(void *user), void *user);
/* Call `tell` each time this rank begins to wait for others, and computes again. [local] */
void sg_stepper_on_wait(sg_stepper *stepper, void (*tell)(void *user, bool waits), void *user);
/* Let `count` numbers of this rank ride along with the small sum, as many on all ranks: mine is
 * borrowed and read when a step completes; then *all, (ranks, count), has those of every rank,
 * until the next step completes. [local] */
sg_err sg_stepper_carry(sg_stepper *stepper, const double *mine, size_t count, const double **all);
sg_exec *sg_stepper_exec(sg_stepper *stepper); /* [local] */
/* Seconds spent in computing, in waiting for sums. [local] */
void sg_stepper_times(const sg_stepper *stepper, double *compute, double *wait);
/* How gradients went from rank to rank. [local] */
void sg_stepper_sums(const sg_stepper *stepper, sg_exchange_report *report);

#endif
