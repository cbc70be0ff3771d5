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
    float *centre, *slope;        /* [c]: dx = factor * (dz - centre - (x - mean) * slope) */
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

/* Rows of a patch: values `stride` apart from pixel to pixel. */
typedef struct {
    const float *x, *up; /* input; gradient of the output, or before the activation */
    float *out;
    int64_t stride, up_stride, out_stride;
} rows;

/* z, or relu(z), of some channels: constants stay in registers while the pixels run by. */
static inline __attribute__((always_inline)) void
normalise_lanes(const rows *r, int64_t n, int64_t c, const coefficients *all, int64_t first,
                const int lanes, const bool relu)
{
    float mean[LANES], factor[LANES], shift[LANES];
    const float *x = r->x + c;
    float *out = r->out + c;
    for (int k = 0; k < lanes; k++) {
        mean[k] = all->mean[first + c + k];
        factor[k] = all->factor[first + c + k];
        shift[k] = all->shift[first + c + k];
    }
    for (int64_t i = 0; i < n; i++, x += r->stride, out += r->out_stride)
        for (int k = 0; k < lanes; k++) {
            float z = (x[k] - mean[k]) * factor[k] + shift[k];
            out[k] = relu && z < 0 ? 0 : z;
        }
}

SG_CLONES static void normalise(const rows *r, const patch *p, const coefficients *all)
{
    int64_t c = 0;
    for (; c + LANES <= p->channels; c += LANES)
        normalise_lanes(r, p->pixels, c, all, p->c, LANES, false);
    for (; c < p->channels; c++)
        normalise_lanes(r, p->pixels, c, all, p->c, 1, false);
}

SG_CLONES static void normalise_relu(const rows *r, const patch *p, const coefficients *all)
{
    int64_t c = 0;
    for (; c + LANES <= p->channels; c += LANES)
        normalise_lanes(r, p->pixels, c, all, p->c, LANES, true);
    for (; c < p->channels; c++)
        normalise_lanes(r, p->pixels, c, all, p->c, 1, true);
}

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
    rows r;
    r.x = load_patch(j, p, j->io->in[0], site->in_type[0], in, &r.stride);
    r.out = patch_target(j, p, j->io->out, site->out_type, to, &r.out_stride);
    if (act == SG_ACT_RELU)
        normalise_relu(&r, p, &j->norm->k);
    else
        normalise(&r, p, &j->norm->k);
    for (int64_t i = 0; act != SG_ACT_RELU && i < p->pixels; i++)
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
    if (site->training)
        use_batch(&j);
    else
        use_running(&j);
    sg_cpu_for(n->cpu, n->pixels, grain(n), forward_pixels, &j);
    return SG_OK;
}

/* ---- gradients ---- */

/* The gradient before an activation other than relu, rows of p->channels. Slopes of leaky relu and
 * silu follow from z; those of the others from the rounded output. */
static void unfuse(const job *j, const patch *p, const rows *r, float *dz)
{
    const sg_site *site = j->site;
    int32_t act = site->node->act;
    float value[PATCH];
    int64_t stride = p->channels;
    const float *y = value;
    rows z = {r->x, NULL, value, r->stride, 0, p->channels};
    if (act == SG_ACT_LEAKY || act == SG_ACT_SILU)
        normalise(&z, p, &j->norm->k);
    else
        y = load_patch(j, p, j->io->out, site->out_type, value, &stride);
    for (int64_t i = 0; i < p->pixels; i++)
        sg_row_act_gradient(act, y + i * stride, r->up + i * r->up_stride, dz + i * p->channels,
                            (size_t)p->channels);
}

/* x and the gradient of a patch. Relu is left to the loops that follow: returns whether they must
 * apply it. */
static bool load_gradient(const job *j, const patch *p, float *in, float *up, float *dz, rows *r)
{
    const sg_site *site = j->site;
    int32_t act = site->node->act;
    r->x = load_patch(j, p, j->io->in[0], site->in_type[0], in, &r->stride);
    r->up = load_patch(j, p, j->io->grad_out, site->grad_type, up, &r->up_stride);
    if (act == SG_ACT_NONE || act == SG_ACT_RELU)
        return act == SG_ACT_RELU;
    unfuse(j, p, r, dz);
    r->up = dz;
    r->up_stride = p->channels;
    return false;
}

