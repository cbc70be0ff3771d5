/*
 * Bilinear resize by a whole factor, or to the size of a second input (whose values are not read
 * and whose gradient is 0). Corner conventions: see sg_resize_position.
 *
 * Numerical contract. Each output is the weighted sum of four pixels in f64 (top left, top right,
 * bottom left, bottom right), rounded once. Gradients are scattered in (h, w) order of the output
 * into f64 sums, rounded once.
 */
#include <string.h>
#include "base/size.h"
#include "nn/op/op_common.h"

static sg_err make(sg_graph *graph, sg_node *node, const int32_t *in_channels, int32_t *channels)
{
    const sg_resize_attr *r = &node->attr.resize;
    *channels = in_channels[0];
    sg_err err = sg_op_check_range(node, "vertical scale", r->scale_h, 0, SG_MAX_KERNEL);
    if (!err)
        err = sg_op_check_range(node, "horizontal scale", r->scale_w, 0, SG_MAX_KERNEL);
    if (!err)
        err = sg_op_check_range(node, "align_corners", r->align_corners, 0, 1);
    if (!err)
        err = sg_op_check_no_act(node);
    if (err)
        return err;
    bool by_input = node->inputs == 2;
    if ((r->scale_h == 0) != by_input || (r->scale_w == 0) != by_input)
        return sg_fail(SG_EUSAGE, "%s: a resize takes either two scales or a second input",
                       node->name);
    return SG_OK;
}

static sg_err shape(const sg_node *node, const sg_shape *in, sg_shape *out)
{
    const sg_resize_attr *r = &node->attr.resize;
    *out = in[0];
    if (node->inputs == 2) {
        if (in[1].n != in[0].n)
            return sg_fail(SG_EUSAGE, "%s: inputs have %lld and %lld samples", node->name,
                           (long long)in[0].n, (long long)in[1].n);
        out->h = in[1].h;
        out->w = in[1].w;
        return SG_OK;
    }
    out->h *= r->scale_h;
    out->w *= r->scale_w;
    return SG_OK;
}

/* Half-pixel centres: o = q * s + r reads q + (r + .5) / s - .5, between q - 1 and q + 1. */
static void reach(const sg_node *node, int axis, sg_reach *reach)
{
    const sg_resize_attr *r = &node->attr.resize;
    int64_t scale = axis == 0 ? r->scale_h : r->scale_w;
    if (r->align_corners || scale == 0) {
        sg_op_unbounded_reach(node, axis, reach);
        return;
    }
    int64_t side = scale > 1;
    *reach = (sg_reach){.up = scale, .stride = 1, .lo = -side, .hi = side};
}

static double flops(const sg_node *node, const sg_shape *in, sg_shape out)
{
    return 6 * (double)sg_shape_count(out);
}

sg_lerp sg_resize_position(int64_t o, int64_t in, int64_t out, int32_t align_corners)
{
    int64_t above = align_corners ? o * (in - 1) : sg_max64(0, (2 * o + 1) * in - out);
    int64_t below = align_corners ? sg_max64(out - 1, 1) : 2 * out;
    sg_lerp at = {.low = above / below};
    at.high = sg_min64(at.low + 1, in - 1);
    at.weight = at.high > at.low ? (float)((double)(above % below) / (double)below) : 0;
    return at;
}

typedef struct {
    sg_lerp *row, *column; /* [out.h], [out.w] */
    double *sum;           /* (h, w, c) of one input sample */
} resize_kernel;

static void release(void *kernel)
{
    resize_kernel *k = kernel;
    if (!k)
        return;
    sg_free(k->row);
    sg_free(k->column);
    sg_free(k->sum);
    sg_free(k);
}

static sg_err make_positions(const sg_site *site, int64_t in, int64_t out, sg_lerp **positions)
{
    sg_err err = sg_malloc((size_t)out, sizeof **positions, positions);
    for (int64_t o = 0; !err && o < out; o++)
        (*positions)[o] = sg_resize_position(o, in, out, site->node->attr.resize.align_corners);
    return err;
}

