/*
 * Transposed convolution: stride, cropping per side (PyTorch's padding), output_padding, optional
 * bias, fused activation; one group, no dilation. out = (in - 1) * stride - pads + kernel +
 * output_padding.
 */
#include "base/size.h"
#include "nn/op/conv_reference.h"
#include "nn/op/op_common.h"

static sg_err check(const sg_node *node)
{
    const sg_window_attr *w = &node->attr.window;
    const struct {
        const char *what;
        int64_t value, least, most;
    } ranges[] = {
        {"output channels", w->out_channels, 1, SG_MAX_SPREAD},
        {"groups", w->groups, 1, 1},
        {"vertical dilation", w->dilation_h, 1, 1},
        {"horizontal dilation", w->dilation_w, 1, 1},
        {"bias", w->bias, 0, 1},
        {"vertical output padding", w->out_pad_h, 0, w->stride_h - 1},
        {"horizontal output padding", w->out_pad_w, 0, w->stride_w - 1},
    };
    sg_err err = sg_op_check_window(node);
    if (!err)
        err = sg_op_check_act(node);
    for (size_t i = 0; !err && i < sizeof ranges / sizeof *ranges; i++)
        err = sg_op_check_range(node, ranges[i].what, ranges[i].value, ranges[i].least,
                                ranges[i].most);
    return err;
}

static sg_err make(sg_graph *graph, sg_node *node, const int32_t *in_channels, int32_t *channels)
{
    const sg_window_attr *w = &node->attr.window;
    sg_err err = check(node);
    if (err)
        return err;
    const int64_t weight[] = {w->out_channels, w->kernel_h, w->kernel_w, in_channels[0]};
    err = sg_op_add_param(graph, node, SG_PARAM_WEIGHT, "weight", 4, weight);
    if (!err && w->bias)
        err = sg_op_add_param(graph, node, SG_PARAM_BIAS, "bias", 1, weight);
    *channels = w->out_channels;
    return err;
}

static sg_err shape(const sg_node *node, const sg_shape *in, sg_shape *out)
{
    const sg_window_attr *w = &node->attr.window;
    int64_t rows = (int64_t)w->pad.top + w->pad.bottom;
    int64_t columns = (int64_t)w->pad.left + w->pad.right;
    int64_t h = (in[0].h - 1) * w->stride_h - rows + w->kernel_h + w->out_pad_h;
    int64_t v = (in[0].w - 1) * w->stride_w - columns + w->kernel_w + w->out_pad_w;
    if (h < 1 || v < 1)
        return sg_fail(SG_EUSAGE, "%s: nothing is left of an input of %lld x %lld after padding",
                       node->name, (long long)in[0].h, (long long)in[0].w);
    *out = (sg_shape){in[0].n, h, v, w->out_channels};
    return SG_OK;
}

static int needs(const sg_node *node)
{
    return SG_NEEDS_INPUT | sg_fused_act_needs(node);
}

static size_t saved(const sg_node *node, const sg_shape *in, sg_shape out)
{
    return sg_fused_act_saved(node, out);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a >= 0 ? a / b : -sg_div_up(-a, b);
}

/*
 * With o = q * stride + r, 0 <= r < stride: it reads i = q + (r + pad - k) / stride where that is
 * whole; the extremes are k = kernel - 1 at r = 0 and k = 0 at r = stride - 1.
 */
static void reach(const sg_node *node, int axis, sg_reach *reach)
{
    const sg_window_attr *w = &node->attr.window;
    int64_t kernel = axis == 0 ? w->kernel_h : w->kernel_w;
    int64_t stride = axis == 0 ? w->stride_h : w->stride_w;
    int64_t before = axis == 0 ? w->pad.top : w->pad.left;
    *reach = (sg_reach){.up = stride,
                        .stride = 1,
                        .lo = -floor_div(kernel - 1 - before, stride),
                        .hi = floor_div(stride - 1 + before, stride)};
}

static double flops(const sg_node *node, const sg_shape *in, sg_shape out)
{
    const sg_window_attr *w = &node->attr.window;
    double taps = (double)w->kernel_h * w->kernel_w * (double)out.c;
    return 2 * taps * (double)sg_shape_count(in[0]);
}

static sg_err prepare(sg_backend *backend, const sg_site *site, void **kernel)
{
    return sg_conv_transpose_prepare(site, kernel);
}

const sg_op_def sg_op_conv_transpose = {
    .name = "conv_transpose",
    .least_inputs = 1,
    .most_inputs = 1,
    .make = make,
    .shape = shape,
    .needs = needs,
    .saved = saved,
    .reach = reach,
    .flops = flops,
};

const sg_kernel_def sg_reference_conv_transpose = {
    .prepare = prepare,
    .forward = sg_conv_forward,
    .backward = sg_conv_backward,
    .release = sg_conv_release,
};
