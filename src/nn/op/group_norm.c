/*
 * Group normalisation (Wu and He 2018): each image's channels are cut into groups of neighbours,
 * and a group is normalised over its own channels and all its pixels; parameters scale, shift, one
 * for each channel. There are no running statistics: prediction computes what training does.
 *
 * Numerical contract. Mean and biased variance of a group in f64, in two passes (sum, then squared
 * distances from the mean), so that large means do not cancel. Values are computed in f64 and
 * rounded once. Sums run over an image's pixels in (h, w, c) order; gradients of scale and shift
 * are sums over images in order.
 */
#include "nn/op/op_common.h"

#include <math.h>
#include <string.h>
#include "base/size.h"

enum { SCALE, SHIFT };

/* What the forward pass leaves for the backward pass, then silu's values. */
typedef struct {
    double *mean, *inverse; /* [n][groups]; inverse: 1 / sqrt(variance + epsilon) */
    float *kept;            /* [n][h][w][c], silu only */
} saved_parts;

/* Numbers of one site. */
typedef struct {
    size_t n, pixels, c, groups, width; /* pixels of one image; channels of a group */
} extent;

static extent extent_of(const sg_node *node, sg_shape shape)
{
    size_t groups = (size_t)node->attr.group_norm.groups, c = (size_t)shape.c;
    return (extent){(size_t)shape.n, (size_t)(shape.h * shape.w), c, groups, c / groups};
}

static sg_err make(sg_graph *graph, sg_node *node, const int32_t *in_channels, int32_t *channels)
{
    const sg_group_norm_attr *norm = &node->attr.group_norm;
    const int64_t count = in_channels[0];
    sg_err err = sg_op_check_act(node);
    if (!err)
        err = sg_op_check_epsilon(node, norm->epsilon);
    if (!err)
        err = sg_op_check_range(node, "groups", norm->groups, 1, count);
    if (err)
        return err;
    if (count % norm->groups != 0)
        return sg_fail(SG_EUSAGE, "%s: %lld channels cannot be cut into %d groups", node->name,
                       (long long)count, (int)norm->groups);
    err = sg_op_add_param(graph, node, SG_PARAM_SCALE, "scale", 1, &count);
    if (!err)
        err = sg_op_add_param(graph, node, SG_PARAM_SHIFT, "shift", 1, &count);
    *channels = in_channels[0];
    return err;
}

static int needs(const sg_node *node)
{
    return SG_NEEDS_INPUT | sg_fused_act_needs(node);
}

static size_t statistics(const sg_node *node, sg_shape out)
{
    extent e = extent_of(node, out);
    return 2 * e.n * e.groups;
}

static size_t saved(const sg_node *node, const sg_shape *in, sg_shape out)
{
    return statistics(node, out) * sizeof(double) + sg_fused_act_saved(node, out);
}

static saved_parts split(const sg_site *site, double *memory)
{
    size_t count = statistics(site->node, site->out);
    return (saved_parts){memory, memory + count / 2, (float *)(memory + count)};
}

static double flops(const sg_node *node, const sg_shape *in, sg_shape out)
{
    return 2 * (double)sg_shape_count(out);
}

/* The kernel: [2][n][groups], statistics where nothing is saved, sums of a backward pass. */
static sg_err prepare(sg_backend *backend, const sg_site *site, void **kernel)
{
    double *sum = NULL;
    sg_err err = sg_malloc(statistics(site->node, site->out), sizeof *sum, &sum);
    *kernel = sum;
    return err;
}

static void release(void *kernel)
{
    sg_free(kernel);
}

/* The group of element i, of n * groups. */
static size_t group_of(const extent *e, size_t i)
{
    return i / (e->pixels * e->c) * e->groups + i % e->c / e->width;
}

