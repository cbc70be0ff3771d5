/*
 * A network's reach by brute force: one input pixel is changed and the outputs that change are
 * listed. Weights and inputs are positive and the change is large, so that nothing is masked by an
 * activation or a maximum.
 */
#ifndef SG_TESTS_NN_BRUTE_REACH_H
#define SG_TESTS_NN_BRUTE_REACH_H

#include "runner.h"

#include <stdlib.h>
#include "nn/reach.h"

static inline void make_params_positive(const sg_graph *graph, const sg_params *params)
{
    must(sg_params_init(graph, (sg_params *)params, 1));
    for (int32_t id = 0; id < graph->param_count; id++) {
        if (graph->param[id].kind == SG_PARAM_WEIGHT)
            fill_noise(sg_params_values(params, id), graph->param[id].count, 5, .5f, 1);
    }
}

/* How far outside of its cell of `stride` output o lies from input p. */
static inline int64_t distance_outside(int64_t o, int64_t p, int64_t stride)
{
    int64_t cell = o / stride * stride;
    return p < cell ? cell - p : p - (cell + stride - 1);
}

/* The largest distance along one axis over all outputs and all inputs; in a large network, over the
 * inputs of one cell in the middle, which is a halo away from either end. */
static inline int64_t measure_reach(const sg_graph *graph, int axis, int64_t length,
                                    const sg_network_reach *reach)
{
    sg_params *params;
    int64_t across = reach->stride, most = 0;
    sg_shape shape = {1, axis ? across : length, axis ? length : across,
                      sg_graph_input_channels(graph)};
    must(sg_params_create(graph, &params));
    make_params_positive(graph, params);
    runner r = runner_open(graph, params, shape, SG_PLAN_INFERENCE);
    float *before = malloc(r.outputs * sizeof *before);
    fill_noise(r.input, r.inputs, 9, .5f, 1);
    runner_forward(&r, NULL, NULL);
    memcpy(before, r.output, r.outputs * sizeof *before);
    sg_shape out = sg_exec_plan(r.exec)->tensor[graph->tensors - 1].shape;
    bool large = length > 64;
    int64_t first = large ? reach->halo : 0, end = large ? first + reach->stride : length;
    for (int64_t p = first; p < end; p++) {
        size_t at = (size_t)((axis ? p : p * shape.w) * shape.c);
        float kept = r.input[at];
        r.input[at] = 1000;
        runner_forward(&r, NULL, NULL);
        r.input[at] = kept;
        for (size_t i = 0; i < r.outputs; i++) {
            int64_t pixel = (int64_t)i / out.c;
            int64_t o = (axis ? pixel % out.w : pixel / out.w) * reach->output_step;
            if (r.output[i] != before[i])
                most = sg_max64(most, distance_outside(o, p, reach->stride));
        }
    }
    free(before);
    runner_close(&r);
    sg_params_close(params);
    return most;
}

#endif
