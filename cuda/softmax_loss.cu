/*
 * Softmax with cross-entropy against labels, one thread to a pixel.
 *
 * Numerical contract. The largest logit is subtracted first; exponentials, their sum (in channel
 * order) and a pixel's loss are f32. Sums over pixels are f64: a thread adds every
 * (THREADS * blocks)-th pixel, a block its threads in order, and one thread the blocks in order;
 * the number of blocks depends on the number of pixels alone. The gradient is loss_scale * weight *
 * (softmax - onehot), rounded once, 0 at ignored pixels, stored or added. A label that is no class
 * is found by the kernel, told by the report. Smoothed labels, focal loss (f32 as well) and
 * weights of borders as in the reference.
 */
#include "cuda/shares.cuh"

extern "C" {
#include "nn/op/loss.h"
}

#include <math.h>

enum { THREADS = SG_THREADS, MOST_BLOCKS = THREADS };

/* What comes down: the sums, and a label that is no class. */
struct totals {
    double loss, weight;
    uint32_t wrong; /* label + 1, the largest of them; 0: none */
    uint32_t unused;
};

struct loss_kernel {
    sg_cuda *cuda;
    totals *parts; /* device, [MOST_BLOCKS + 1], owned: of blocks, then the whole */
};

struct loss_args {
    const void *logits;
    int type;
    const uint8_t *labels;
    const float *class_weight;
    const float *border; /* NULL: 0 */
    float smoothing, gamma, weight;
    uint32_t classes, pixels;
    totals *parts;
    void *out;
    int out_type;
    void *grad_in;
    int grad_type, write;
    float scale;
    uint32_t items;
};

static __device__ float weight_of(const loss_args &a, uint32_t label)
{
    return a.class_weight ? a.class_weight[label] : 1;
}

/* The weight of a pixel in the sum of losses. */
static __device__ float pixel_weight(const loss_args &a, uint32_t pixel, uint32_t label)
{
    return weight_of(a, label) + (a.border ? a.border[pixel] : 0);
}

/* 1 - the share of the label, as the sum of the others. */
static __device__ float rest_of(const loss_args &a, size_t first, uint32_t label, partition p)
{
    float rest = 0;
    for (uint32_t c = 0; c < a.classes; c++)
        rest += c == label ? 0 : share_of(a, first, c, p);
    return rest;
}

/* -log of the label's share, exact where that is nearly 1. */
static __device__ float surprise(const loss_args &a, size_t first, uint32_t label, partition p,
                                 float rest)
{
    if (rest < 0.5f)
        return -log1pf(-rest);
    return p.largest - sg_get(a.logits, a.type, first + label) + logf(p.sum);
}

/* Weight of class c in the target of a pixel with smoothed labels. */
static __device__ float smooth_target(const loss_args &a, uint32_t label, uint32_t c)
{
    float even = a.smoothing / (float)a.classes * weight_of(a, c);
    return even + (c == label ? (1 - a.smoothing) * weight_of(a, label) : 0);
}

static __device__ double pixel_loss(const loss_args &a, uint32_t pixel, uint32_t label, partition p)
{
    size_t first = (size_t)pixel * a.classes;
    if (a.gamma > 0) {
        float rest = rest_of(a, first, label, p);
        return (double)pixel_weight(a, pixel, label) *
               (powf(rest, a.gamma) * surprise(a, first, label, p, rest));
    }
    if (a.smoothing <= 0) {
        float loss = p.largest - sg_get(a.logits, a.type, first + label) + logf(p.sum);
        return (double)pixel_weight(a, pixel, label) * loss;
    }
    double sum = 0;
    for (uint32_t c = 0; c < a.classes; c++) {
        float loss = p.largest - sg_get(a.logits, a.type, first + c) + logf(p.sum);
        sum += (double)smooth_target(a, label, c) * loss;
    }
    return sum;
}

static __device__ void add_pixel(const loss_args &a, uint32_t pixel, totals *t)
{
    uint32_t label = a.labels[pixel];
    if (label == SG_IGNORE_LABEL)
        return;
    if (label >= a.classes) {
        t->wrong = max(t->wrong, label + 1);
        return;
    }
    size_t first = (size_t)pixel * a.classes;
    partition p = partition_of(a, first);
    t->loss += pixel_loss(a, pixel, label, p);
    t->weight += weight_of(a, label);
}

static __device__ void join(totals *to, const totals &part)
{
    to->loss += part.loss;
    to->weight += part.weight;
    to->wrong = max(to->wrong, part.wrong);
}

/* The threads' totals, joined in order by thread 0; what the others return is not used. */
static __device__ totals join_threads(totals mine)
{
    __shared__ double loss[THREADS], weight[THREADS];
    __shared__ uint32_t wrong[THREADS];
    loss[threadIdx.x] = mine.loss;
    weight[threadIdx.x] = mine.weight;
    wrong[threadIdx.x] = mine.wrong;
    __syncthreads();
    for (int k = 1; threadIdx.x == 0 && k < THREADS; k++) {
        totals other = {loss[k], weight[k], wrong[k], 0};
        join(&mine, other);
    }
    return mine;
}

__global__ void sum_pixels(loss_args a)
{
    totals t = {0, 0, 0, 0};
    for (size_t pixel = sg_item(); pixel < a.pixels; pixel += (size_t)gridDim.x * THREADS)
        add_pixel(a, (uint32_t)pixel, &t);
    t = join_threads(t);
    if (threadIdx.x == 0)
        a.parts[blockIdx.x] = t;
}

