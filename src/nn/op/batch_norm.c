/*
 * Batch normalisation over n, h, w; parameters scale, shift, running mean, running variance.
 *
 * Numerical contract. Training: mean and biased variance of the batch (over all ranks when
 * run->reduce is set), in f64, in two passes (sum, then squared distances from the mean), so that
 * large means do not cancel; the running variance takes the unbiased one. Inference: the running
 * statistics. Values are computed in f64 and rounded once. Gradients of scale and shift are this
 * rank's own sums (they are summed over ranks with all other gradients); only the gradient of the
 * input uses the sums of all ranks. Sums run over pixels in (n, h, w) order.
 */
#include "nn/op/op_common.h"

#include <math.h>
#include <string.h>
#include "base/size.h"

enum { SCALE, SHIFT, MEAN, VARIANCE };

/* 1 / (1 + step / 10): the mean age of what is averaged is a tenth of the steps. */
double sg_norm_momentum(const sg_norm_attr *norm, const sg_run *run)
{
    const double least = .01;
    double momentum = norm->momentum, wanted = run ? 10 / ((double)run->step + 10) : momentum;
    wanted = wanted < least ? least : wanted;
    return wanted < momentum ? wanted : momentum;
}

/* What the forward pass leaves for the backward pass, then silu's values. */
typedef struct {
    double *mean, *inverse; /* [c]; inverse: 1 / sqrt(variance + epsilon) */
    float *kept;            /* [n][h][w][c], silu only */
} saved_parts;

static sg_err make(sg_graph *graph, sg_node *node, const int32_t *in_channels, int32_t *channels)
{
    const sg_norm_attr *norm = &node->attr.norm;
    const int64_t count = in_channels[0];
    sg_err err = sg_op_check_act(node);
    if (!err)
        err = sg_op_check_epsilon(node, norm->epsilon);
    if (err)
        return err;
    if (!(norm->momentum >= 0 && norm->momentum <= 1))
        return sg_fail(SG_EUSAGE, "%s: momentum is %g, must be in 0 .. 1", node->name,
                       (double)norm->momentum);
    err = sg_op_add_param(graph, node, SG_PARAM_SCALE, "scale", 1, &count);
    if (!err)
        err = sg_op_add_param(graph, node, SG_PARAM_SHIFT, "shift", 1, &count);
    if (!err)
        err = sg_op_add_param(graph, node, SG_PARAM_MEAN, "mean", 1, &count);
    if (!err)
        err = sg_op_add_param(graph, node, SG_PARAM_VARIANCE, "variance", 1, &count);
    *channels = in_channels[0];
    return err;
}

static int needs(const sg_node *node)
{
    return SG_NEEDS_INPUT | sg_fused_act_needs(node);
}

static size_t saved(const sg_node *node, const sg_shape *in, sg_shape out)
{
    return 2 * (size_t)out.c * sizeof(double) + sg_fused_act_saved(node, out);
}

static saved_parts split_saved(const sg_site *site, void *memory)
{
    size_t c = (size_t)site->out.c;
    double *statistics = memory;
    return (saved_parts){statistics, statistics + c, (float *)(statistics + 2 * c)};
}

static double flops(const sg_node *node, const sg_shape *in, sg_shape out)
{
    return 2 * (double)sg_shape_count(out);
}

typedef struct {
    double *sum; /* [2c + 1]: what is summed over ranks */
} norm_kernel;

static void release(void *kernel)
{
    norm_kernel *k = kernel;
    if (!k)
        return;
    sg_free(k->sum);
    sg_free(k);
}

static sg_err prepare(sg_backend *backend, const sg_site *site, void **kernel)
{
    norm_kernel *k = NULL;
    sg_err err = sg_calloc(1, sizeof *k, &k);
    if (err)
        return err;
    err = sg_malloc(2 * (size_t)site->out.c + 1, sizeof *k->sum, &k->sum);
    if (err) {
        release(k);
        return err;
    }
    *kernel = k;
    return SG_OK;
}

static void reduce(const sg_run *run, double *values, size_t count)
{
    if (run && run->reduce)
        run->reduce(run->reduce_user, values, count);
}

/* mean and inverse of the batch; variance gets the biased variance. Returns the pixels counted.
 * [collective] through run->reduce */
static double batch_statistics(norm_kernel *k, const sg_site *site, const sg_io *io,
                               saved_parts *parts, double *variance)
{
    size_t c = (size_t)site->out.c, pixels = sg_shape_count(site->out) / c;
    memset(k->sum, 0, (c + 1) * sizeof *k->sum);
    k->sum[c] = (double)pixels;
    for (size_t i = 0; i < pixels * c; i++)
        k->sum[i % c] += sg_load(io->in[0], site->in_type[0], i);
    reduce(io->run, k->sum, c + 1);
    double count = k->sum[c];
    for (size_t j = 0; j < c; j++) {
        parts->mean[j] = k->sum[j] / count;
        variance[j] = 0;
    }
    for (size_t i = 0; i < pixels * c; i++) {
        double distance = sg_load(io->in[0], site->in_type[0], i) - parts->mean[i % c];
        variance[i % c] += distance * distance;
    }
    reduce(io->run, variance, c);
    for (size_t j = 0; j < c; j++) {
        variance[j] /= count;
        parts->inverse[j] = 1 / sqrt(variance[j] + site->node->attr.norm.epsilon);
    }
    return count;
}

