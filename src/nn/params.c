#include "nn/params.h"

#include <math.h>
#include "base/rng.h"
#include "base/size.h"

sg_err sg_params_create(const sg_graph *graph, sg_params **params)
{
    *params = NULL;
    sg_params *made = NULL;
    sg_err err = sg_calloc(1, sizeof *made, &made);
    if (err)
        return err;
    made->count = graph->param_count;
    err = sg_param_layout_create(graph, &made->layout);
    if (!err)
        err = sg_calloc(made->layout->trainable_count, sizeof(float), &made->trainable);
    if (!err)
        err = sg_calloc(made->layout->state_count, sizeof(float), &made->state);
    if (!err)
        err = sg_calloc((size_t)made->count, sizeof *made->is_state, &made->is_state);
    if (err) {
        sg_params_close(made);
        return err;
    }
    for (int32_t id = 0; id < made->count; id++)
        made->is_state[id] = !sg_param_is_trainable(&graph->param[id]);
    *params = made;
    return SG_OK;
}

void sg_params_close(sg_params *params)
{
    if (!params)
        return;
    sg_param_layout_close(params->layout);
    sg_free(params->trainable);
    sg_free(params->state);
    sg_free(params->is_state);
    sg_free(params);
}

float *sg_params_values(const sg_params *params, int32_t id)
{
    SG_ASSERT(id >= 0 && id < params->count);
    float *base = params->is_state[id] ? params->state : params->trainable;
    return base + params->layout->offset[id];
}

static void fill(float *values, size_t count, float value)
{
    for (size_t i = 0; i < count; i++)
        values[i] = value;
}

static void fill_uniform(float *values, size_t count, double limit, uint64_t seed, int32_t id)
{
    for (size_t i = 0; i < count; i += 4) {
        sg_random4 words = sg_random(seed, SG_STREAM_INIT, (uint64_t)i / 4, (uint32_t)id);
        for (size_t k = 0; k < 4 && i + k < count; k++)
            values[i + k] = (float)(limit * (2 * (double)sg_uniform(words.v[k]) - 1));
    }
}

/* The weights of this parameter's node, whose shape gives the spread of the bias too. */
static const sg_param_info *weights_of(const sg_graph *graph, int32_t id)
{
    const sg_node *node = &graph->node[graph->param[id].node];
    return &graph->param[node->param[0]];
}

/* PyTorch's fan-in: what its second dimension and the kernel hold, which for a transposed
 * convolution ([in][out][h][w] there) are the output channels. */
static double fan_in(const sg_graph *graph, const sg_param_info *weights)
{
    bool transposed = graph->node[weights->node].op == SG_OP_conv_transpose;
    double channels = (double)weights->dim[transposed ? 0 : 3];
    return channels * (double)weights->dim[1] * (double)weights->dim[2];
}

sg_err sg_params_init(const sg_graph *graph, sg_params *params, uint64_t seed)
{
    if (params->count != graph->param_count)
        return sg_fail(SG_EUSAGE, "%d parameters cannot be those of a network that has %d",
                       (int)params->count, (int)graph->param_count);
    static const float initial[] = {
        [SG_PARAM_SCALE] = 1,
        [SG_PARAM_SHIFT] = 0,
        [SG_PARAM_MEAN] = 0,
        [SG_PARAM_VARIANCE] = 1,
    };
    for (int32_t id = 0; id < graph->param_count; id++) {
        const sg_param_info *info = &graph->param[id];
        float *values = sg_params_values(params, id);
        if (info->kind == SG_PARAM_WEIGHT || info->kind == SG_PARAM_BIAS) {
            double limit = 1 / sqrt(fan_in(graph, weights_of(graph, id)));
            fill_uniform(values, info->count, limit, seed, id);
        } else
            fill(values, info->count, initial[info->kind]);
    }
    return SG_OK;
}
