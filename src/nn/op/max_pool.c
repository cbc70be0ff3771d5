/*
 * Max pooling, padded with -infinity. Ties go to the first of the window in row-major order, and
 * NaN wins, as in PyTorch. saved: which element of its window each output took, one byte, or
 * NO_PIXEL where the window holds none (dilated windows over tiny inputs; the output is -infinity).
 * Gradients are gathered by input pixel, windows in row-major order, in f32.
 */
#include <math.h>
#include "nn/op/op_common.h"

enum { NO_PIXEL = 255 };

static sg_err make(sg_graph *graph, sg_node *node, const int32_t *in_channels, int32_t *channels)
{
    const sg_window_attr *w = &node->attr.window;
    *channels = in_channels[0];
    sg_err err = sg_op_check_pool(node);
    if (!err)
        err = sg_op_check_no_act(node);
    if (!err)
        err =
            sg_op_check_range(node, "kernel area", (int64_t)w->kernel_h * w->kernel_w, 1, NO_PIXEL);
    return err;
}

static sg_err shape(const sg_node *node, const sg_shape *in, sg_shape *out)
{
    return sg_op_window_shape(node, in, in[0].c, out);
}

static size_t saved(const sg_node *node, const sg_shape *in, sg_shape out)
{
    return sg_shape_count(out);
}

static double flops(const sg_node *node, const sg_shape *in, sg_shape out)
{
    const sg_window_attr *w = &node->attr.window;
    return (double)w->kernel_h * w->kernel_w * (double)sg_shape_count(out);
}

/* Index in the input of tap k of the window of output (n, y, x), channel 0; -1 in the padding. */
static int64_t tap(const sg_site *site, int64_t n, int64_t y, int64_t x, int64_t k)
{
    const sg_window_attr *w = &site->node->attr.window;
    const sg_shape in = site->in[0];
    int64_t row = y * w->stride_h - w->pad.top + k / w->kernel_w * w->dilation_h;
    int64_t column = x * w->stride_w - w->pad.left + k % w->kernel_w * w->dilation_w;
    if (row < 0 || row >= in.h || column < 0 || column >= in.w)
        return -1;
    return ((n * in.h + row) * in.w + column) * in.c;
}

static void pool_pixel(const sg_site *site, const sg_io *io, int64_t n, int64_t y, int64_t x)
{
    const sg_window_attr *w = &site->node->attr.window;
    const sg_shape out = site->out;
    uint8_t *chosen = io->saved;
    size_t to = (size_t)(((n * out.h + y) * out.w + x) * out.c);
    for (int64_t c = 0; c < out.c; c++) {
        float best = -INFINITY;
        int64_t from = NO_PIXEL;
        for (int64_t k = 0; k < w->kernel_h * w->kernel_w; k++) {
            int64_t offset = tap(site, n, y, x, k);
            if (offset < 0)
                continue;
            float value = sg_load(io->in[0], site->in_type[0], (size_t)(offset + c));
            if (from == NO_PIXEL || value > best || isnan(value)) {
                best = value;
                from = k;
            }
        }
        sg_store(io->out, site->out_type, to + (size_t)c, best);
        if (site->training)
            chosen[to + (size_t)c] = (uint8_t)from;
    }
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    for (int64_t n = 0; n < site->out.n; n++)
        for (int64_t y = 0; y < site->out.h; y++)
            for (int64_t x = 0; x < site->out.w; x++)
                pool_pixel(site, io, n, y, x);
    return SG_OK;
}

/* The output position whose tap k reads input position i, or -1. */
static int64_t reader(int64_t i, int64_t k, int64_t pad, int64_t stride, int64_t dilation,
                      int64_t outputs)
{
    int64_t start = i + pad - k * dilation;
    return start < 0 || start % stride || start / stride >= outputs ? -1 : start / stride;
}

/* Sum of the gradients of the windows that took input (n, row, column, c); windows with smaller
 * positions are those with larger taps. */
static float gather(const sg_site *site, const sg_io *io, int64_t n, int64_t row, int64_t column,
                    int64_t c)
{
    const sg_window_attr *w = &site->node->attr.window;
    const sg_shape out = site->out;
    const uint8_t *chosen = io->saved;
    float sum = 0;
    for (int64_t ky = w->kernel_h - 1; ky >= 0; ky--) {
        int64_t y = reader(row, ky, w->pad.top, w->stride_h, w->dilation_h, out.h);
        for (int64_t kx = w->kernel_w - 1; y >= 0 && kx >= 0; kx--) {
            int64_t x = reader(column, kx, w->pad.left, w->stride_w, w->dilation_w, out.w);
            if (x < 0)
                continue;
            size_t at = (size_t)(((n * out.h + y) * out.w + x) * out.c + c);
            if (chosen[at] == ky * w->kernel_w + kx)
                sum += sg_load(io->grad_out, site->grad_type, at);
        }
    }
    return sum;
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    sg_gradient_gather(site, io, gather);
    return SG_OK;
}

const sg_op_def sg_op_max_pool = {
    .name = "max_pool",
    .least_inputs = 1,
    .most_inputs = 1,
    .make = make,
    .shape = shape,
    .needs = sg_op_needs_nothing,
    .saved = saved,
    .reach = sg_op_window_reach,
    .flops = flops,
    .adds_gradient = 1,
};

const sg_kernel_def sg_reference_max_pool = {
    .prepare = sg_op_prepare_nothing,
    .forward = forward,
    .backward = backward,
};
