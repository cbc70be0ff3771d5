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
#include "cpu/rows.h"

enum { SCALE, SHIFT, MEAN, VARIANCE };
enum { LANES = 16, WIDTH = 256 /* channels of a patch */, PATCH = 4096 /* floats of a patch */ };

/* Per channel, what a pixel is computed with. */
typedef struct {
    float *mean, *factor, *shift; /* [c]: z = (x - mean) * factor + shift */
    float *inverse;               /* [c]: 1 / sqrt(variance + epsilon) */
    float *centre, *slope;        /* [c]: dx = factor * (dz - centre - normal * slope) */
} coefficients;

typedef struct {
    sg_cpu *cpu;
    int64_t c, pixels, block, blocks;
    double *partial;     /* [blocks][2c], owned */
    double *sum;         /* [2c + 1]: what is summed over ranks; owned */
    float *coefficients; /* [6][c], owned */
    coefficients k;
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
    n->k = (coefficients){f, f + c, f + 2 * c, f + 3 * c, f + 4 * c, f + 5 * c};
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

/* mean[k] and square[k], the sum of squared distances from it, of n pixels. */
static inline void moments_lanes(const float *x, int64_t stride, int64_t n, const int lanes,
                                 float *mean, float *square)
{
    float sum[LANES] = {0}, rest[LANES] = {0}, squares[LANES] = {0};
    float one = 1.0f / (float)n;
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < lanes; k++)
            sum[k] += x[i * stride + k];
    for (int k = 0; k < lanes; k++)
        sum[k] *= one;
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < lanes; k++) {
            float distance = x[i * stride + k] - sum[k];
            rest[k] += distance;
            squares[k] += distance * distance;
        }
    for (int k = 0; k < lanes; k++) { /* the rounded mean's error, taken back */
        float shift = rest[k] * one;
        mean[k] = sum[k] + shift;
        square[k] = squares[k] - rest[k] * shift;
    }
}

SG_CLONES static void moments(const float *x, int64_t stride, int64_t n, int64_t channels,
                              float *mean, float *square)
{
    int64_t k = 0;
    for (; k + LANES <= channels; k += LANES)
        moments_lanes(x + k, stride, n, LANES, mean + k, square + k);
    for (; k < channels; k++)
        moments_lanes(x + k, stride, n, 1, mean + k, square + k);
}

/* Merge (mean, square) of `added` pixels into those of `had`. */
SG_CLONES static void merge(double *restrict mean, double *restrict square, double had,
                            const float *restrict its_mean, const float *restrict its_square,
                            double added, int64_t channels)
{
    double part = added / (had + added), both = had * part;
    for (int64_t k = 0; k < channels; k++) {
        double distance = its_mean[k] - mean[k];
        mean[k] += distance * part;
        square[k] += its_square[k] + distance * distance * both;
    }
}

