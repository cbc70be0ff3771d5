/*
 * The network's input. Its channels stand in attr.window.out_channels; shape() takes the input's
 * shape as in[0] and checks it. The executor fills the tensor with load_input: nothing is computed.
 */
#include "nn/op/op_common.h"

static sg_err make(sg_graph *graph, sg_node *node, const int32_t *in_channels, int32_t *channels)
{
    sg_err err =
        sg_op_check_range(node, "channels", node->attr.window.out_channels, 1, SG_MAX_SPREAD);
    if (err)
        return err;
    *channels = node->attr.window.out_channels;
    return sg_op_check_no_act(node);
}

static sg_err shape(const sg_node *node, const sg_shape *in, sg_shape *out)
{
    int32_t channels = node->attr.window.out_channels;
    if (in[0].c != channels)
        return sg_fail(SG_EUSAGE, "%s: the input has %lld channels, the network takes %d",
                       node->name, (long long)in[0].c, (int)channels);
    *out = in[0];
    return SG_OK;
}

static double flops(const sg_node *node, const sg_shape *in, sg_shape out)
{
    return 0;
}

static sg_err nothing(void *kernel, const sg_site *site, const sg_io *io)
{
    return SG_OK;
}

const sg_op_def sg_op_input = {
    .name = "input",
    .least_inputs = 0,
    .most_inputs = 0,
    .make = make,
    .shape = shape,
    .needs = sg_op_needs_nothing,
    .reach = sg_op_pixel_reach,
    .flops = flops,
};

const sg_kernel_def sg_reference_input = {
    .prepare = sg_op_prepare_nothing,
    .forward = nothing,
    .backward = nothing,
};
