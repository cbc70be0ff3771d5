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
#include "cpu/norm_rows.h"
#include "nn/op/op_common.h"

enum { SCALE, SHIFT, MEAN, VARIANCE };
enum { WIDTH = 256 /* channels of a patch */, PATCH = 4096 /* floats of a patch */ };

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
} job;

/* ---- patches: some pixels by some channels ---- */

typedef struct {
    int64_t pixel, c;
    int64_t pixels, channels;
} patch;

typedef void (*patch_fn)(const job *j, const patch *p, double *partial);

/* Cut pixels [begin, end) into patches, whole pixels where the channels fit. */
static void each_patch(const job *j, int64_t begin, int64_t end, double *partial, patch_fn fn)
{
    int64_t c = j->norm->c, width = sg_min64(c, WIDTH), most = sg_min64(64, PATCH / width);
    for (int64_t i = begin; i < end; i += most)
        for (int64_t k = 0; k < c; k += width) {
            patch p = {i, k, sg_min64(most, end - i), sg_min64(width, c - k)};
            fn(j, &p, partial);
        }
}

/* The patch of a tensor as f32 rows `*stride` apart: in place for f32. */
static const float *load_patch(const job *j, const patch *p, const void *tensor, sg_dtype type,
                               float *buffer, int64_t *stride)
{
    int64_t c = j->norm->c, first = p->pixel * c + p->c;
    *stride = type == SG_F32 ? c : p->channels;
    if (type == SG_F32)
        return (const float *)tensor + first;
    for (int64_t i = 0; i < p->pixels; i++)
        sg_row_load(tensor, type, (size_t)(first + i * c), (size_t)p->channels,
                    buffer + i * p->channels);
    return buffer;
}

/* ---- statistics ---- */

static sg_norm_rows rows_of(const patch *p)
{
    return (sg_norm_rows){.pixels = p->pixels, .channels = p->channels, .first = p->c};
}

static void add_moments(const job *j, const patch *p, double *partial)
{
    float buffer[PATCH], mean[WIDTH], square[WIDTH];
    sg_norm_rows r = rows_of(p);
    double done = (double)(p->pixel % j->norm->block);
    r.x = load_patch(j, p, j->io->in[0], j->site->in_type[0], buffer, &r.stride);
    sg_norm_moments(&r, mean, square);
    sg_norm_merge(partial + p->c, partial + j->norm->c + p->c, done, mean, square,
                  (double)p->pixels, p->channels);
}

/* Items: blocks, each into its place of `partial`. */
static void each_block(const job *j, int64_t begin, int64_t end, patch_fn fn)
{
    const norm *n = j->norm;
    for (int64_t b = begin; b < end; b++) {
        double *partial = n->partial + b * 2 * n->c;
        memset(partial, 0, 2 * (size_t)n->c * sizeof *partial);
        each_patch(j, b * n->block, sg_min64(n->pixels, (b + 1) * n->block), partial, fn);
    }
}

static void moment_blocks(void *context, int64_t begin, int64_t end)
{
    each_block(context, begin, end, add_moments);
}