static sg_err prepare(sg_backend *backend, const sg_site *site, void **kernel)
{
    sg_shape sample = site->in[0];
    sample.n = 1;
    resize_kernel *k = NULL;
    sg_err err = sg_calloc(1, sizeof *k, &k);
    if (err)
        return err;
    err = make_positions(site, sample.h, site->out.h, &k->row);
    if (!err)
        err = make_positions(site, sample.w, site->out.w, &k->column);
    if (!err && site->training)
        err = sg_malloc(sg_shape_count(sample), sizeof *k->sum, &k->sum);
    if (err) {
        release(k);
        return err;
    }
    *kernel = k;
    return SG_OK;
}

/* The four pixels of one output pixel: offsets of their channel 0 in a sample, and weights. */
typedef struct {
    size_t offset[4];
    double weight[4];
} corners;

static corners corners_of(const resize_kernel *k, sg_shape in, int64_t y, int64_t x)
{
    sg_lerp r = k->row[y], s = k->column[x];
    double down = r.weight, right = s.weight;
    return (corners){
        {(size_t)((r.low * in.w + s.low) * in.c), (size_t)((r.low * in.w + s.high) * in.c),
         (size_t)((r.high * in.w + s.low) * in.c), (size_t)((r.high * in.w + s.high) * in.c)},
        {(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right}};
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    const resize_kernel *k = kernel;
    const sg_shape in = site->in[0], out = site->out;
    size_t to = 0;
    for (int64_t n = 0; n < out.n; n++) {
        size_t sample = (size_t)(n * in.h * in.w * in.c);
        for (int64_t pixel = 0; pixel < out.h * out.w; pixel++) {
            corners at = corners_of(k, in, pixel / out.w, pixel % out.w);
            for (size_t c = 0; c < (size_t)out.c; c++) {
                double value = 0;
                for (int i = 0; i < 4; i++)
                    value += at.weight[i] *
                             sg_load(io->in[0], site->in_type[0], sample + at.offset[i] + c);
                sg_store(io->out, site->out_type, to++, (float)value);
            }
        }
    }
    return SG_OK;
}

static void scatter_sample(const resize_kernel *k, const sg_site *site, const sg_io *io, int64_t n)
{
    const sg_shape in = site->in[0], out = site->out;
    size_t from = (size_t)(n * out.h * out.w * out.c);
    memset(k->sum, 0, (size_t)(in.h * in.w * in.c) * sizeof *k->sum);
    for (int64_t pixel = 0; pixel < out.h * out.w; pixel++) {
        corners at = corners_of(k, in, pixel / out.w, pixel % out.w);
        for (size_t c = 0; c < (size_t)out.c; c++) {
            double gradient = sg_load(io->grad_out, site->grad_type, from++);
            for (int i = 0; i < 4; i++)
                k->sum[at.offset[i] + c] += at.weight[i] * gradient;
        }
    }
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    const resize_kernel *k = kernel;
    const sg_shape in = site->in[0];
    size_t sample = (size_t)(in.h * in.w * in.c);
    for (int64_t n = 0; sg_gradient_wanted(site, 0) && n < in.n; n++) {
        scatter_sample(k, site, io, n);
        for (size_t i = 0; i < sample; i++)
            sg_gradient_put(site, io, 0, (size_t)n * sample + i, (float)k->sum[i]);
    }
    if (site->inputs == 2 && sg_gradient_wanted(site, 1))
        for (size_t i = 0; i < sg_shape_count(site->in[1]); i++)
            sg_gradient_put(site, io, 1, i, 0);
    return SG_OK;
}

const sg_op_def sg_op_resize = {
    .name = "resize",
    .least_inputs = 1,
    .most_inputs = 2,
    .make = make,
    .shape = shape,
    .needs = sg_op_needs_nothing,
    .reach = reach,
    .flops = flops,
    .adds_gradient = 3,
};

const sg_kernel_def sg_reference_resize = {
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .release = release,
};
