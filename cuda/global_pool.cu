/*
 * The largest or the mean value of each channel over a whole image.
 *
 * Numerical contract. A block has 32 channels and LANES threads to each; a thread goes through
 * every LANES-th pixel in order, then the lanes are joined in order. Sums are f64. Of equal values
 * the first pixel's is the largest; NaN wins over all, and the last of several; saved holds the
 * pixel, one int64 per (n, c). Gradients are stored or added.
 */
#include "cuda/launch.cuh"

#include <math.h>

enum { CHANNELS = 32, LANES = 8 };

struct global_args {
    const void *in, *grad_out;
    void *out, *grad_in;
    int64_t *taken;
    int in_type, out_type, grad_type, write, mean;
    uint32_t pixels, channels;
    uint32_t in_pitch, grad_pitch;
    uint32_t items;
};

/* The channel of this thread; may be beyond the last. */
static __device__ uint32_t channel_of_thread()
{
    return blockIdx.x * CHANNELS + threadIdx.x % CHANNELS;
}

__global__ void mean_forward(global_args a)
{
    __shared__ double part[LANES][CHANNELS];
    uint32_t c = channel_of_thread(), lane = threadIdx.x / CHANNELS;
    double sum = 0;
    size_t image = (size_t)blockIdx.y * a.pixels;
    for (uint32_t p = lane; c < a.channels && p < a.pixels; p += LANES)
        sum += sg_get(a.in, a.in_type, (image + p) * a.in_pitch + c);
    part[lane][threadIdx.x % CHANNELS] = sum;
    __syncthreads();
    if (lane > 0 || c >= a.channels)
        return;
    for (int k = 1; k < LANES; k++)
        sum += part[k][threadIdx.x];
    sg_put(a.out, a.out_type, (size_t)blockIdx.y * a.channels + c, (float)(sum / a.pixels));
}

struct candidate {
    float value;
    uint32_t pixel;
};

static __device__ candidate larger(candidate a, candidate b)
{
    if (isnan(a.value) || isnan(b.value)) {
        bool take_b = isnan(b.value) && (!isnan(a.value) || b.pixel > a.pixel);
        return take_b ? b : a;
    }
    bool take_b = b.value > a.value || (b.value == a.value && b.pixel < a.pixel);
    return take_b ? b : a;
}

__global__ void max_forward(global_args a)
{
    __shared__ float value[LANES][CHANNELS];
    __shared__ uint32_t pixel[LANES][CHANNELS];
    uint32_t c = channel_of_thread(), lane = threadIdx.x / CHANNELS, mine = threadIdx.x % CHANNELS;
    candidate best = {-INFINITY, lane < a.pixels ? lane : 0};
    size_t image = (size_t)blockIdx.y * a.pixels;
    for (uint32_t p = lane; c < a.channels && p < a.pixels; p += LANES) {
        candidate next = {sg_get(a.in, a.in_type, (image + p) * a.in_pitch + c), p};
        best = larger(best, next);
    }
    value[lane][mine] = best.value;
    pixel[lane][mine] = best.pixel;
    __syncthreads();
    if (lane > 0 || c >= a.channels)
        return;
    for (int k = 1; k < LANES; k++) {
        candidate next = {value[k][mine], pixel[k][mine]};
        best = larger(best, next);
    }
    size_t at = (size_t)blockIdx.y * a.channels + c;
    sg_put(a.out, a.out_type, at, best.value);
    if (a.taken)
        a.taken[at] = best.pixel;
}

__global__ void spread(global_args a)
{
    uint32_t item = sg_item();
    if (item >= a.items)
        return;
    uint32_t c = item % a.channels, p = item / a.channels, n = p / a.pixels;
    size_t from = (size_t)n * a.channels + c;
    sg_row<1> gradient;
    sg_read(a.grad_out, a.grad_type, from, &gradient);
    if (a.mean)
        gradient.v[0] *= (float)(1 / (double)a.pixels);
    else if (a.taken[from] != (int64_t)(p % a.pixels))
        gradient.v[0] = 0;
    sg_put_gradient(a.grad_in, a.grad_type, a.write, sg_place<1>(item, a.channels, a.grad_pitch),
                    gradient);
}

static global_args args_of(const sg_site *site, const sg_io *io)
{
    global_args a = {};
    a.in = io->in[0];
    a.grad_out = io->grad_out;
    a.out = io->out;
    a.grad_in = io->grad_in[0];
    a.taken = site->training ? (int64_t *)io->saved : NULL;
    a.in_type = site->in_type[0];
    a.out_type = site->out_type;
    a.grad_type = site->grad_type;
    a.write = site->write[0];
    a.mean = site->node->attr.global.kind == SG_POOL_MEAN;
    a.pixels = (uint32_t)(site->in[0].h * site->in[0].w);
    a.channels = (uint32_t)site->in[0].c;
    a.in_pitch = (uint32_t)site->in_pitch[0];
    a.grad_pitch = (uint32_t)site->grad_pitch[0];
    return a;
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    global_args a = args_of(site, io);
    dim3 blocks((a.channels + CHANNELS - 1) / CHANNELS, (uint32_t)site->in[0].n);
    return sg_launch((sg_cuda *)kernel, a.mean ? mean_forward : max_forward, blocks,
                     dim3(CHANNELS * LANES), a);
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    if (site->write[0] == SG_GRAD_NONE)
        return SG_OK;
    return sg_launch_items((sg_cuda *)kernel, spread, sg_shape_count(site->in[0]),
                           args_of(site, io));
}

extern "C" const sg_kernel_def sg_cuda_global_pool = {
    sg_cuda_prepare_plain, NULL, forward, backward, sg_cuda_release_plain, SG_PITCHED_IN};
