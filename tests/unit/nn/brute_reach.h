/*
 * A network's reach by brute force: all inputs are 0 but one pixel, and the outputs that are not 0
 * are listed. Weights are positive and biases 0, so that nothing is masked by an activation or a
 * maximum; a layer's weights sum up to about 1, so that numbers stay within f32 in deep networks.
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
        const sg_param_info *info = &graph->param[id];
        float *values = sg_params_values(params, id), fan_in = (float)info->count;
        if (info->kind == SG_PARAM_WEIGHT)
            fill_noise(values, info->count, 5, .5f, 1);
        for (size_t i = 0; info->kind == SG_PARAM_WEIGHT && i < info->count; i++)
            values[i] /= fan_in / (float)info->dim[0];
        for (size_t i = 0; info->kind == SG_PARAM_BIAS && i < info->count; i++)
            values[i] = 0;
    }
}

/* How far outside of its cell of `stride` output o lies from input p. */
static inline int64_t distance_outside(int64_t o, int64_t p, int64_t stride)
{
    int64_t cell = o / stride * stride;
    return p < cell ? cell - p : p - (cell + stride - 1);
}

/* What outputs that mean nothing take of either end, in whole strides. */
static inline int64_t blind_end(const sg_network_reach *reach)
{
    return sg_round_up(reach->widest_margin, reach->stride);
}

/* The largest distance along one axis over all outputs and all inputs; in a large network, over the
 * inputs of one cell in the middle, which is a halo away from what has a result. */
static inline int64_t measure_reach(const sg_graph *graph, int axis, int64_t length,
                                    const sg_network_reach *reach)
{
    sg_params *params;
    int64_t across = reach->stride + 2 * blind_end(reach), most = 0;
    int64_t middle = reach->widest_margin > 0 ? across / 2 : 0;
    sg_shape shape = {1, axis ? across : length, axis ? length : across,
                      sg_graph_input_channels(graph)};
    must(sg_params_create(graph, &params));
    make_params_positive(graph, params);
    runner r = runner_open(graph, params, shape, SG_PLAN_INFERENCE);
    float *before = malloc(r.outputs * sizeof *before);
    memset(r.input, 0, r.inputs * sizeof *r.input);
    runner_forward(&r, NULL, NULL);
    memcpy(before, r.output, r.outputs * sizeof *before);
    sg_shape out = sg_exec_plan(r.exec)->tensor[graph->tensors - 1].shape;
    bool large = length > 64;
    int64_t first = large ? reach->halo + blind_end(reach) : 0,
            end = large ? first + reach->stride : length;
    for (int64_t p = first; p < end; p++) {
        size_t at = (size_t)((axis ? p + middle * shape.w : p * shape.w + middle) * shape.c);
        r.input[at] = 1;
        runner_forward(&r, NULL, NULL);
        r.input[at] = 0;
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
