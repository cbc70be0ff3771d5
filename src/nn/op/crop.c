/*
 * Cropping: pixels are cut off the four sides, then zeros are added to them. Either may be nothing
 * on any side. Copies: no arithmetic.
 */
#include "nn/op/op_common.h"

static sg_err make(sg_graph *graph, sg_node *node, const int32_t *in_channels, int32_t *channels)
{
    const sg_pad *cut = &node->attr.crop.cut, *pad = &node->attr.crop.pad;
    const int64_t values[] = {cut->top, cut->bottom, cut->left, cut->right,
                              pad->top, pad->bottom, pad->left, pad->right};
    sg_err err = sg_op_check_no_act(node);
    for (int i = 0; !err && i < 8; i++)
        err = sg_op_check_range(node, i < 4 ? "a cut" : "padding", values[i], 0, SG_MAX_SPREAD);
    *channels = in_channels[0];
    return err;
}

static sg_err shape(const sg_node *node, const sg_shape *in, sg_shape *out)
{
    const sg_pad *cut = &node->attr.crop.cut, *pad = &node->attr.crop.pad;
    int64_t rows = in[0].h - cut->top - cut->bottom, columns = in[0].w - cut->left - cut->right;
    if (rows < 1 || columns < 1)
        return sg_fail(SG_EUSAGE, "%s: nothing is left of an input of %lld x %lld", node->name,
                       (long long)in[0].h, (long long)in[0].w);
    *out = in[0];
    out->h = rows + pad->top + pad->bottom;
    out->w = columns + pad->left + pad->right;
    return SG_OK;
}

static void reach(const sg_node *node, int axis, sg_reach *reach)
{
    const sg_pad *cut = &node->attr.crop.cut, *pad = &node->attr.crop.pad;
    int64_t shift = axis == 0 ? cut->top - pad->top : cut->left - pad->left;
    *reach = (sg_reach){.up = 1, .stride = 1, .lo = shift, .hi = shift};
}

static double flops(const sg_node *node, const sg_shape *in, sg_shape out)
{
    return 0;
}

/* The input's pixel that an output's pixel shows, or -1. */
static int64_t shown(const sg_node *node, int64_t y, int64_t x, sg_shape in)
{
    const sg_pad *cut = &node->attr.crop.cut, *pad = &node->attr.crop.pad;
    int64_t row = y - pad->top + cut->top, column = x - pad->left + cut->left;
    bool inside = row >= cut->top && row < in.h - cut->bottom && column >= cut->left &&
                  column < in.w - cut->right;
    return inside ? row * in.w + column : -1;
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    sg_shape in = site->in[0], out = site->out;
    for (int64_t i = 0; i < (int64_t)sg_shape_count(out); i++) {
        int64_t pixel = i / out.c, n = pixel / out.w / out.h;
        int64_t from = shown(site->node, pixel / out.w % out.h, pixel % out.w, in);
        size_t at = (size_t)((n * in.h * in.w + from) * in.c + i % out.c);
        float value = from < 0 ? 0 : sg_load(io->in[0], site->in_type[0], at);
        sg_store(io->out, site->out_type, (size_t)i, value);
    }
    return SG_OK;
}

/* The output's pixel that shows an input's pixel, or -1. */
static int64_t shows(const sg_node *node, int64_t y, int64_t x, sg_shape in, sg_shape out)
{
    const sg_pad *cut = &node->attr.crop.cut, *pad = &node->attr.crop.pad;
    bool inside =
        y >= cut->top && y < in.h - cut->bottom && x >= cut->left && x < in.w - cut->right;
    return inside ? (y - cut->top + pad->top) * out.w + x - cut->left + pad->left : -1;
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    sg_shape in = site->in[0], out = site->out;
    for (int64_t i = 0; sg_gradient_wanted(site, 0) && i < (int64_t)sg_shape_count(in); i++) {
        int64_t pixel = i / in.c, n = pixel / in.w / in.h;
        int64_t from = shows(site->node, pixel / in.w % in.h, pixel % in.w, in, out);
        size_t at = (size_t)((n * out.h * out.w + from) * out.c + i % in.c);
        float value = from < 0 ? 0 : sg_load(io->grad_out, site->grad_type, at);
        sg_gradient_put(site, io, 0, (size_t)i, value);
    }
    return SG_OK;
}

const sg_op_def sg_op_crop = {
    .name = "crop",
    .least_inputs = 1,
    .most_inputs = 1,
    .make = make,
    .shape = shape,
    .needs = sg_op_needs_nothing,
    .reach = reach,
    .flops = flops,
    .adds_gradient = 1,
};

const sg_kernel_def sg_reference_crop = {
    .prepare = sg_op_prepare_nothing,
    .forward = forward,
    .backward = backward,
};
