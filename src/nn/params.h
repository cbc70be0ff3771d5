/*
 * A network's numbers on the host: master weights in f32 in flat buffers. [local]
 */
#ifndef SG_NN_PARAMS_H
#define SG_NN_PARAMS_H

#include "nn/plan.h"

typedef struct {
    sg_param_layout *layout; /* owned */
    float *trainable;        /* [layout->trainable_count], padding is 0; owned */
    float *state;            /* [layout->state_count]; owned */
    int32_t count;           /* parameters */
    int32_t *is_state;       /* per parameter id */
} sg_params;

/* All zero; then sg_params_init or filling by name. */
sg_err sg_params_create(const sg_graph *graph, sg_params **params);
void sg_params_close(sg_params *params);
/* PyTorch's defaults: weights and biases of convolutions uniform in +-1 / sqrt(fan-in), where
 * fan-in = input channels / groups * kernel area (output channels for transposed convolutions);
 * scale 1, shift 0, mean 0, variance 1. A function of the seed and the parameters' order only. */
sg_err sg_params_init(const sg_graph *graph, sg_params *params, uint64_t seed);
/* The f32 values of parameter id (borrowed). */
float *sg_params_values(const sg_params *params, int32_t id);

#endif
