/*
 * The largest or the mean value of each channel over the whole image: (n, 1, 1, c). Sums in f64 in
 * row-major order; the first of equal values wins, NaN wins over all. saved: the pixel that the
 * largest value came from, one int64 per (n, c).
 */
#include <math.h>
#include "nn/op/op_common.h"

static sg_err make(sg_graph *graph, sg_node *node, const int32_t *in_channels, int32_t *channels)
{
    *channels = in_channels[0];
    sg_err err = sg_op_check_range(node, "kind of pooling", node->attr.global.kind, SG_POOL_MAX,
                                   SG_POOL_MEAN);
    return err ? err : sg_op_check_no_act(node);
}

static sg_err shape(const sg_node *node, const sg_shape *in, sg_shape *out)
{
    *out = (sg_shape){in[0].n, 1, 1, in[0].c};
    return SG_OK;
}

static size_t saved(const sg_node *node, const sg_shape *in, sg_shape out)
{
    return node->attr.global.kind == SG_POOL_MAX ? sg_shape_count(out) * sizeof(int64_t) : 0;
}

static double flops(const sg_node *node, const sg_shape *in, sg_shape out)
{
    return (double)sg_shape_count(in[0]);
}

static size_t pixels_of(const sg_site *site)
{
    return (size_t)(site->in[0].h * site->in[0].w);
}

static float mean(const sg_site *site, const sg_io *io, size_t first)
{
    double sum = 0;
    for (size_t p = 0; p < pixels_of(site); p++)
        sum += sg_load(io->in[0], site->in_type[0], first + p * (size_t)site->in[0].c);
    return (float)(sum / (double)pixels_of(site));
}

static float largest(const sg_site *site, const sg_io *io, size_t first, int64_t *taken)
{
    float best = -INFINITY;
    *taken = 0;
    for (size_t p = 0; p < pixels_of(site); p++) {
        float value = sg_load(io->in[0], site->in_type[0], first + p * (size_t)site->in[0].c);
        if (value > best || isnan(value)) {
            best = value;
            *taken = (int64_t)p;
        }
    }
    return best;
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    size_t channels = (size_t)site->in[0].c;
    for (size_t i = 0; i < sg_shape_count(site->out); i++) {
        size_t first = i / channels * pixels_of(site) * channels + i % channels;
        if (site->node->attr.global.kind == SG_POOL_MEAN) {
            sg_store(io->out, site->out_type, i, mean(site, io, first));
            continue;
        }
        int64_t taken;
        sg_store(io->out, site->out_type, i, largest(site, io, first, &taken));
        if (site->training)
            ((int64_t *)io->saved)[i] = taken;
    }
    return SG_OK;
}

static float share(const sg_site *site, const sg_io *io, size_t output, size_t pixel)
{
    if (site->node->attr.global.kind == SG_POOL_MEAN)
        return (float)(1 / (double)pixels_of(site));
    return ((const int64_t *)io->saved)[output] == (int64_t)pixel ? 1 : 0;
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    size_t channels = (size_t)site->in[0].c, pixels = pixels_of(site);
    for (size_t i = 0; sg_gradient_wanted(site, 0) && i < sg_shape_count(site->out); i++) {
        size_t first = i / channels * pixels * channels + i % channels;
        float gradient = sg_load(io->grad_out, site->grad_type, i);
        for (size_t p = 0; p < pixels; p++)
            sg_gradient_put(site, io, 0, first + p * channels, gradient * share(site, io, i, p));
    }
    return SG_OK;
}

const sg_op_def sg_op_global_pool = {
    .name = "global_pool",
    .least_inputs = 1,
    .most_inputs = 1,
    .make = make,
    .shape = shape,
    .needs = sg_op_needs_nothing,
    .saved = saved,
    .reach = sg_op_unbounded_reach,
    .flops = flops,
    .adds_gradient = 1,
};

const sg_kernel_def sg_reference_global_pool = {
    .prepare = sg_op_prepare_nothing,
    .forward = forward,
    .backward = backward,
};
