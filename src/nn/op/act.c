/* Activations, alone and fused into another operator's result. */
#include "nn/op/op_common.h"

#include <math.h>

static const float leaky_slope = .01f;

static float sigmoid(float x)
{
    return 1.0f / (1.0f + expf(-x));
}

static float none(float x)
{
    return x;
}

/* The comparisons are written so that NaN passes through, as in PyTorch. */
static float relu(float x)
{
    return x < 0 ? 0 : x;
}

static float relu6(float x)
{
    return x < 0 ? 0 : x > 6 ? 6 : x;
}

static float leaky(float x)
{
    return x > 0 ? x : leaky_slope * x;
}

static float silu(float x)
{
    return x * sigmoid(x);
}

static float slope_one(float y)
{
    return 1;
}

static float slope_relu(float y)
{
    return y > 0 ? 1 : 0;
}

static float slope_relu6(float y)
{
    return y > 0 && y < 6 ? 1 : 0;
}

static float slope_leaky(float y)
{
    return y > 0 ? 1 : leaky_slope;
}

static float slope_sigmoid(float y)
{
    return y * (1 - y);
}

typedef float (*scalar_fn)(float);

static const scalar_fn apply[SG_ACT_COUNT] = {
    [SG_ACT_NONE] = none,   [SG_ACT_RELU] = relu, [SG_ACT_RELU6] = relu6,
    [SG_ACT_LEAKY] = leaky, [SG_ACT_SILU] = silu, [SG_ACT_SIGMOID] = sigmoid,
};

static const scalar_fn slope[SG_ACT_COUNT] = {
    [SG_ACT_NONE] = slope_one,    [SG_ACT_RELU] = slope_relu,       [SG_ACT_RELU6] = slope_relu6,
    [SG_ACT_LEAKY] = slope_leaky, [SG_ACT_SIGMOID] = slope_sigmoid,
};

float sg_act_apply(int32_t act, float x)
{
    return apply[act](x);
}

float sg_act_slope_from_output(int32_t act, float y)
{
    SG_ASSERT(act != SG_ACT_SILU);
    return slope[act](y);
}

float sg_silu_slope(float x)
{
    float s = sigmoid(x);
    return s * (1 + x * (1 - s));
}

int sg_fused_act_needs(const sg_node *node)
{
    return node->act == SG_ACT_NONE || node->act == SG_ACT_SILU ? SG_NEEDS_NOTHING
                                                                : SG_NEEDS_OUTPUT;
}

size_t sg_fused_act_saved(const sg_node *node, sg_shape out)
{
    return node->act == SG_ACT_SILU ? sg_shape_count(out) * sizeof(float) : 0;
}

void sg_fused_act_store(const sg_site *site, const sg_io *io, float *kept, size_t index,
                        float value)
{
    int32_t act = site->node->act;
    if (act == SG_ACT_SILU && kept)
        kept[index] = value;
    sg_store(io->out, site->out_type, index, act ? sg_act_apply(act, value) : value);
}

float sg_fused_act_gradient(const sg_site *site, const sg_io *io, const float *kept, size_t index)
{
    int32_t act = site->node->act;
    float gradient = sg_load(io->grad_out, site->grad_type, index);
    if (act == SG_ACT_NONE)
        return gradient;
    if (act == SG_ACT_SILU)
        return gradient * sg_silu_slope(kept[index]);
    return gradient * sg_act_slope_from_output(act, sg_load(io->out, site->out_type, index));
}