__global__ void sum_blocks(loss_args a, uint32_t blocks)
{
    totals t = {0, 0, 0, 0};
    if (threadIdx.x < blocks)
        t = a.parts[threadIdx.x];
    t = join_threads(t);
    if (threadIdx.x > 0)
        return;
    a.parts[MOST_BLOCKS] = t;
    sg_put(a.out, a.out_type, 0, (float)((double)a.weight * t.loss));
}

/* The gradient is factor * (whole * softmax - target). */
struct slope {
    float factor, whole;
};

static __device__ slope slope_of(const loss_args &a, uint32_t pixel, uint32_t label, partition p)
{
    size_t first = (size_t)pixel * a.classes;
    slope s = {a.scale, 1};
    if (a.smoothing > 0) {
        s.whole = 0;
        for (uint32_t c = 0; c < a.classes; c++)
            s.whole += smooth_target(a, label, c);
        return s;
    }
    s.factor *= pixel_weight(a, pixel, label);
    if (a.gamma > 0) {
        float rest = rest_of(a, first, label, p), own = share_of(a, first, label, p);
        float change = a.gamma * own * powf(rest, a.gamma - 1) * surprise(a, first, label, p, rest);
        s.factor *= rest > 0 ? powf(rest, a.gamma) + change : 0;
    }
    return s;
}

__global__ void loss_gradient(loss_args a)
{
    uint32_t pixel = sg_item();
    if (pixel >= a.items)
        return;
    size_t first = (size_t)pixel * a.classes;
    uint32_t label = a.labels[pixel];
    bool counts = label < a.classes;
    partition p = {0, 1};
    if (counts)
        p = partition_of(a, first);
    slope with = counts ? slope_of(a, pixel, label, p) : slope{0, 0};
    for (uint32_t c = 0; c < a.classes; c++) {
        sg_row<1> gradient = {};
        if (counts) {
            float share = share_of(a, first, c, p);
            float target = c == label ? 1 : 0;
            if (a.smoothing > 0)
                target = smooth_target(a, label, c);
            gradient.v[0] = with.factor * (with.whole * share - target);
        }
        sg_put_gradient(a.grad_in, a.grad_type, a.write, first + c, gradient);
    }
}

/* ---- calls ---- */

static void release(void *kernel)
{
    loss_kernel *k = (loss_kernel *)kernel;
    if (!k)
        return;
    sg_cuda_free(k->cuda, k->parts);
    sg_free(k);
}

static sg_err prepare(sg_backend *backend, const sg_site *site, void **kernel)
{
    loss_kernel *k = NULL;
    void *memory = NULL;
    sg_err err = sg_calloc(1, sizeof *k, &k);
    if (err)
        return err;
    k->cuda = sg_cuda_of(backend);
    err = sg_cuda_alloc(k->cuda, (MOST_BLOCKS + 1) * sizeof *k->parts, &memory);
    k->parts = (totals *)memory;
    if (err)
        release(k);
    else
        *kernel = k;
    return err;
}

static loss_args args_of(const loss_kernel *k, const sg_site *site, const sg_io *io)
{
    const sg_loss_attr *attr = &site->node->attr.loss;
    loss_args a = {};
    a.logits = io->in[0];
    a.type = site->in_type[0];
    a.labels = io->labels;
    a.class_weight = io->run->class_weight;
    a.border = attr->border ? io->border : NULL;
    a.smoothing = attr->smoothing;
    a.gamma = attr->gamma;
    a.weight = attr->weight;
    a.classes = (uint32_t)site->in[0].c;
    a.pixels = (uint32_t)(sg_shape_count(site->in[0]) / (size_t)site->in[0].c);
    a.parts = k->parts;
    a.out = io->out;
    a.out_type = site->out_type;
    a.grad_in = io->grad_in[0];
    a.grad_type = site->grad_type;
    a.write = site->write[0];
    a.scale = io->run->loss_scale * attr->weight;
    return a;
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    const loss_kernel *k = (const loss_kernel *)kernel;
    loss_args a = args_of(k, site, io);
    uint32_t blocks = (a.pixels + THREADS - 1) / THREADS;
    blocks = blocks < MOST_BLOCKS ? blocks : (uint32_t)MOST_BLOCKS;
    sg_err err = sg_launch(k->cuda, sum_pixels, dim3(blocks), dim3(THREADS), a);
    return err ? err : sg_launch(k->cuda, sum_blocks, dim3(1), dim3(THREADS), a, blocks);
}

/* Waits until the GPU has come so far. */
static sg_err report(void *kernel, const sg_site *site, const sg_io *io)
{
    const loss_kernel *k = (const loss_kernel *)kernel;
    totals t = {};
    sg_err err = sg_cuda_download(k->cuda, &t, k->parts + MOST_BLOCKS, sizeof t);
    if (!err && t.wrong > 0)
        err = sg_loss_bad_label((int32_t)t.wrong - 1, (uint32_t)site->in[0].c);
    if (!err)
        sg_loss_report(site->node, io->run, t.loss, t.weight);
    return err;
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    const loss_kernel *k = (const loss_kernel *)kernel;
    loss_args a = args_of(k, site, io);
    return site->write[0] == SG_GRAD_NONE ? SG_OK
                                          : sg_launch_items(k->cuda, loss_gradient, a.pixels, a);
}

extern "C" const sg_kernel_def sg_cuda_softmax_loss = {prepare, NULL, forward, backward,
                                                       release, 0,    report};
