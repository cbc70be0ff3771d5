/*
 * Group normalisation with a fused activation.
 *
 * Numerical contract. Pixels of an image are cut into blocks that depend on the shape alone.
 * Moments of channels are those of batch norm (norm_pass.h); blocks and then the channels of a
 * group are merged in order in f64, so large means do not cancel, and the result is the same for
 * any number of threads and any batch. Values are f32: z = (x - mean) * factor + shift, where mean
 * is rounded to f32 and what that loses is put into shift. The backward pass computes the same z
 * again.
 */
#include <math.h>
#include <string.h>
#include "base/size.h"
#include "cpu/channels.h"
#include "cpu/norm_pass.h"
#include "nn/op/op_common.h"

enum { SCALE, SHIFT };

typedef struct {
    sg_cpu *cpu;
    int64_t n, c, groups, width;   /* width: channels of a group */
    int64_t pixels, block, blocks; /* of one image */
    double *partial;               /* [n][blocks][2c], owned, as all below */
    double *statistics;            /* [2][n][groups]: mean, inverse; NULL when they are saved */
    float *coefficients;           /* [n][6][c] */
    sg_norm_coefficients *k;       /* [n] */
} norm;

static void release(void *kernel)
{
    norm *g = kernel;
    if (!g)
        return;
    sg_free(g->partial);
    sg_free(g->statistics);
    sg_free(g->coefficients);
    sg_free(g->k);
    sg_free(g);
}

static sg_err allocate(norm *g, bool training)
{
    size_t c = (size_t)g->c, n = (size_t)g->n;
    sg_err err = sg_malloc(n, 6 * c * sizeof(float), &g->coefficients);
    if (!err)
        err = sg_malloc(n, sizeof *g->k, &g->k);
    if (!err)
        err = sg_malloc(n * (size_t)g->blocks, 2 * c * sizeof(double), &g->partial);
    if (!err && !training)
        err = sg_malloc(n, 2 * (size_t)g->groups * sizeof(double), &g->statistics);
    for (size_t i = 0; !err && i < n; i++) {
        float *f = g->coefficients + i * 6 * c;
        g->k[i] = (sg_norm_coefficients){f, f + c, f + 2 * c, f + 3 * c, f + 4 * c, f + 5 * c};
    }
    return err;
}

static sg_err prepare(sg_backend *backend, const sg_site *site, void **kernel)
{
    norm *g = NULL;
    sg_err err = sg_calloc(1, sizeof *g, &g);
    if (err)
        return err;
    g->cpu = (sg_cpu *)backend;
    g->n = site->out.n;
    g->c = site->out.c;
    g->groups = site->node->attr.group_norm.groups;
    g->width = g->c / g->groups;
    g->pixels = site->out.h * site->out.w;
    g->blocks = sg_channel_blocks(g->pixels, &g->block);
    err = allocate(g, site->training);
    if (err) {
        release(g);
        return err;
    }
    *kernel = g;
    return SG_OK;
}

/* One call: where its statistics lie, [n][groups]. */
typedef struct {
    const norm *norm;
    const sg_site *site;
    const sg_io *io;
    double *mean, *inverse;
} job;

static job job_of(const norm *g, const sg_site *site, const sg_io *io)
{
    double *statistics = site->training ? io->saved : g->statistics;
    return (job){g, site, io, statistics, statistics + g->n * g->groups};
}

/* ---- blocks: items count through images and through the blocks of each ---- */

typedef struct {
    int64_t image, begin, end; /* pixels of the tensor */
    double *first, *second;    /* [c] of partial */
} block;

static block block_of(const norm *g, int64_t item)
{
    int64_t image = item / g->blocks, at = item % g->blocks, start = image * g->pixels;
    double *partial = g->partial + item * 2 * g->c;
    return (block){image, start + at * g->block, start + sg_min64(g->pixels, (at + 1) * g->block),
                   partial, partial + g->c};
}

static sg_norm_pass pass_of(const job *j, int64_t image)
{
    return (sg_norm_pass){j->site, j->io, &j->norm->k[image]};
}

static void moment_blocks(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t item = begin; item < end; item++) {
        block b = block_of(j->norm, item);
        sg_norm_pass pass = pass_of(j, b.image);
        sg_norm_pass_moments(&pass, b.begin, b.end, b.first, b.second);
    }
}

static void value_blocks(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t item = begin; item < end; item++) {
        block b = block_of(j->norm, item);
        sg_norm_pass pass = pass_of(j, b.image);
        sg_norm_pass_values(&pass, b.begin, b.end);
    }
}

static void sum_blocks(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t item = begin; item < end; item++) {
        block b = block_of(j->norm, item);
        sg_norm_pass pass = pass_of(j, b.image);
        sg_norm_pass_sums(&pass, b.begin, b.end, b.first, b.second);
    }
}

static void input_blocks(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t item = begin; item < end; item++) {
        block b = block_of(j->norm, item);
        sg_norm_pass pass = pass_of(j, b.image);
        sg_norm_pass_input(&pass, b.begin, b.end);
    }
}

/* ---- statistics ---- */

