/*
 * Batch normalisation with a fused activation.
 *
 * Numerical contract. Pixels are cut into blocks that depend on the shape alone, blocks into
 * patches that stay in the first-level cache. A patch's mean and squared distances from its own
 * mean are f32; patches and blocks are merged in order in f64 (Chan, Golub, LeVeque 1979), so large
 * means do not cancel, and the result is the same for any number of threads. Values are f32: z = (x
 * - mean) * factor + shift, where mean is rounded to f32 and what that loses is put into shift. The
 * backward pass computes the same z again.
 *
 * Gradients of scale and shift are this rank's own sums; only that of the input uses all ranks'.
 */
#include <math.h>
#include <string.h>
#include "base/size.h"
#include "cpu/channels.h"
#include "cpu/norm_pass.h"
#include "nn/op/op_common.h"

enum { SCALE, SHIFT, MEAN, VARIANCE };

typedef struct {
    sg_cpu *cpu;
    int64_t c, pixels, block, blocks;
    double *partial;     /* [blocks][2c], owned */
    double *sum;         /* [2c + 1]: what is summed over ranks; owned */
    float *coefficients; /* [6][c], owned */
    sg_norm_coefficients k;
} norm;

static void release(void *kernel)
{
    norm *n = kernel;
    if (!n)
        return;
    sg_free(n->partial);
    sg_free(n->sum);
    sg_free(n->coefficients);
    sg_free(n);
}

static sg_err allocate(norm *n, const sg_site *site)
{
    size_t c = (size_t)n->c;
    sg_err err = sg_malloc(6 * c, sizeof(float), &n->coefficients);
    if (!err && site->training)
        err = sg_malloc(2 * c + 1, sizeof(double), &n->sum);
    if (!err && site->training)
        err = sg_malloc((size_t)n->blocks, 2 * c * sizeof(double), &n->partial);
    if (err)
        return err;
    float *f = n->coefficients;
    n->k = (sg_norm_coefficients){f, f + c, f + 2 * c, f + 3 * c, f + 4 * c, f + 5 * c};
    return SG_OK;
}

static sg_err prepare(sg_backend *backend, const sg_site *site, void **kernel)
{
    norm *n = NULL;
    sg_err err = sg_calloc(1, sizeof *n, &n);
    if (err)
        return err;
    n->cpu = (sg_cpu *)backend;
    n->c = site->out.c;
    n->pixels = site->out.n * site->out.h * site->out.w;
    n->blocks = sg_channel_blocks(n->pixels, &n->block);
    err = allocate(n, site);
    if (err) {
        release(n);
        return err;
    }
    *kernel = n;
    return SG_OK;
}

typedef struct {
    const norm *norm;
    const sg_site *site;
    const sg_io *io;
    sg_norm_pass pass;
} job;

/* ---- statistics ---- */

/* Items: blocks, each into its place of `partial`. */
static void moment_blocks(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const norm *n = j->norm;
    for (int64_t b = begin; b < end; b++) {
        double *partial = n->partial + b * 2 * n->c;
        sg_norm_pass_moments(&j->pass, b * n->block, sg_min64(n->pixels, (b + 1) * n->block),
                             partial, partial + n->c);
    }
}

/* Items: channels. The first block gets the whole. */
static void merge_blocks(void *context, int64_t begin, int64_t end)
{
    const norm *n = ((const job *)context)->norm;
    const sg_norm_blocks all = {n->partial, n->c, n->blocks, n->block, n->pixels};
    sg_norm_pass_merge(&all, begin, end);
}

static void reduce(const sg_run *run, double *values, size_t count)
{
    if (run && run->reduce)
        run->reduce(run->reduce_user, values, count);
}

/*
 * Mean and summed squares over all ranks, into partial[0 .. 2c); returns the pixels counted. Two
 * reductions, as the distances are from the mean of all. [collective] through run->reduce
 */
static double batch_moments(const job *j)
{
    const norm *n = j->norm;
    double *mean = n->partial, *square = mean + n->c, *sum = n->sum;
    sg_cpu_for(n->cpu, n->blocks, 1, moment_blocks, (void *)j);
    sg_cpu_for(n->cpu, n->c, 64, merge_blocks, (void *)j);
    double pixels = (double)n->pixels;
    if (!j->io->run || !j->io->run->reduce)
        return pixels;
    for (int64_t k = 0; k < n->c; k++)
        sum[k] = mean[k] * pixels;
    sum[n->c] = pixels;
    reduce(j->io->run, sum, (size_t)n->c + 1);
    double all = sum[n->c];
    for (int64_t k = 0; k < n->c; k++) {
        double distance = mean[k] - sum[k] / all;
        mean[k] = sum[k] / all;
        sum[k] = square[k] + pixels * distance * distance;
    }
    reduce(j->io->run, sum, (size_t)n->c);
    memcpy(square, sum, (size_t)n->c * sizeof *square);
    return all;
}

/* ---- coefficients ---- */