static void measure(const sg_site *site, const sg_io *io, const saved_parts *parts)
{
    extent e = extent_of(site->node, site->out);
    size_t count = sg_shape_count(site->out), all = e.n * e.groups;
    double each = (double)(e.pixels * e.width), epsilon = site->node->attr.group_norm.epsilon;
    memset(parts->mean, 0, all * sizeof *parts->mean);
    memset(parts->inverse, 0, all * sizeof *parts->inverse);
    for (size_t i = 0; i < count; i++)
        parts->mean[group_of(&e, i)] += sg_load(io->in[0], site->in_type[0], i);
    for (size_t g = 0; g < all; g++)
        parts->mean[g] /= each;
    for (size_t i = 0; i < count; i++) {
        size_t g = group_of(&e, i);
        double distance = sg_load(io->in[0], site->in_type[0], i) - parts->mean[g];
        parts->inverse[g] += distance * distance;
    }
    for (size_t g = 0; g < all; g++)
        parts->inverse[g] = 1 / sqrt(parts->inverse[g] / each + epsilon);
}

/* (x - mean) / deviation of element i. */
static double normal(const sg_site *site, const sg_io *io, const saved_parts *parts,
                     const extent *e, size_t i)
{
    size_t g = group_of(e, i);
    return (sg_load(io->in[0], site->in_type[0], i) - parts->mean[g]) * parts->inverse[g];
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    saved_parts parts = split(site, site->training ? io->saved : kernel);
    extent e = extent_of(site->node, site->out);
    size_t count = sg_shape_count(site->out);
    if (!site->training)
        parts.kept = NULL;
    if (!io->again)
        measure(site, io, &parts);
    for (size_t i = 0; i < count; i++) {
        double y = normal(site, io, &parts, &e, i) * io->param[SCALE][i % e.c];
        sg_fused_act_store(site, io, parts.kept, i, (float)(y + io->param[SHIFT][i % e.c]));
    }
    return SG_OK;
}

/* The gradients of scale and shift of one channel. */
static void channel_gradient(const sg_site *site, const sg_io *io, const saved_parts *parts,
                             const extent *e, size_t c)
{
    double sum = 0, with_normal = 0;
    for (size_t i = c; i < e->n * e->pixels * e->c; i += e->c) {
        double gradient = sg_fused_act_gradient(site, io, parts->kept, i);
        sum += gradient;
        with_normal += gradient * normal(site, io, parts, e, i);
    }
    io->param_grad[SHIFT][c] = (float)sum;
    io->param_grad[SCALE][c] = (float)with_normal;
}

/* dx = inverse * (g - mean(g) - xhat * mean(g * xhat)) with g = scale * dz, means over a group */
static void input_gradient(const sg_site *site, const sg_io *io, const saved_parts *parts,
                           const extent *e, double *sum)
{
    size_t all = e->n * e->groups, count = sg_shape_count(site->out);
    double each = (double)(e->pixels * e->width), *with_normal = sum + all;
    memset(sum, 0, 2 * all * sizeof *sum);
    for (size_t i = 0; i < count; i++) {
        double gradient =
            sg_fused_act_gradient(site, io, parts->kept, i) * (double)io->param[SCALE][i % e->c];
        sum[group_of(e, i)] += gradient;
        with_normal[group_of(e, i)] += gradient * normal(site, io, parts, e, i);
    }
    for (size_t i = 0; i < count; i++) {
        size_t g = group_of(e, i);
        double gradient =
            sg_fused_act_gradient(site, io, parts->kept, i) * (double)io->param[SCALE][i % e->c];
        double centred =
            gradient - sum[g] / each - normal(site, io, parts, e, i) * (with_normal[g] / each);
        sg_gradient_put(site, io, 0, i, (float)(parts->inverse[g] * centred));
    }
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    saved_parts parts = split(site, io->saved);
    extent e = extent_of(site->node, site->out);
    for (size_t c = 0; c < e.c; c++)
        channel_gradient(site, io, &parts, &e, c);
    if (sg_gradient_wanted(site, 0))
        input_gradient(site, io, &parts, &e, kernel);
    return SG_OK;
}

const sg_op_def sg_op_group_norm = {
    .name = "group_norm",
    .least_inputs = 1,
    .most_inputs = 1,
    .make = make,
    .shape = sg_op_shape_of_input,
    .needs = needs,
    .saved = saved,
    .saved_once = 1,
    .reach = sg_op_everywhere_reach,
    .flops = flops,
};

const sg_kernel_def sg_reference_group_norm = {
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .release = release,
};
