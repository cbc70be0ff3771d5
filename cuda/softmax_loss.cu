/*
 * Softmax with cross-entropy against labels, one thread to a pixel.
 *
 * Numerical contract. The largest logit is subtracted first; exponentials, their sum (in channel
 * order) and a pixel's loss are f32. Sums over pixels are f64: a thread adds every
 * (THREADS * blocks)-th pixel, a block its threads in order, and one thread the blocks in order;
 * the number of blocks depends on the number of pixels alone. The gradient is loss_scale * weight *
 * (softmax - onehot), rounded once, 0 at ignored pixels, stored or added. A label that is no class
 * is found by the kernel, told by the forward pass.
 */
#include "cuda/launch.cuh"

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
    uint32_t classes, pixels;
    totals *parts;
    void *out;
    int out_type;
    void *grad_in;
    int grad_type, write;
    float scale;
    uint32_t items;
};

struct partition {
    float largest, sum; /* of exp(logit - largest) */
};

static __device__ partition partition_of(const loss_args &a, size_t first)
{
    partition p = {-INFINITY, 0};
    for (uint32_t c = 0; c < a.classes; c++)
        p.largest = fmaxf(p.largest, sg_get(a.logits, a.type, first + c));
    for (uint32_t c = 0; c < a.classes; c++)
        p.sum += expf(sg_get(a.logits, a.type, first + c) - p.largest);
    return p;
}

static __device__ float weight_of(const loss_args &a, uint32_t label)
{
    return a.class_weight ? a.class_weight[label] : 1;
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
    float loss = p.largest - sg_get(a.logits, a.type, first + label) + logf(p.sum);
    t->loss += (double)weight_of(a, label) * loss;
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
    sg_put(a.out, a.out_type, 0, (float)t.loss);
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
    float factor = counts ? a.scale * weight_of(a, label) : 0;
    for (uint32_t c = 0; c < a.classes; c++) {
        sg_row<1> gradient = {};
        if (counts) {
            float share = expf(sg_get(a.logits, a.type, first + c) - p.largest) / p.sum;
            gradient.v[0] = factor * (share - (c == label ? 1 : 0));
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
    loss_args a = {};
    a.logits = io->in[0];
    a.type = site->in_type[0];
    a.labels = io->labels;
    a.class_weight = io->run->class_weight;
    a.classes = (uint32_t)site->in[0].c;
    a.pixels = (uint32_t)(sg_shape_count(site->in[0]) / (size_t)site->in[0].c);
    a.parts = k->parts;
    a.out = io->out;
    a.out_type = site->out_type;
    a.grad_in = io->grad_in[0];
    a.grad_type = site->grad_type;
    a.write = site->write[0];
    a.scale = io->run->loss_scale;
    return a;
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    const loss_kernel *k = (const loss_kernel *)kernel;
    loss_args a = args_of(k, site, io);
    totals t = {};
    uint32_t blocks = (a.pixels + THREADS - 1) / THREADS;
    blocks = blocks < MOST_BLOCKS ? blocks : (uint32_t)MOST_BLOCKS;
    sg_err err = sg_launch(k->cuda, sum_pixels, dim3(blocks), dim3(THREADS), a);
    if (!err)
        err = sg_launch(k->cuda, sum_blocks, dim3(1), dim3(THREADS), a, blocks);
    if (!err)
        err = sg_cuda_download(k->cuda, &t, k->parts + MOST_BLOCKS, sizeof t);
    if (!err && t.wrong > 0)
        err = sg_fail(SG_EINPUT, "label %d in the training data, but the network has %d classes",
                      (int)t.wrong - 1, (int)a.classes);
    io->run->loss_sum = t.loss;
    io->run->weight_sum = t.weight;
    return err;
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    const loss_kernel *k = (const loss_kernel *)kernel;
    loss_args a = args_of(k, site, io);
    return site->write[0] == SG_GRAD_NONE ? SG_OK
                                          : sg_launch_items(k->cuda, loss_gradient, a.pixels, a);
}

extern "C" const sg_kernel_def sg_cuda_softmax_loss = {prepare, NULL, forward, backward, release};
