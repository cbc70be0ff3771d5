/*
 * Batch normalisation with a fused activation.
 *
 * Numerical contract. Moments: a thread's mean and squared distances are f32 sums of distances from
 * its own first pixel, made f64; lanes and chunks are merged in order in f64 (Chan, Golub, LeVeque
 * 1979), so large means do not cancel. How pixels are cut depends on the shape alone. Values are
 * f32: z = (x - mean) * factor + shift, where mean is rounded to f32 and what that loses is put
 * into shift. The backward pass computes the same z again, so neither the output nor silu's values
 * are kept. Sums of gradients are f32 per thread, then f64. Outputs and gradients are overwritten.
 *
 * Gradients of scale and shift are this rank's own sums; only that of the input uses all ranks'.
 *
 * cuDNN could sum each channel and its squares right behind a convolution (its operation
 * GEN_STATS). That is left out: its results are f32 sums of x and of x * x, which cancel where the
 * mean is large beside the deviation, as these do not; and the same bits in two runs are promised
 * of an engine only by the lack of a note, which for engines that fuse cannot be asked without a
 * driver.
 */
#include "cuda/norm.cuh"

#include <math.h>
#include <string.h>

enum { SCALE, SHIFT, MEAN, VARIANCE };

struct normaliser {
    sg_cuda *cuda;
    sg_sum_cut cut;
    double *sum; /* host, [4c + 1]: what is summed over ranks, [2c + 1], and moments; owned */
};

/* Pieces of scratch memory in one call. */
struct pieces {
    double *parts;  /* [chunks][2c] */
    double *totals; /* [2c] */
    sg_norm_coefficients k;
};

/* ---- moments ---- */

/* One block to a channel: thread t merges every SG_JOINERS-th chunk in order, thread 0 the threads.
 */
__global__ void merge_chunks(sg_sum_cut cut, const double *parts, double *totals)
{
    uint32_t c = blockIdx.x, t = threadIdx.x;
    sg_moments all = {0, 0, 0};
    for (uint32_t b = t; b < cut.chunks; b += SG_JOINERS) {
        const double *from = parts + (size_t)b * 2 * cut.c;
        uint32_t pixels = min(cut.chunk, cut.pixels - b * cut.chunk);
        sg_moments part = {(double)pixels, from[c], from[cut.c + c]};
        sg_merge(&all, part);
    }
    if (!sg_join_moments(&all))
        return;
    totals[c] = all.mean;
    totals[cut.c + c] = all.square;
}

/* ---- coefficients ---- */

struct use_args {
    sg_norm_coefficients k;
    const double *totals;                         /* mean and summed squares of the batch */
    double *saved;                                /* mean, inverse: [2c] */
    const float *scale, *shift, *mean, *variance; /* the latter for prediction */
    float *running_mean, *running_variance;
    double count, momentum, epsilon;
    const sg_cuda_run *run; /* of a recorded pass: on the GPU, and momentum is the node's */
    uint32_t items;         /* channels */
};

static __device__ void set_coefficients(const use_args &a, uint32_t c, double mean, double inverse)
{
    double factor = inverse * a.scale[c];
    float rounded = (float)mean;
    a.k.mean[c] = rounded;
    a.k.inverse[c] = (float)inverse;
    a.k.factor[c] = (float)factor;
    a.k.shift[c] = (float)(a.shift[c] - (mean - (double)rounded) * factor);
}

static __device__ float running(float before, double value, double momentum)
{
    return (float)((1 - momentum) * before + momentum * value);
}

/* As sg_norm_momentum. */
static __device__ double momentum_of(const use_args &a)
{
    if (!a.run)
        return a.momentum;
    return fmin(a.momentum, fmax(.01, 10 / ((double)a.run->step + 10)));
}

__global__ void use_batch(use_args a)
{
    uint32_t c = sg_item();
    if (c >= a.items)
        return;
    double momentum = momentum_of(a);
    double mean = a.totals[c], variance = a.totals[a.items + c] / a.count;
    double unbiased = a.count > 1 ? a.count / (a.count - 1) : 1;
    double inverse = 1 / sqrt(variance + a.epsilon);
    a.running_mean[c] = running(a.running_mean[c], mean, momentum);
    a.running_variance[c] = running(a.running_variance[c], unbiased * variance, momentum);
    a.saved[c] = mean;
    a.saved[a.items + c] = inverse;
    set_coefficients(a, c, mean, inverse);
}

__global__ void use_running(use_args a)
{
    uint32_t c = sg_item();
    if (c < a.items)
        set_coefficients(a, c, a.mean[c], 1 / sqrt((double)a.variance[c] + a.epsilon));
}

