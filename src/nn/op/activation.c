/* An activation on its own: its kind is the node's act. */
#include "nn/op/op_common.h"

static sg_err make(sg_graph *graph, sg_node *node, const int32_t *in_channels, int32_t *channels)
{
    *channels = in_channels[0];
    if (node->act == SG_ACT_NONE)
        return sg_fail(SG_EUSAGE, "%s: which activation is not said", node->name);
    return sg_op_check_act(node);
}

static int needs(const sg_node *node)
{
    return node->act == SG_ACT_SILU ? SG_NEEDS_INPUT : SG_NEEDS_OUTPUT;
}

static double flops(const sg_node *node, const sg_shape *in, sg_shape out)
{
    return (double)sg_shape_count(out);
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    size_t count = sg_shape_count(site->out);
    for (size_t i = 0; i < count; i++) {
        float x = sg_load(io->in[0], site->in_type[0], i);
        sg_store(io->out, site->out_type, i, sg_act_apply(site->node->act, x));
    }
    return SG_OK;
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    int32_t act = site->node->act;
    size_t count = sg_shape_count(site->out);
    for (size_t i = 0; sg_gradient_wanted(site, 0) && i < count; i++) {
        float slope = act == SG_ACT_SILU
                          ? sg_silu_slope(sg_load(io->in[0], site->in_type[0], i))
                          : sg_act_slope_from_output(act, sg_load(io->out, site->out_type, i));
        sg_gradient_put(site, io, 0, i, slope * sg_load(io->grad_out, site->grad_type, i));
    }
    return SG_OK;
}

const sg_op_def sg_op_activation = {
    .name = "activation",
    .least_inputs = 1,
    .most_inputs = 1,
    .make = make,
    .shape = sg_op_shape_of_input,
    .needs = needs,
    .reach = sg_op_pixel_reach,
    .flops = flops,
    .adds_gradient = 1,
};

const sg_kernel_def sg_reference_activation = {
    .prepare = sg_op_prepare_nothing,
    .forward = forward,
    .backward = backward,
};
