/*
 * Loss of regions: sums over pixels by class on the GPU, the loss of them on the host
 * (sg_region_finish), the gradient on the GPU, one thread to a pixel.
 *
 * Numerical contract. Shares are f32, the largest logit subtracted first. Their sums are f64: a
 * block takes every gridDim-th tile of THREADS pixels; a thread is one class and every slices-th
 * pixel of its tiles; slices are joined in order, then blocks in order; the number of blocks
 * depends on the number of pixels alone. The gradient is f32, rounded once, 0 at ignored pixels,
 * stored or added.
 */
#include "cuda/shares.cuh"

extern "C" {
#include "nn/op/loss.h"
}

#include <math.h>

enum { THREADS = SG_THREADS, MOST_BLOCKS = 128 };
static_assert((int)SG_MAX_CLASSES <= (int)THREADS, "a thread for each class");

struct region_kernel {
    sg_cuda *cuda;
    double *parts; /* device, [MOST_BLOCKS + 1][columns], owned: of blocks, then the whole */
};

/* Columns of the sums: those of sg_region_sums, then the largest wrong label + 1. */
struct region_args {
    const void *logits;
    int type;
    const uint8_t *labels;
    const float *class_weight;
    uint32_t classes, pixels, columns, blocks;
    double *parts;
    const float *slope; /* [2][classes] where the class is the label, and everywhere */
    void *grad_in;
    int grad_type, write;
    float scale;
    uint32_t items;
};

struct class_sums {
    double overlap, share, count;
};

/* Pixels slice, slice + slices ... of a tile whose partitions and labels are at hand. */
static __device__ void add_tile(const region_args &a, size_t tile, uint32_t c, uint32_t slice,
                                uint32_t slices, const partition *part, const uint32_t *label,
                                class_sums *s)
{
    for (uint32_t i = slice; i < THREADS; i += slices) {
        if (label[i] >= a.classes)
            continue;
        float share = share_of(a, (tile * THREADS + i) * a.classes, c, part[i]);
        s->share += share;
        s->overlap += c == label[i] ? share : 0;
        s->count += c == label[i] ? 1 : 0;
    }
}

/* The block's sums from those of its threads, and W and wrong labels, by the threads of slice 0. */
static __device__ void join_slices(const region_args &a, uint32_t slices, class_sums mine,
                                   uint32_t wrong)
{
    __shared__ class_sums sums[THREADS];
    __shared__ uint32_t wrongs[THREADS];
    double *part = a.parts + (size_t)blockIdx.x * a.columns;
    sums[threadIdx.x] = mine;
    wrongs[threadIdx.x] = wrong;
    __syncthreads();
    uint32_t c = threadIdx.x;
    for (uint32_t k = 1; c < a.classes && k < slices; k++) {
        mine.overlap += sums[k * a.classes + c].overlap;
        mine.share += sums[k * a.classes + c].share;
        mine.count += sums[k * a.classes + c].count;
    }
    if (c < a.classes) {
        part[c] = mine.overlap;
        part[a.classes + c] = mine.share;
        part[2 * a.classes + c] = mine.count;
    }
    for (uint32_t k = 1; threadIdx.x == 0 && k < THREADS; k++)
        wrong = max(wrong, wrongs[k]);
    if (threadIdx.x == 0)
        part[3 * a.classes + 1] = wrong;
}

__global__ void sum_pixels(region_args a)
{
    __shared__ partition part[THREADS];
    __shared__ uint32_t label[THREADS];
    const uint32_t slices = THREADS / a.classes;
    const uint32_t c = threadIdx.x % a.classes, slice = threadIdx.x / a.classes;
    class_sums sums = {0, 0, 0};
    uint32_t wrong = 0;
    for (size_t tile = blockIdx.x; tile * THREADS < a.pixels; tile += a.blocks) {
        size_t pixel = tile * THREADS + threadIdx.x;
        uint32_t own = pixel < a.pixels ? a.labels[pixel] : (uint32_t)SG_IGNORE_LABEL;
        if (own >= a.classes && own != SG_IGNORE_LABEL)
            wrong = max(wrong, own + 1);
        label[threadIdx.x] = own < a.classes ? own : UINT32_MAX;
        if (own < a.classes)
            part[threadIdx.x] = partition_of(a, pixel * a.classes);
        __syncthreads();
        if (slice < slices)
            add_tile(a, tile, c, slice, slices, part, label, &sums);
        __syncthreads();
    }
    join_slices(a, slices, sums, wrong);
}

/* One thread to a column. W is made of the counts. */
__global__ void sum_blocks(region_args a)
{
    uint32_t column = sg_item();
    if (column >= a.items || column == 3 * a.classes)
        return;
    double sum = 0;
    for (uint32_t b = 0; b < a.blocks; b++) {
        double part = a.parts[(size_t)b * a.columns + column];
        sum = column > 3 * a.classes ? fmax(sum, part) : sum + part;
    }
    a.parts[(size_t)MOST_BLOCKS * a.columns + column] = sum;
}