__global__ void use_saved(use_args a)
{
    uint32_t c = sg_item();
    if (c < a.items)
        set_coefficients(a, c, a.saved[c], a.saved[a.items + c]);
}

/* ---- gradients ---- */

__global__ void give_sums(const double *totals, float *shift, float *scale, uint32_t channels)
{
    uint32_t c = sg_item();
    if (c >= channels)
        return;
    shift[c] = (float)totals[c];
    scale[c] = (float)totals[channels + c];
}

__global__ void use_sums(sg_norm_coefficients k, const double *totals, const double *saved,
                         const float *scale, double pixels, uint32_t channels)
{
    uint32_t c = sg_item();
    if (c >= channels)
        return;
    double inverse = saved[channels + c], factor = inverse * scale[c];
    k.centre[c] = (float)(factor * (totals[c] / pixels));
    k.slope[c] = (float)(factor * (totals[channels + c] / pixels * inverse));
}

/* ---- making ---- */

static size_t cut_scratch(const normaliser *n, uint8_t *memory, pieces *p)
{
    size_t c = n->cut.c, parts = sg_cuda_piece(2 * c * n->cut.chunks * sizeof(double));
    size_t totals = sg_cuda_piece(2 * c * sizeof(double));
    if (p) {
        float *f = (float *)(memory + parts + totals);
        sg_norm_coefficients k = {f, f + c, f + 2 * c, f + 3 * c, f + 4 * c, f + 5 * c};
        p->parts = (double *)memory;
        p->totals = (double *)(memory + parts);
        p->k = k;
    }
    return parts + totals + 6 * c * sizeof(float);
}

static void release(void *kernel)
{
    normaliser *n = (normaliser *)kernel;
    if (!n)
        return;
    sg_free(n->sum);
    sg_free(n);
}

static sg_err prepare(sg_backend *backend, const sg_site *site, void **kernel)
{
    normaliser *n = NULL;
    sg_err err = sg_calloc(1, sizeof *n, &n);
    if (err)
        return err;
    n->cuda = sg_cuda_of(backend);
    n->cut = sg_sum_cut_of(site->out);
    err = sg_malloc(4 * (size_t)n->cut.c + 1, sizeof *n->sum, &n->sum);
    if (!err)
        err = sg_cuda_reserve(n->cuda, cut_scratch(n, NULL, NULL));
    if (err)
        release(n);
    else
        *kernel = n;
    return err;
}

/* ---- forward ---- */

static use_args use_args_of(const sg_site *site, const sg_io *io, const pieces *p)
{
    use_args a = {};
    a.k = p->k;
    a.totals = p->totals;
    a.saved = (double *)io->saved;
    a.scale = io->param[SCALE];
    a.shift = io->param[SHIFT];
    a.mean = io->param[MEAN];
    a.variance = io->param[VARIANCE];
    a.running_mean = io->state[MEAN];
    a.running_variance = io->state[VARIANCE];
    a.epsilon = site->node->attr.norm.epsilon;
    return a;
}

static bool shares(const sg_run *run)
{
    return run && run->reduce;
}

/*
 * Mean and summed squares of this rank become those of all ranks, in place; two reductions, as the
 * distances are from the mean of all. Through the host. [collective] through run->reduce
 */
static sg_err share_moments(const normaliser *n, const sg_run *run, double *totals, double *pixels)
{
    size_t c = n->cut.c;
    double *sum = n->sum, *mean = sum + 2 * c + 1, *square = mean + c, own = *pixels;
    sg_err err = sg_cuda_download(n->cuda, mean, totals, 2 * c * sizeof *mean);
    if (err)
        return err;
    for (size_t k = 0; k < c; k++)
        sum[k] = mean[k] * own;
    sum[c] = own;
    run->reduce(run->reduce_user, sum, c + 1);
    *pixels = sum[c];
    for (size_t k = 0; k < c; k++) {
        double distance = mean[k] - sum[k] / *pixels;
        mean[k] = sum[k] / *pixels;
        sum[k] = square[k] + own * distance * distance;
    }
    run->reduce(run->reduce_user, sum, c);
    memcpy(square, sum, c * sizeof *square);
    return sg_cuda_upload(n->cuda, totals, mean, 2 * c * sizeof *mean);
}

