/* The table of operators, made from ops.def. */
#include "nn/op.h"

static const sg_op_def *const definitions[SG_OP_COUNT] = {
#define SG_OPERATOR(id, name) [SG_OP_##id] = &sg_op_##id,
#include "nn/ops.def"
#undef SG_OPERATOR
};

static const char *const op_names[SG_OP_COUNT] = {
#define SG_OPERATOR(id, name) [SG_OP_##id] = name,
#include "nn/ops.def"
#undef SG_OPERATOR
};

static const char *const act_names[SG_ACT_COUNT] = {
    [SG_ACT_NONE] = "none",   [SG_ACT_RELU] = "relu", [SG_ACT_RELU6] = "relu6",
    [SG_ACT_LEAKY] = "leaky", [SG_ACT_SILU] = "silu", [SG_ACT_SIGMOID] = "sigmoid",
};

static const bool takes_act[SG_OP_COUNT] = {
    [SG_OP_activation] = true, [SG_OP_conv] = true, [SG_OP_conv_transpose] = true,
    [SG_OP_batch_norm] = true, [SG_OP_add] = true,  [SG_OP_group_norm] = true,
};

static const bool is_loss[SG_OP_COUNT] = {
    [SG_OP_softmax_loss] = true, [SG_OP_region_loss] = true, [SG_OP_lovasz_loss] = true};

const sg_op_def *sg_op_definition(sg_op op)
{
    SG_ASSERT((int)op >= 0 && op < SG_OP_COUNT);
    return definitions[op];
}

bool sg_op_takes_act(sg_op op)
{
    return takes_act[op];
}

bool sg_op_is_loss(sg_op op)
{
    return is_loss[op];
}

const char *sg_op_name(sg_op op)
{
    return (int)op >= 0 && op < SG_OP_COUNT ? op_names[op] : "unknown";
}

const char *sg_act_name(sg_act act)
{
    return (int)act >= 0 && act < SG_ACT_COUNT ? act_names[act] : "unknown";
}

int64_t sg_window_output(int64_t in, int64_t pads, int64_t kernel, int64_t stride, int64_t dilation)
{
    int64_t span = in + pads - dilation * (kernel - 1) - 1;
    return span < 0 ? 0 : span / stride + 1;
}