static void add_moments(const job *j, const patch *p, double *partial)
{
    float buffer[PATCH], mean[WIDTH], square[WIDTH];
    int64_t stride, done = p->pixel % j->norm->block;
    const float *x = load_patch(j, p, j->io->in[0], j->site->in_type[0], buffer, &stride);
    moments(x, stride, p->pixels, p->channels, mean, square);
    merge(partial + p->c, partial + j->norm->c + p->c, (double)done, mean, square,
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
    const coefficients *k = &j->norm->k;
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
    double count = batch_moments(j), momentum = attr->momentum;
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

static void use_running(const job *j)
{
    double epsilon = j->site->node->attr.norm.epsilon;
    for (int64_t c = 0; c < j->norm->c; c++)
        set_coefficients(j, c, j->io->param[MEAN][c],
                         1 / sqrt((double)j->io->param[VARIANCE][c] + epsilon));
}

/* ---- values ---- */

SG_CLONES static void normalise(const float *x, int64_t stride, int64_t pixels, int64_t channels,
                                const float *mean, const float *factor, const float *shift,
                                float *z, int64_t z_stride)
{
    for (int64_t i = 0; i < pixels; i++)
        for (int64_t k = 0; k < channels; k++)
            z[i * z_stride + k] = (x[i * stride + k] - mean[k]) * factor[k] + shift[k];
}

/* z of a patch, rows of p->channels. */
static void compute_z(const job *j, const patch *p, const float *x, int64_t stride, float *z)
{
    const coefficients *k = &j->norm->k;
    normalise(x, stride, p->pixels, p->channels, k->mean + p->c, k->factor + p->c, k->shift + p->c,
              z, p->channels);
}

/* Rows of p->channels into a tensor. */
static void store_patch(const job *j, const patch *p, const float *rows, void *tensor,
                        sg_dtype type)
{
    int64_t c = j->norm->c;
    size_t first = (size_t)(p->pixel * c + p->c);
    if (p->channels == c) {
        sg_row_store(tensor, type, first, (size_t)(p->pixels * c), rows);
        return;
    }
    for (int64_t i = 0; i < p->pixels; i++)
        sg_row_store(tensor, type, first + (size_t)(i * c), (size_t)p->channels,
                     rows + i * p->channels);
}

static void forward_patch(const job *j, const patch *p, double *partial)
{
    float buffer[PATCH], z[PATCH];
    int64_t stride;
    const float *x = load_patch(j, p, j->io->in[0], j->site->in_type[0], buffer, &stride);
    compute_z(j, p, x, stride, z);
    sg_row_act(j->site->node->act, z, (size_t)(p->pixels * p->channels));
    store_patch(j, p, z, j->io->out, j->site->out_type);
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
    if (site->training)
        use_batch(&j);
    else
        use_running(&j);
    sg_cpu_for(n->cpu, n->pixels, grain(n), forward_pixels, &j);
    return SG_OK;
}

/* ---- gradients ---- */

/* dz of a patch, rows of p->channels: the gradient before the activation. Slopes of relu, leaky
 * relu and silu follow from z; those of the others from the rounded output. */
static const float *gradient_of(const job *j, const patch *p, const float *x, int64_t stride,
                                float *dz)
{
    const sg_site *site = j->site;
    int32_t act = site->node->act;
    bool from_z = act == SG_ACT_RELU || act == SG_ACT_LEAKY || act == SG_ACT_SILU;
    float up[PATCH], value[PATCH];
    int64_t up_stride, value_stride = p->channels;
    const float *dy = load_patch(j, p, j->io->grad_out, site->grad_type, up, &up_stride);
    const float *y = value;
    if (from_z)
        compute_z(j, p, x, stride, value);
    else
        y = act == SG_ACT_NONE ? dy
                               : load_patch(j, p, j->io->out, site->out_type, value, &value_stride);
    if (act == SG_ACT_NONE)
        value_stride = up_stride;
    if (value_stride == p->channels && up_stride == p->channels) {
        sg_row_act_gradient(act, y, dy, dz, (size_t)(p->pixels * p->channels));
        return dz;
    }
    for (int64_t i = 0; i < p->pixels; i++)
        sg_row_act_gradient(act, y + i * value_stride, dy + i * up_stride, dz + i * p->channels,
                            (size_t)p->channels);
    return dz;
}

static inline void gradient_lanes(const float *x, int64_t stride, const float *dz,
                                  int64_t dz_stride, int64_t n, const int lanes, const float *mean,
                                  const float *inverse, double *sum, double *sum_normal)
{
    float s[LANES] = {0}, t[LANES] = {0}, m[LANES] = {0};
    for (int k = 0; k < lanes; k++)
        m[k] = mean[k];
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < lanes; k++) {
            float g = dz[i * dz_stride + k];
            s[k] += g;
            t[k] += g * (x[i * stride + k] - m[k]);
        }
    for (int k = 0; k < lanes; k++) {
        sum[k] += s[k];
        sum_normal[k] += (double)t[k] * inverse[k];
    }
}

/* sum += dz, sum_normal += dz * (x - mean) * inverse, per channel. */
SG_CLONES static void add_gradients(const float *x, int64_t stride, const float *dz, int64_t n,
                                    int64_t channels, const float *mean, const float *inverse,
                                    double *sum, double *sum_normal)
{
    int64_t k = 0;
    for (; k + LANES <= channels; k += LANES)
        gradient_lanes(x + k, stride, dz + k, channels, n, LANES, mean + k, inverse + k, sum + k,
                       sum_normal + k);
    for (; k < channels; k++)
        gradient_lanes(x + k, stride, dz + k, channels, n, 1, mean + k, inverse + k, sum + k,
                       sum_normal + k);
}

static void sum_patch(const job *j, const patch *p, double *partial)
{
    const coefficients *k = &j->norm->k;
    float buffer[PATCH], dz[PATCH];
    int64_t stride;
    const float *x = load_patch(j, p, j->io->in[0], j->site->in_type[0], buffer, &stride);
    gradient_of(j, p, x, stride, dz);
    add_gradients(x, stride, dz, p->pixels, p->channels, k->mean + p->c, k->inverse + p->c,
                  partial + p->c, partial + j->norm->c + p->c);
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

/* dx = factor * (dz - centre - normal * slope), in place of dz. */
SG_CLONES static void input_gradient(const float *x, int64_t stride, int64_t pixels,
                                     int64_t channels, const coefficients *all, int64_t first,
                                     float *dz)
{
    const float *mean = all->mean + first, *inverse = all->inverse + first;
    const float *factor = all->factor + first;
    const float *centre = all->centre + first, *slope = all->slope + first;
    for (int64_t i = 0; i < pixels; i++)
        for (int64_t k = 0; k < channels; k++) {
            float normal = (x[i * stride + k] - mean[k]) * inverse[k];
            float centred = dz[i * channels + k] - centre[k] - normal * slope[k];
            dz[i * channels + k] = factor[k] * centred;
        }
}

static void backward_patch(const job *j, const patch *p, double *partial)
{
    const sg_site *site = j->site;
    float buffer[PATCH], dz[PATCH];
    int64_t stride;
    const float *x = load_patch(j, p, j->io->in[0], site->in_type[0], buffer, &stride);
    gradient_of(j, p, x, stride, dz);
    input_gradient(x, stride, p->pixels, p->channels, &j->norm->k, p->c, dz);
    store_patch(j, p, dz, j->io->grad_in[0], site->grad_type);
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
    for (int64_t c = 0; c < n->c; c++)
        set_coefficients(&j, c, saved[c], saved[n->c + c]);
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
        n->k.slope[c] = (float)(n->sum[n->c + c] / n->sum[2 * n->c]);
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
