/*
 * Sum of two or more tensors of one shape, with a fused activation. Summed in f32 in the order of
 * the inputs, rounded once; each input gets the same gradient.
 */
#include "nn/op/op_common.h"

static sg_err make(sg_graph *graph, sg_node *node, const int32_t *in_channels, int32_t *channels)
{
    for (int32_t i = 1; i < node->inputs; i++)
        if (in_channels[i] != in_channels[0])
            return sg_fail(SG_EUSAGE, "%s: inputs have %d and %d channels, which must be equal",
                           node->name, (int)in_channels[0], (int)in_channels[i]);
    *channels = in_channels[0];
    return sg_op_check_act(node);
}

static sg_err shape(const sg_node *node, const sg_shape *in, sg_shape *out)
{
    *out = in[0];
    return sg_op_check_same_size(node, in);
}

static size_t saved(const sg_node *node, const sg_shape *in, sg_shape out)
{
    return sg_fused_act_saved(node, out);
}

static double flops(const sg_node *node, const sg_shape *in, sg_shape out)
{
    return (double)(node->inputs - 1) * (double)sg_shape_count(out);
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    size_t count = sg_shape_count(site->out);
    for (size_t i = 0; i < count; i++) {
        float sum = sg_load(io->in[0], site->in_type[0], i);
        for (int32_t k = 1; k < site->inputs; k++)
            sum += sg_load(io->in[k], site->in_type[k], i);
        sg_fused_act_store(site, io, io->saved, i, sum);
    }
    return SG_OK;
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    size_t count = sg_shape_count(site->out);
    for (size_t i = 0; i < count; i++) {
        float gradient = sg_fused_act_gradient(site, io, io->saved, i);
        for (int32_t k = 0; k < site->inputs; k++)
            if (sg_gradient_wanted(site, k))
                sg_gradient_put(site, io, k, i, gradient);
    }
    return SG_OK;
}

const sg_op_def sg_op_add = {
    .name = "add",
    .least_inputs = 2,
    .most_inputs = SG_MAX_INPUTS,
    .make = make,
    .shape = shape,
    .needs = sg_fused_act_needs,
    .saved = saved,
    .reach = sg_op_pixel_reach,
    .flops = flops,
    .adds_gradient = (1u << SG_MAX_INPUTS) - 1,
};

const sg_kernel_def sg_reference_add = {
    .prepare = sg_op_prepare_nothing,
    .forward = forward,
    .backward = backward,
};
