/*
 * Convolution: stride, padding per side, dilation, groups, optional bias, fused activation. A
 * second input, which prediction puts there (sg_graph_fold_for), is added before the activation.
 */
#include "nn/op/conv_reference.h"
#include "nn/op/op_common.h"

static sg_err check(const sg_node *node, const int32_t *in)
{
    const sg_window_attr *w = &node->attr.window;
    int32_t in_channels = in[0];
    sg_err err = sg_op_check_window(node);
    if (!err)
        err = sg_op_check_act(node);
    if (!err)
        err = sg_op_check_range(node, "output channels", w->out_channels, 1, SG_MAX_SPREAD);
    if (!err)
        err = sg_op_check_range(node, "groups", w->groups, 1, in_channels);
    if (!err)
        err = sg_op_check_range(node, "bias", w->bias, 0, 1);
    if (err)
        return err;
    if (in_channels % w->groups || w->out_channels % w->groups)
        return sg_fail(SG_EUSAGE, "%s: %d groups do not divide %d input and %d output channels",
                       node->name, (int)w->groups, (int)in_channels, (int)w->out_channels);
    if (node->inputs > 1 && in[1] != w->out_channels)
        return sg_fail(SG_EUSAGE, "%s: %d channels cannot be added to %d", node->name, (int)in[1],
                       (int)w->out_channels);
    return SG_OK;
}

static sg_err make(sg_graph *graph, sg_node *node, const int32_t *in_channels, int32_t *channels)
{
    const sg_window_attr *w = &node->attr.window;
    sg_err err = check(node, in_channels);
    if (err)
        return err;
    const int64_t weight[] = {w->out_channels, w->kernel_h, w->kernel_w,
                              in_channels[0] / w->groups};
    err = sg_op_add_param(graph, node, SG_PARAM_WEIGHT, "weight", 4, weight);
    if (!err && w->bias)
        err = sg_op_add_param(graph, node, SG_PARAM_BIAS, "bias", 1, weight);
    *channels = w->out_channels;
    return err;
}

static sg_err shape(const sg_node *node, const sg_shape *in, sg_shape *out)
{
    sg_err err = sg_op_window_shape(node, in, node->attr.window.out_channels, out);
    if (!err && node->inputs > 1 && !sg_shape_equal(in[1], *out))
        err = sg_fail(SG_EUSAGE, "%s: what is added to its result has another size", node->name);
    return err;
}

static int needs(const sg_node *node)
{
    return SG_NEEDS_INPUT | sg_fused_act_needs(node);
}

static size_t saved(const sg_node *node, const sg_shape *in, sg_shape out)
{
    return sg_fused_act_saved(node, out);
}

static double flops(const sg_node *node, const sg_shape *in, sg_shape out)
{
    const sg_window_attr *w = &node->attr.window;
    double taps = (double)w->kernel_h * w->kernel_w * (double)(in[0].c / w->groups);
    return 2 * taps * (double)sg_shape_count(out);
}

static sg_err prepare(sg_backend *backend, const sg_site *site, void **kernel)
{
    return sg_conv_prepare(site, kernel);
}

const sg_op_def sg_op_conv = {
    .name = "conv",
    .least_inputs = 1,
    .most_inputs = 2,
    .make = make,
    .shape = shape,
    .needs = needs,
    .saved = saved,
    .reach = sg_op_window_reach,
    .flops = flops,
};

const sg_kernel_def sg_reference_conv = {
    .prepare = prepare,
    .forward = sg_conv_forward,
    .backward = sg_conv_backward,
    .release = sg_conv_release,
};