static void set_coefficients(const job *j, int64_t c, double mean, double inverse)
{
    const sg_norm_coefficients *k = &j->norm->k;
    double factor = inverse * j->io->param[SCALE][c];
    k->mean[c] = (float)mean;
    k->inverse[c] = (float)inverse;
    k->factor[c] = (float)factor;
    k->shift[c] = (float)(j->io->param[SHIFT][c] - (mean - (double)k->mean[c]) * factor);
}

static void use_batch(const job *j)
{
    const norm *n = j->norm;
    const sg_norm_attr *attr = &j->site->node->attr.norm;
    double *saved = j->io->saved; /* mean, inverse: [2c] */
    double count = batch_moments(j), momentum = sg_norm_momentum(attr, j->io->run);
    double unbiased = count > 1 ? count / (count - 1) : 1;
    for (int64_t c = 0; c < n->c; c++) {
        double mean = n->partial[c], variance = n->partial[n->c + c] / count;
        float *running_mean = &j->io->state[MEAN][c], *running = &j->io->state[VARIANCE][c];
        *running_mean = (float)((1 - momentum) * *running_mean + momentum * mean);
        *running = (float)((1 - momentum) * *running + momentum * unbiased * variance);
        saved[c] = mean;
        saved[n->c + c] = 1 / sqrt(variance + attr->epsilon);
        set_coefficients(j, c, mean, saved[n->c + c]);
    }
}

static void use_saved(const job *j)
{
    const double *saved = j->io->saved;
    for (int64_t c = 0; c < j->norm->c; c++)
        set_coefficients(j, c, saved[c], saved[j->norm->c + c]);
}

static void use_running(const job *j)
{
    double epsilon = j->site->node->attr.norm.epsilon;
    for (int64_t c = 0; c < j->norm->c; c++)
        set_coefficients(j, c, j->io->param[MEAN][c],
                         1 / sqrt((double)j->io->param[VARIANCE][c] + epsilon));
}

/* ---- values ---- */

static void forward_pixels(void *context, int64_t begin, int64_t end)
{
    sg_norm_pass_values(&((const job *)context)->pass, begin, end);
}

/* Pixels of an item where items are independent: enough to be worth handing out. */
static int64_t grain(const norm *n)
{
    return sg_max64(64, 16 * SG_NORM_PATCH / n->c);
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    const norm *n = kernel;
    job j = {n, site, io, {site, io, &n->k}};
    if (io->again)
        use_saved(&j);
    else if (site->training)
        use_batch(&j);
    else
        use_running(&j);
    sg_cpu_for(n->cpu, n->pixels, grain(n), forward_pixels, &j);
    return SG_OK;
}

/* ---- gradients ---- */

static void sum_blocks(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const norm *n = j->norm;
    for (int64_t b = begin; b < end; b++) {
        double *partial = n->partial + b * 2 * n->c;
        sg_norm_pass_sums(&j->pass, b * n->block, sg_min64(n->pixels, (b + 1) * n->block), partial,
                          partial + n->c);
    }
}

/* Items: the 2c sums. */
static void add_blocks(void *context, int64_t begin, int64_t end)
{
    const norm *n = ((const job *)context)->norm;
    for (int64_t k = begin; k < end; k++)
        n->sum[k] = 0;
    for (int64_t b = 0; b < n->blocks; b++)
        for (int64_t k = begin; k < end; k++)
            n->sum[k] += n->partial[b * 2 * n->c + k];
}

static void backward_pixels(void *context, int64_t begin, int64_t end)
{
    sg_norm_pass_input(&((const job *)context)->pass, begin, end);
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    const norm *n = kernel;
    const double *saved = io->saved;
    job j = {n, site, io, {site, io, &n->k}};
    use_saved(&j);
    sg_cpu_for(n->cpu, n->blocks, 1, sum_blocks, &j);
    sg_cpu_for(n->cpu, 2 * n->c, 128, add_blocks, &j);
    for (int64_t c = 0; c < n->c; c++) {
        io->param_grad[SHIFT][c] = (float)n->sum[c];
        io->param_grad[SCALE][c] = (float)n->sum[n->c + c];
    }
    n->sum[2 * n->c] = (double)n->pixels;
    reduce(io->run, n->sum, 2 * (size_t)n->c + 1);
    for (int64_t c = 0; c < n->c; c++) {
        double pixels = n->sum[2 * n->c], inverse = saved[n->c + c];
        double factor = inverse * io->param[SCALE][c];
        n->k.centre[c] = (float)(factor * (n->sum[c] / pixels));
        n->k.slope[c] = (float)(factor * (n->sum[n->c + c] / pixels * inverse));
    }
    if (site->write[0] != SG_GRAD_NONE)
        sg_cpu_for(n->cpu, n->pixels, grain(n), backward_pixels, &j);
    return SG_OK;
}

const sg_kernel_def sg_cpu_batch_norm = {
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .release = release,
};