static inline __attribute__((always_inline)) void sum_lanes(const rows *r, int64_t n, int64_t c,
                                                            const coefficients *all, int64_t first,
                                                            const int lanes, const bool relu,
                                                            double *sum, double *sum_normal)
{
    float s[LANES] = {0}, t[LANES] = {0}, mean[LANES], factor[LANES], shift[LANES];
    const float *x = r->x + c, *up = r->up + c;
    for (int k = 0; k < lanes; k++) {
        mean[k] = all->mean[first + c + k];
        factor[k] = all->factor[first + c + k];
        shift[k] = all->shift[first + c + k];
    }
    for (int64_t i = 0; i < n; i++, x += r->stride, up += r->up_stride)
        for (int k = 0; k < lanes; k++) {
            float distance = x[k] - mean[k];
            float g = relu && !(distance * factor[k] + shift[k] > 0) ? 0 : up[k];
            s[k] += g;
            t[k] += g * distance;
        }
    for (int k = 0; k < lanes; k++) {
        sum[c + k] += s[k];
        sum_normal[c + k] += (double)t[k] * all->inverse[first + c + k];
    }
}

/* sum += dz, sum_normal += dz * (x - mean) * inverse, per channel. */
SG_CLONES static void sum_plain(const rows *r, const patch *p, const coefficients *all, double *sum,
                                double *sum_normal)
{
    int64_t c = 0;
    for (; c + LANES <= p->channels; c += LANES)
        sum_lanes(r, p->pixels, c, all, p->c, LANES, false, sum, sum_normal);
    for (; c < p->channels; c++)
        sum_lanes(r, p->pixels, c, all, p->c, 1, false, sum, sum_normal);
}

SG_CLONES static void sum_relu(const rows *r, const patch *p, const coefficients *all, double *sum,
                               double *sum_normal)
{
    int64_t c = 0;
    for (; c + LANES <= p->channels; c += LANES)
        sum_lanes(r, p->pixels, c, all, p->c, LANES, true, sum, sum_normal);
    for (; c < p->channels; c++)
        sum_lanes(r, p->pixels, c, all, p->c, 1, true, sum, sum_normal);
}

static void sum_patch(const job *j, const patch *p, double *partial)
{
    float in[PATCH], up[PATCH], dz[PATCH];
    rows r;
    double *sum = partial + p->c, *sum_normal = partial + j->norm->c + p->c;
    if (load_gradient(j, p, in, up, dz, &r))
        sum_relu(&r, p, &j->norm->k, sum, sum_normal);
    else
        sum_plain(&r, p, &j->norm->k, sum, sum_normal);
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

/* dx = factor * (dz - centre - (x - mean) * slope) */
static inline __attribute__((always_inline)) void input_lanes(const rows *r, int64_t n, int64_t c,
                                                              const coefficients *all,
                                                              int64_t first, const int lanes,
                                                              const bool relu)
{
    float mean[LANES], factor[LANES], shift[LANES], centre[LANES], slope[LANES];
    const float *x = r->x + c, *up = r->up + c;
    float *out = r->out + c;
    for (int k = 0; k < lanes; k++) {
        mean[k] = all->mean[first + c + k];
        factor[k] = all->factor[first + c + k];
        shift[k] = all->shift[first + c + k];
        centre[k] = all->centre[first + c + k];
        slope[k] = all->slope[first + c + k];
    }
    for (int64_t i = 0; i < n; i++, x += r->stride, up += r->up_stride, out += r->out_stride)
        for (int k = 0; k < lanes; k++) {
            float distance = x[k] - mean[k];
            float g = relu && !(distance * factor[k] + shift[k] > 0) ? 0 : up[k];
            out[k] = factor[k] * (g - centre[k] - distance * slope[k]);
        }
}

SG_CLONES static void input_plain(const rows *r, const patch *p, const coefficients *all)
{
    int64_t c = 0;
    for (; c + LANES <= p->channels; c += LANES)
        input_lanes(r, p->pixels, c, all, p->c, LANES, false);
    for (; c < p->channels; c++)
        input_lanes(r, p->pixels, c, all, p->c, 1, false);
}

SG_CLONES static void input_relu(const rows *r, const patch *p, const coefficients *all)
{
    int64_t c = 0;
    for (; c + LANES <= p->channels; c += LANES)
        input_lanes(r, p->pixels, c, all, p->c, LANES, true);
    for (; c < p->channels; c++)
        input_lanes(r, p->pixels, c, all, p->c, 1, true);
}

static void backward_patch(const job *j, const patch *p, double *partial)
{
    float in[PATCH], up[PATCH], dz[PATCH], to[PATCH];
    rows r;
    bool relu = load_gradient(j, p, in, up, dz, &r);
    r.out = patch_target(j, p, j->io->grad_in[0], j->site->grad_type, to, &r.out_stride);
    if (relu)
        input_relu(&r, p, &j->norm->k);
    else
        input_plain(&r, p, &j->norm->k);
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