/* An image's blocks into its first: moments of channels. */
static void merge_blocks(const norm *g, int64_t image)
{
    const sg_norm_blocks all = {block_of(g, image * g->blocks).first, g->c, g->blocks, g->block,
                                g->pixels};
    sg_norm_pass_merge(&all, 0, g->c);
}

/* Channels have as many pixels each: a group's mean is that of their means. */
static void merge_channels(const job *j, int64_t image, int64_t group)
{
    const norm *g = j->norm;
    const double *mean = block_of(g, image * g->blocks).first + group * g->width;
    const double *square = mean + g->c;
    double pixels = (double)g->pixels, width = (double)g->width, sum = 0, squares = 0;
    for (int64_t c = 0; c < g->width; c++)
        sum += mean[c] - mean[0];
    double middle = mean[0] + sum / width;
    for (int64_t c = 0; c < g->width; c++) {
        double distance = mean[c] - middle;
        squares += square[c] + pixels * distance * distance;
    }
    j->mean[image * g->groups + group] = middle;
    j->inverse[image * g->groups + group] =
        1 / sqrt(squares / (pixels * width) + j->site->node->attr.group_norm.epsilon);
}

/* Items: images. */
static void merge_images(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t image = begin; image < end; image++) {
        merge_blocks(j->norm, image);
        for (int64_t group = 0; group < j->norm->groups; group++)
            merge_channels(j, image, group);
    }
}

static void set_coefficients(const job *j)
{
    const norm *g = j->norm;
    for (int64_t i = 0; i < g->n * g->c; i++) {
        int64_t c = i % g->c, group = i / g->c * g->groups + c / g->width;
        const sg_norm_coefficients *k = &g->k[i / g->c];
        double mean = j->mean[group], factor = j->inverse[group] * j->io->param[SCALE][c];
        k->mean[c] = (float)mean;
        k->inverse[c] = (float)j->inverse[group];
        k->factor[c] = (float)factor;
        k->shift[c] = (float)(j->io->param[SHIFT][c] - (mean - (double)k->mean[c]) * factor);
    }
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    const norm *g = kernel;
    job j = job_of(g, site, io);
    if (!io->again) {
        sg_cpu_for(g->cpu, g->n * g->blocks, 1, moment_blocks, &j);
        sg_cpu_for(g->cpu, g->n, 1, merge_images, &j);
    }
    set_coefficients(&j);
    sg_cpu_for(g->cpu, g->n * g->blocks, 1, value_blocks, &j);
    return SG_OK;
}

/* ---- gradients ---- */

/* Sums of an image's blocks, into its first. */
static void add_blocks(const norm *g, int64_t image)
{
    double *sum = block_of(g, image * g->blocks).first;
    for (int64_t b = 1; b < g->blocks; b++)
        for (int64_t k = 0; k < 2 * g->c; k++)
            sum[k] += sum[b * 2 * g->c + k];
}

/*
 * dx = inverse * (scale * dz - mean(scale * dz) - xhat * mean(scale * dz * xhat)), means over the
 * group, which are made of the channels' sums.
 */
static void set_slopes(const job *j, int64_t image, int64_t group)
{
    const norm *g = j->norm;
    const double *sum = block_of(g, image * g->blocks).first, *sum_normal = sum + g->c;
    double first = 0, second = 0, inverse = j->inverse[image * g->groups + group];
    double each = (double)(g->pixels * g->width);
    int64_t begin = group * g->width, end = begin + g->width;
    for (int64_t c = begin; c < end; c++) {
        first += sum[c] * j->io->param[SCALE][c];
        second += sum_normal[c] * j->io->param[SCALE][c];
    }
    for (int64_t c = begin; c < end; c++) {
        g->k[image].centre[c] = (float)(inverse * (first / each));
        g->k[image].slope[c] = (float)(inverse * inverse * (second / each));
    }
}

/* Items: images. */
static void add_images(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t image = begin; image < end; image++) {
        add_blocks(j->norm, image);
        for (int64_t group = 0; group < j->norm->groups; group++)
            set_slopes(j, image, group);
    }
}

static void param_gradients(const job *j)
{
    const norm *g = j->norm;
    for (int64_t c = 0; c < g->c; c++) {
        double shift = 0, scale = 0;
        for (int64_t image = 0; image < g->n; image++) {
            const double *sum = block_of(g, image * g->blocks).first;
            shift += sum[c];
            scale += sum[g->c + c];
        }
        j->io->param_grad[SHIFT][c] = (float)shift;
        j->io->param_grad[SCALE][c] = (float)scale;
    }
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    const norm *g = kernel;
    job j = job_of(g, site, io);
    set_coefficients(&j);
    sg_cpu_for(g->cpu, g->n * g->blocks, 1, sum_blocks, &j);
    sg_cpu_for(g->cpu, g->n, 1, add_images, &j);
    param_gradients(&j);
    if (site->write[0] != SG_GRAD_NONE)
        sg_cpu_for(g->cpu, g->n * g->blocks, 1, input_blocks, &j);
    return SG_OK;
}

const sg_kernel_def sg_cpu_group_norm = {
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .release = release,
};
