/*
 * Mean pooling. Divides by the whole window, padding counted as zeros, or by the real pixels only
 * with exclude_pad. Sums in f64, window in row-major order; gradients are gathered by input pixel,
 * windows in row-major order, in f64.
 */
#include "base/size.h"
#include "nn/op/op_common.h"

static sg_err make(sg_graph *graph, sg_node *node, const int32_t *in_channels, int32_t *channels)
{
    const sg_window_attr *w = &node->attr.window;
    *channels = in_channels[0];
    sg_err err = sg_op_check_pool(node);
    if (!err)
        err = sg_op_check_no_act(node);
    if (!err)
        err = sg_op_check_range(node, "vertical dilation", w->dilation_h, 1, 1);
    if (!err)
        err = sg_op_check_range(node, "horizontal dilation", w->dilation_w, 1, 1);
    return err;
}

static sg_err shape(const sg_node *node, const sg_shape *in, sg_shape *out)
{
    return sg_op_window_shape(node, in, in[0].c, out);
}

static double flops(const sg_node *node, const sg_shape *in, sg_shape out)
{
    const sg_window_attr *w = &node->attr.window;
    return (double)w->kernel_h * w->kernel_w * (double)sg_shape_count(out);
}

/* The real rows or columns [first, end) of the window of output position o. */
typedef struct {
    int64_t first, end;
} span;

static span window_rows(const sg_site *site, int64_t o)
{
    const sg_window_attr *w = &site->node->attr.window;
    int64_t start = o * w->stride_h - w->pad.top;
    return (span){sg_max64(start, 0), sg_min64(start + w->kernel_h, site->in[0].h)};
}

static span window_columns(const sg_site *site, int64_t o)
{
    const sg_window_attr *w = &site->node->attr.window;
    int64_t start = o * w->stride_w - w->pad.left;
    return (span){sg_max64(start, 0), sg_min64(start + w->kernel_w, site->in[0].w)};
}

static double divisor(const sg_site *site, span rows, span columns)
{
    const sg_window_attr *w = &site->node->attr.window;
    if (w->exclude_pad)
        return (double)((rows.end - rows.first) * (columns.end - columns.first));
    return (double)w->kernel_h * w->kernel_w;
}

static void pool_pixel(const sg_site *site, const sg_io *io, int64_t n, int64_t y, int64_t x)
{
    const sg_shape in = site->in[0], out = site->out;
    span rows = window_rows(site, y), columns = window_columns(site, x);
    for (int64_t c = 0; c < out.c; c++) {
        double sum = 0;
        for (int64_t row = rows.first; row < rows.end; row++)
            for (int64_t column = columns.first; column < columns.end; column++)
                sum += sg_load(io->in[0], site->in_type[0],
                               (size_t)(((n * in.h + row) * in.w + column) * in.c + c));
        sg_store(io->out, site->out_type, (size_t)(((n * out.h + y) * out.w + x) * out.c + c),
                 (float)(sum / divisor(site, rows, columns)));
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

/* The output positions whose windows hold input position i. */
static span readers(int64_t i, int64_t pad, int64_t kernel, int64_t stride, int64_t outputs)
{
    int64_t first = sg_div_up(sg_max64(0, i + pad - kernel + 1), stride);
    return (span){first, sg_min64(outputs, (i + pad) / stride + 1)};
}

static float gather(const sg_site *site, const sg_io *io, int64_t n, int64_t row, int64_t column,
                    int64_t c)
{
    const sg_window_attr *w = &site->node->attr.window;
    const sg_shape out = site->out;
    span ys = readers(row, w->pad.top, w->kernel_h, w->stride_h, out.h);
    span xs = readers(column, w->pad.left, w->kernel_w, w->stride_w, out.w);
    double sum = 0;
    for (int64_t y = ys.first; y < ys.end; y++) {
        for (int64_t x = xs.first; x < xs.end; x++) {
            size_t at = (size_t)(((n * out.h + y) * out.w + x) * out.c + c);
            sum += sg_load(io->grad_out, site->grad_type, at) /
                   divisor(site, window_rows(site, y), window_columns(site, x));
        }
    }
    return (float)sum;
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    sg_gradient_gather(site, io, gather);
    return SG_OK;
}

const sg_op_def sg_op_avg_pool = {
    .name = "avg_pool",
    .least_inputs = 1,
    .most_inputs = 1,
    .make = make,
    .shape = shape,
    .needs = sg_op_needs_nothing,
    .reach = sg_op_window_reach,
    .flops = flops,
    .adds_gradient = 1,
};

const sg_kernel_def sg_reference_avg_pool = {
    .prepare = sg_op_prepare_nothing,
    .forward = forward,
    .backward = backward,
};