static sg_err measure(const normaliser *n, const sg_site *site, const sg_io *io, const pieces *p)
{
    bool wide = sg_is_wide(site->out.c);
    sg_norm_args a = sg_norm_args_of(n->cut, p->k, p->parts, site, io);
    use_args use = use_args_of(site, io, p);
    sg_err err = sg_launch(n->cuda, wide ? sg_sum_moments<8> : sg_sum_moments<1>,
                           sg_sum_blocks(n->cut), dim3(SG_THREADS), a);
    if (!err)
        err = sg_launch(n->cuda, merge_chunks, dim3(n->cut.c), dim3(SG_JOINERS), n->cut, p->parts,
                        p->totals);
    use.count = n->cut.pixels;
    if (!err && shares(io->run))
        err = share_moments(n, io->run, p->totals, &use.count);
    use.run = n->cuda->recording && io->run ? n->cuda->run : NULL;
    use.momentum = sg_norm_momentum(&site->node->attr.norm, use.run ? NULL : io->run);
    return err ? err : sg_launch_items(n->cuda, use_batch, n->cut.c, use);
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    const normaliser *n = (const normaliser *)kernel;
    pieces p;
    cut_scratch(n, (uint8_t *)n->cuda->scratch, &p);
    sg_err err = SG_OK;
    if (site->training && !io->again)
        err = measure(n, site, io, &p);
    else
        err = sg_launch_items(n->cuda, io->again ? use_saved : use_running, n->cut.c,
                              use_args_of(site, io, &p));
    sg_norm_args a = sg_norm_args_of(n->cut, p.k, p.parts, site, io);
    a.to = io->out;
    a.to_type = site->out_type;
    return err ? err
               : sg_launch_rows(n->cuda, sg_normalise<8>, sg_normalise<1>, sg_is_wide(site->out.c),
                                sg_shape_count(site->out), a);
}

/* ---- backward ---- */

static dim3 blocks_for(size_t items)
{
    return dim3((uint32_t)((items + SG_THREADS - 1) / SG_THREADS));
}

/* This rank's sums into totals, and the gradients of scale and shift. */
static sg_err sum_all(const normaliser *n, const sg_site *site, const sg_io *io, const pieces *p)
{
    uint32_t c = n->cut.c;
    sg_norm_args a = sg_norm_args_of(n->cut, p->k, p->parts, site, io);
    sg_err err = sg_launch_items(n->cuda, use_saved, c, use_args_of(site, io, p));
    if (!err)
        err = sg_launch(n->cuda, sg_is_wide(c) ? sg_sum_gradients<8> : sg_sum_gradients<1>,
                        sg_sum_blocks(n->cut), dim3(SG_THREADS), a);
    if (!err)
        err = sg_launch(n->cuda, sg_join_chunks, dim3(2 * c), dim3(SG_JOINERS), p->parts,
                        n->cut.chunks, p->totals);
    if (!err)
        err = sg_launch(n->cuda, give_sums, blocks_for(c), dim3(SG_THREADS), p->totals,
                        io->param_grad[SHIFT], io->param_grad[SCALE], c);
    return err;
}

/* [collective] through run->reduce */
static sg_err share_sums(const normaliser *n, const sg_run *run, double *totals, double *pixels)
{
    size_t c = n->cut.c;
    sg_err err = sg_cuda_download(n->cuda, n->sum, totals, 2 * c * sizeof *n->sum);
    if (err)
        return err;
    n->sum[2 * c] = *pixels;
    run->reduce(run->reduce_user, n->sum, 2 * c + 1);
    *pixels = n->sum[2 * c];
    return sg_cuda_upload(n->cuda, totals, n->sum, 2 * c * sizeof *n->sum);
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    const normaliser *n = (const normaliser *)kernel;
    double pixels = n->cut.pixels;
    pieces p;
    cut_scratch(n, (uint8_t *)n->cuda->scratch, &p);
    sg_err err = sum_all(n, site, io, &p);
    if (!err && shares(io->run))
        err = share_sums(n, io->run, p.totals, &pixels);
    if (err || site->write[0] == SG_GRAD_NONE)
        return err;
    err = sg_launch(n->cuda, use_sums, blocks_for(n->cut.c), dim3(SG_THREADS), p.k, p.totals,
                    (const double *)io->saved, io->param[SCALE], pixels, n->cut.c);
    sg_norm_args a = sg_norm_args_of(n->cut, p.k, p.parts, site, io);
    a.to = io->grad_in[0];
    a.to_type = site->grad_type;
    return err ? err
               : sg_launch_rows(n->cuda, sg_input_gradient<8>, sg_input_gradient<1>,
                                sg_is_wide(site->out.c), sg_shape_count(site->out), a);
}

extern "C" const sg_kernel_def sg_cuda_batch_norm = {prepare,  NULL,    forward,
                                                     backward, release, SG_PITCHED_OUT};