static void update_running(const sg_site *site, const sg_io *io, const double *mean,
                           const double *variance, double count)
{
    double momentum = sg_norm_momentum(&site->node->attr.norm, io->run);
    double unbiased = count > 1 ? count / (count - 1) : 1;
    for (int64_t j = 0; j < site->out.c; j++) {
        float *running_mean = &io->state[MEAN][j], *running_variance = &io->state[VARIANCE][j];
        *running_mean = (float)((1 - momentum) * *running_mean + momentum * mean[j]);
        *running_variance =
            (float)((1 - momentum) * *running_variance + momentum * unbiased * variance[j]);
    }
}

static void normalise(const sg_site *site, const sg_io *io, const saved_parts *parts)
{
    size_t c = (size_t)site->out.c, count = sg_shape_count(site->out);
    for (size_t i = 0; i < count; i++) {
        size_t j = i % c;
        double x = sg_load(io->in[0], site->in_type[0], i);
        double y = (x - parts->mean[j]) * parts->inverse[j] * io->param[SCALE][j];
        sg_fused_act_store(site, io, parts->kept, i, (float)(y + io->param[SHIFT][j]));
    }
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    norm_kernel *k = kernel;
    size_t c = (size_t)site->out.c;
    if (io->again) {
        saved_parts parts = split_saved(site, io->saved);
        normalise(site, io, &parts);
        return SG_OK;
    }
    if (site->training) {
        saved_parts parts = split_saved(site, io->saved);
        double *variance = k->sum + c; /* over the count, which has been read by then */
        double count = batch_statistics(k, site, io, &parts, variance);
        update_running(site, io, parts.mean, variance, count);
        normalise(site, io, &parts);
        return SG_OK;
    }
    saved_parts parts = {k->sum, k->sum + c, NULL};
    for (size_t j = 0; j < c; j++) {
        parts.mean[j] = io->param[MEAN][j];
        parts.inverse[j] = 1 / sqrt((double)io->param[VARIANCE][j] + site->node->attr.norm.epsilon);
    }
    normalise(site, io, &parts);
    return SG_OK;
}

/* dx = scale * inverse * (dz - mean(dz) - xhat * mean(dz * xhat)) */
static void input_gradient(const sg_site *site, const sg_io *io, const saved_parts *parts,
                           const double *sum, double pixels)
{
    size_t c = (size_t)site->out.c, count = sg_shape_count(site->out);
    for (size_t i = 0; i < count; i++) {
        size_t j = i % c;
        double x = sg_load(io->in[0], site->in_type[0], i);
        double normal = (x - parts->mean[j]) * parts->inverse[j];
        double gradient = sg_fused_act_gradient(site, io, parts->kept, i);
        double centred = gradient - sum[j] / pixels - normal * (sum[c + j] / pixels);
        sg_gradient_put(site, io, 0, i, (float)(io->param[SCALE][j] * parts->inverse[j] * centred));
    }
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    norm_kernel *k = kernel;
    saved_parts parts = split_saved(site, io->saved);
    size_t c = (size_t)site->out.c, count = sg_shape_count(site->out);
    double *sum = k->sum; /* [c] of dz, [c] of dz * xhat, pixels */
    memset(sum, 0, 2 * c * sizeof *sum);
    sum[2 * c] = (double)(count / c);
    for (size_t i = 0; i < count; i++) {
        size_t j = i % c;
        double x = sg_load(io->in[0], site->in_type[0], i);
        double gradient = sg_fused_act_gradient(site, io, parts.kept, i);
        sum[j] += gradient;
        sum[c + j] += gradient * (x - parts.mean[j]) * parts.inverse[j];
    }
    for (size_t j = 0; j < c; j++) {
        io->param_grad[SHIFT][j] = (float)sum[j];
        io->param_grad[SCALE][j] = (float)sum[c + j];
    }
    reduce(io->run, sum, 2 * c + 1);
    if (sg_gradient_wanted(site, 0))
        input_gradient(site, io, &parts, sum, sum[2 * c]);
    return SG_OK;
}

const sg_op_def sg_op_batch_norm = {
    .name = "batch_norm",
    .least_inputs = 1,
    .most_inputs = 1,
    .make = make,
    .shape = sg_op_shape_of_input,
    .needs = needs,
    .saved = saved,
    .saved_once = 1,
    .reach = sg_op_pixel_reach,
    .flops = flops,
};

const sg_kernel_def sg_reference_batch_norm = {
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .release = release,
};