/* Counts are whole numbers, so their order does not matter. */
__global__ void weigh_counts(region_args a)
{
    double *whole = a.parts + (size_t)MOST_BLOCKS * a.columns, sum = 0;
    if (sg_item() >= a.items)
        return;
    for (uint32_t c = 0; c < a.classes; c++)
        sum += whole[2 * a.classes + c] * (a.class_weight ? a.class_weight[c] : 1);
    whole[3 * a.classes] = sum;
}

__global__ void region_gradient(region_args a)
{
    uint32_t pixel = sg_item();
    if (pixel >= a.items)
        return;
    size_t first = (size_t)pixel * a.classes;
    uint32_t label = a.labels[pixel];
    const float *own = a.slope, *all = own + a.classes;
    bool counts = label < a.classes;
    partition p = {0, 1};
    float mean = 0;
    if (counts)
        p = partition_of(a, first);
    for (uint32_t c = 0; counts && c < a.classes; c++)
        mean += share_of(a, first, c, p) * (all[c] + (c == label ? own[c] : 0));
    for (uint32_t c = 0; c < a.classes; c++) {
        sg_row<1> gradient = {};
        if (counts)
            gradient.v[0] =
                a.scale * share_of(a, first, c, p) * (all[c] + (c == label ? own[c] : 0) - mean);
        sg_put_gradient(a.grad_in, a.grad_type, a.write, first + c, gradient);
    }
}

/* ---- calls ---- */

static void release(void *kernel)
{
    region_kernel *k = (region_kernel *)kernel;
    if (!k)
        return;
    sg_cuda_free(k->cuda, k->parts);
    sg_free(k);
}

static uint32_t columns_of(const sg_site *site)
{
    return (uint32_t)sg_region_sums(site->in[0].c) + 1;
}

static sg_err prepare(sg_backend *backend, const sg_site *site, void **kernel)
{
    region_kernel *k = NULL;
    void *memory = NULL;
    sg_err err = sg_calloc(1, sizeof *k, &k);
    if (err)
        return err;
    k->cuda = sg_cuda_of(backend);
    err = sg_cuda_alloc(k->cuda, (MOST_BLOCKS + 1) * columns_of(site) * sizeof *k->parts, &memory);
    k->parts = (double *)memory;
    if (err)
        release(k);
    else
        *kernel = k;
    return err;
}

static region_args args_of(const region_kernel *k, const sg_site *site, const sg_io *io)
{
    region_args a = {};
    a.logits = io->in[0];
    a.type = site->in_type[0];
    a.labels = io->labels;
    a.class_weight = io->run->class_weight;
    a.classes = (uint32_t)site->in[0].c;
    a.pixels = (uint32_t)(sg_shape_count(site->in[0]) / (size_t)site->in[0].c);
    a.columns = columns_of(site);
    a.blocks = (a.pixels + THREADS - 1) / THREADS;
    a.blocks = a.blocks < MOST_BLOCKS ? a.blocks : (uint32_t)MOST_BLOCKS;
    a.parts = k->parts;
    a.slope = (const float *)io->saved;
    a.grad_in = io->grad_in[0];
    a.grad_type = site->grad_type;
    a.write = site->write[0];
    a.scale = io->run->loss_scale * site->node->attr.loss.weight;
    return a;
}

static sg_err sum(const region_kernel *k, const region_args &a, double *sums)
{
    sg_err err = sg_launch(k->cuda, sum_pixels, dim3(a.blocks), dim3(THREADS), a);
    if (!err)
        err = sg_launch_items(k->cuda, sum_blocks, a.columns, a);
    if (!err)
        err = sg_launch_items(k->cuda, weigh_counts, 1, a);
    if (!err)
        err = sg_cuda_download(k->cuda, sums, k->parts + (size_t)MOST_BLOCKS * a.columns,
                               a.columns * sizeof *sums);
    return err;
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    const region_kernel *k = (const region_kernel *)kernel;
    region_args a = args_of(k, site, io);
    double sums[3 * SG_MAX_CLASSES + 2], weight;
    float coefficient[2 * SG_MAX_CLASSES], out;
    sg_err err = sum(k, a, sums);
    if (!err && sums[3 * a.classes + 1] > 0)
        err = sg_loss_bad_label((int32_t)sums[3 * a.classes + 1] - 1, a.classes);
    if (err)
        return err;
    double loss = sg_region_finish(site, io->run, sums, coefficient, &weight);
    out = sg_loss_report(site->node, io->run, loss, weight);
    err = sg_cuda_upload(k->cuda, io->out, &out, sizeof out);
    if (!err && io->saved)
        err = sg_cuda_upload(k->cuda, io->saved, coefficient, 2 * a.classes * sizeof *coefficient);
    return err;
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    const region_kernel *k = (const region_kernel *)kernel;
    region_args a = args_of(k, site, io);
    return site->write[0] == SG_GRAD_NONE ? SG_OK
                                          : sg_launch_items(k->cuda, region_gradient, a.pixels, a);
}

extern "C" const sg_kernel_def sg_cuda_region_loss = {prepare, NULL, forward, backward, release};
