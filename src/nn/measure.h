/*
 * How fast a network runs on a device: its forward pass or training step, on made-up numbers, and
 * its own 3x3 convolutions, the part that cannot be avoided, timed alone. For `segtiles bench` and
 * engine_bench. [local]
 */
#ifndef SG_NN_MEASURE_H
#define SG_NN_MEASURE_H

#include "nn/exec.h"

typedef struct {
    sg_backend *device;    /* borrowed */
    sg_backend *backend;   /* borrowed; what runs the network: device, or what watches it */
    const sg_graph *graph; /* as built, without a loss; borrowed until the measure is open */
    sg_shape input; /* n 0: as many samples as fit into the memory that the device says is free */
    sg_dtype type;
    bool train;
    bool recompute; /* training in less memory: SG_PLAN_RECOMPUTE */
} sg_measure_options;

typedef struct sg_measure sg_measure;

sg_err sg_measure_open(const sg_measure_options *options, sg_measure **measure);
void sg_measure_close(sg_measure *measure); /* NULL is fine */

/* One forward pass with its classes on the host, or one training step with its update. All of it
 * has ended when this returns, but for what a device does ahead as it does at work: the next batch
 * goes up, and the classes that have come down are those of the pass before. */
sg_err sg_measure_step(sg_measure *measure);
/* Floating-point operations of such a step. */
double sg_measure_flops(const sg_measure *measure);
int64_t sg_measure_batch(const sg_measure *measure); /* samples of a step */
size_t sg_measure_bytes(const sg_measure *measure);  /* of the plan's arena */

/* Seconds that all 3x3 convolutions take by themselves, forward and in training backward, each the
 * best of `repeats`; and their floating-point operations. */
sg_err sg_measure_convs(sg_measure *measure, int32_t repeats, double *seconds, double *flops);

/* Sorts seconds. */
double sg_measure_median(double *seconds, int32_t count);

#endif