/* Items: channels. The first block gets the whole. */
static void merge_blocks(void *context, int64_t begin, int64_t end)
{
    const norm *n = ((const job *)context)->norm;
    double *mean = n->partial, *square = n->partial + n->c;
    for (int64_t b = 1; b < n->blocks; b++) {
        const double *other = n->partial + b * 2 * n->c;
        double had = (double)(b * n->block);
        double added = (double)(sg_min64(n->pixels, (b + 1) * n->block) - b * n->block);
        double part = added / (had + added), both = had * part;
        for (int64_t k = begin; k < end; k++) {
            double distance = other[k] - mean[k];
            mean[k] += distance * part;
            square[k] += other[n->c + k] + distance * distance * both;
        }
    }
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

/* Where to compute a patch of a tensor: in place for f32. */
static float *patch_target(const job *j, const patch *p, void *tensor, sg_dtype type, float *buffer,
                           int64_t *stride)
{
    *stride = type == SG_F32 ? j->norm->c : p->channels;
    return type == SG_F32 ? (float *)tensor + p->pixel * j->norm->c + p->c : buffer;
}

/* A patch computed there is in the tensor after this. */
static void store_patch(const job *j, const patch *p, const float *from, void *tensor,
                        sg_dtype type)
{
    int64_t c = j->norm->c;
    for (int64_t i = 0; type != SG_F32 && i < p->pixels; i++)
        sg_row_store(tensor, type, (size_t)((p->pixel + i) * c + p->c), (size_t)p->channels,
                     from + i * p->channels);
}

static void forward_patch(const job *j, const patch *p, double *partial)
{
    const sg_site *site = j->site;
    float in[PATCH], to[PATCH];
    int32_t act = site->node->act;
    sg_norm_rows r = rows_of(p);
    r.x = load_patch(j, p, j->io->in[0], site->in_type[0], in, &r.stride);
    r.out = patch_target(j, p, j->io->out, site->out_type, to, &r.out_stride);
    sg_norm_values(&r, &j->norm->k, act == SG_ACT_RELU);
    for (int64_t i = 0; act != SG_ACT_RELU && act != SG_ACT_NONE && i < p->pixels; i++)
        sg_row_act(act, r.out + i * r.out_stride, (size_t)p->channels);
    store_patch(j, p, r.out, j->io->out, site->out_type);
}

static void forward_pixels(void *context, int64_t begin, int64_t end)
{
    each_patch(context, begin, end, NULL, forward_patch);
}

/* Pixels of an item where items are independent: enough to be worth handing out. */
static int64_t grain(const norm *n)
{
    return sg_max64(64, 16 * PATCH / n->c);
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    const norm *n = kernel;
    job j = {n, site, io};
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

/* The gradient before an activation other than relu, rows of p->channels. Slopes of leaky relu and
 * silu follow from z; those of the others from the rounded output. */
static void unfuse(const job *j, const patch *p, const sg_norm_rows *r, float *dz)
{
    const sg_site *site = j->site;
    int32_t act = site->node->act;
    float value[PATCH];
    int64_t stride = p->channels;
    const float *y = value;
    sg_norm_rows z = *r;
    z.out = value;
    z.out_stride = p->channels;
    if (act == SG_ACT_LEAKY || act == SG_ACT_SILU)
        sg_norm_values(&z, &j->norm->k, false);
    else
        y = load_patch(j, p, j->io->out, site->out_type, value, &stride);
    for (int64_t i = 0; i < p->pixels; i++)
        sg_row_act_gradient(act, y + i * stride, r->up + i * r->up_stride, dz + i * p->channels,
                            (size_t)p->channels);
}

/* Buffers of a patch's rows; those of f32 tensors are not used. */
typedef struct {
    float in[PATCH], up[PATCH], dz[PATCH];
} buffers;

/* x and the gradient of a patch. Relu is left to the loops that follow: returns whether they must
 * apply it. */
static bool load_gradient(const job *j, const patch *p, buffers *b, sg_norm_rows *r)
{
    const sg_site *site = j->site;
    int32_t act = site->node->act;
    *r = rows_of(p);
    r->x = load_patch(j, p, j->io->in[0], site->in_type[0], b->in, &r->stride);
    r->up = load_patch(j, p, j->io->grad_out, site->grad_type, b->up, &r->up_stride);
    if (act == SG_ACT_NONE || act == SG_ACT_RELU)
        return act == SG_ACT_RELU;
    unfuse(j, p, r, b->dz);
    r->up = b->dz;
    r->up_stride = p->channels;
    return false;
}

static void sum_patch(const job *j, const patch *p, double *partial)
{
    buffers b;
    sg_norm_rows r;
    bool relu = load_gradient(j, p, &b, &r);
    sg_norm_sums(&r, &j->norm->k, relu, partial + p->c, partial + j->norm->c + p->c);
}

static void sum_blocks(void *context, int64_t begin, int64_t end)
{
    each_block(context, begin, end, sum_patch);
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

static void backward_patch(const job *j, const patch *p, double *partial)
{
    buffers b;
    float to[PATCH];
    sg_norm_rows r;
    bool relu = load_gradient(j, p, &b, &r);
    r.out = patch_target(j, p, j->io->grad_in[0], j->site->grad_type, to, &r.out_stride);
    sg_norm_input(&r, &j->norm->k, relu);
    store_patch(j, p, r.out, j->io->grad_in[0], j->site->grad_type);
}

static void backward_pixels(void *context, int64_t begin, int64_t end)
{
    each_patch(context, begin, end, NULL, backward_patch);
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    const norm *n = kernel;
    const double *saved = io->saved;
    job j = {n, site, io};
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
        n->k.centre[c] = (float)(n->sum[c] / n->sum[2 * n->c]);
        n->k.slope[c] = (float)(n->sum[n->c + c] / n->sum[2 * n->c] * saved[n->c + c]);
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
