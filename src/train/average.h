/*
 * An exponential moving average of the weights, batch norm's running statistics with them: the
 * network that a training leaves where it is asked for. After n steps it is
 *
 *     mean_n = sum_i (1 - d) d^(n - i) w_i / (1 - d^n),   d: the decay
 *
 * so the initial weights have no part in it (the correction is that of Adam: Kingma & Ba 2015). It
 * lives where the weights do. All [local].
 */
#ifndef SG_TRAIN_AVERAGE_H
#define SG_TRAIN_AVERAGE_H

#include "nn/exec.h"

typedef struct {
    double decay;        /* 0: there is no average */
    int64_t steps;       /* in it */
    sg_params *params;   /* of the average, on the host; owned, as all below */
    sg_weights *weights; /* and where the device is; made for inference */
} sg_average;

/* Zeroed, or made for a network: no step is in it. */
sg_err sg_average_open(sg_average *average, sg_backend *backend, const sg_graph *graph,
                       double decay);
void sg_average_close(sg_average *average);
/* Go on from an average over so many steps. */
sg_err sg_average_restore(sg_average *average, const sg_params *mean, int64_t steps);
/* The weights after another step. */
sg_err sg_average_add(sg_average *average, const sg_weights *weights);

#endif
