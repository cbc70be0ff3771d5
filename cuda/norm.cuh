/*
 * What batch and group norm do with the pixels of a tensor. For .cu files.
 *
 * A tensor is one image (batch norm: all pixels of the batch) or several (group norm), each with
 * coefficients of its own for every channel. Moments: a thread's mean and squared distances are f32
 * sums of distances from its own first pixel, made f64; lanes are merged in order in f64 (Chan,
 * Golub, LeVeque 1979). Sums of gradients are f32 per thread, then f64. Kernels that sum want the
 * blocks of sg_sum_blocks and an image for each blockIdx.z; they leave [images][chunks][2c].
 */
#ifndef SG_CUDA_NORM_CUH
#define SG_CUDA_NORM_CUH

#include "cuda/act.cuh"
#include "cuda/channel_sums.cuh"

/* Per image and channel, on the GPU: z = (x - mean) * factor + shift;
 * dx = factor * dz - centre - (x - mean) * slope. */
struct sg_norm_coefficients {
    float *mean, *inverse, *factor, *shift, *centre, *slope;
};

struct sg_norm_args {
    sg_sum_cut cut; /* of one image */
    sg_norm_coefficients k;
    const void *in, *grad_out;
    void *to; /* the output, or the gradient of the input */
    int in_type, to_type, grad_type, act;
    double *parts;      /* [images][chunks][2c] */
    uint32_t out_pitch; /* of the output and its gradient */
    uint32_t items;
};

/* What all of its kernels read; `to` is left to the caller. */
static inline sg_norm_args sg_norm_args_of(const sg_sum_cut &cut, const sg_norm_coefficients &k,
                                           double *parts, const sg_site *site, const sg_io *io)
{
    sg_norm_args a = {};
    a.cut = cut;
    a.k = k;
    a.in = io->in[0];
    a.grad_out = io->grad_out;
    a.in_type = site->in_type[0];
    a.grad_type = site->grad_type;
    a.act = site->node->act;
    a.parts = parts;
    a.out_pitch = (uint32_t)site->out_pitch;
    return a;
}

/* Of an item of all images: where its channel's coefficients are. */
template <int N>
static __device__ inline uint32_t sg_norm_channel(const sg_sum_cut &cut, uint32_t item)
{
    return item / (cut.pixels * cut.groups) * cut.c + item % cut.groups * N;
}

/* Where a block's sums go. */
static __device__ inline double *sg_norm_parts(const sg_norm_args &a)
{
    return a.parts + ((size_t)blockIdx.z * a.cut.chunks + blockIdx.x) * 2 * a.cut.c;
}

/* ---- moments ---- */

struct sg_moments {
    double count, mean, square; /* square: sum of squared distances from the mean */
};

static __device__ inline void sg_merge(sg_moments *to, const sg_moments &part)
{
    double all = to->count + part.count;
    if (part.count == 0)
        return;
    double share = part.count / all, distance = part.mean - to->mean;
    to->mean += distance * share;
    to->square += part.square + distance * distance * to->count * share;
    to->count = all;
}

/* Those of a block's SG_JOINERS threads, in order, into those of the first, which is told so. */
static __device__ inline bool sg_join_moments(sg_moments *all)
{
    __shared__ double count[SG_JOINERS], mean[SG_JOINERS], square[SG_JOINERS];
    uint32_t t = threadIdx.x;
    count[t] = all->count;
    mean[t] = all->mean;
    square[t] = all->square;
    __syncthreads();
    for (int k = 1; t == 0 && k < SG_JOINERS; k++) {
        sg_moments part = {count[k], mean[k], square[k]};
        sg_merge(all, part);
    }
    return t == 0;
}

template <int N> __global__ void sg_sum_moments(sg_norm_args a)
{
    __shared__ double mean[SG_THREADS * N], square[SG_THREADS * N];
    sg_sum_place p = sg_sum_place_of(a.cut);
    size_t image = (size_t)blockIdx.z * a.cut.pixels;
    sg_row<N> first = {}, sum = {}, squares = {}, x;
    uint32_t count = 0, channel, at;
    for (uint32_t pixel = p.begin + p.lane; p.inside && pixel < p.end; pixel += a.cut.lanes) {
        sg_read(a.in, a.in_type, ((image + pixel) * a.cut.groups + p.group) * N, &x);
        if (count++ == 0)
            first = x;
        for (int i = 0; i < N; i++) {
            float distance = x.v[i] - first.v[i];
            sum.v[i] += distance;
            squares.v[i] += distance * distance;
        }
    }
    double by = count > 0 ? count : 1;
    for (int i = 0; i < N; i++) {
        double s = sum.v[i];
        mean[threadIdx.x * N + i] = first.v[i] + s / by;
        square[threadIdx.x * N + i] = squares.v[i] - s * s / by;
    }
    __syncthreads();
    if (!sg_sum_channel<N>(a.cut, &channel, &at))
        return;
    sg_moments all = {0, 0, 0};
    for (uint32_t lane = 0; lane < a.cut.lanes; lane++, at += a.cut.across * N) {
        sg_moments part = {(double)sg_lane_count(a.cut, p.end - p.begin, lane), mean[at],
                           square[at]};
        sg_merge(&all, part);
    }
    double *to = sg_norm_parts(a);
    to[channel] = all.mean;
    to[a.cut.c + channel] = all.square > 0 ? all.square : 0;
}

/* ---- values ---- */

template <int N> __global__ void sg_normalise(sg_norm_args a)
{
    uint32_t item = sg_item();
    if (item >= a.items)
        return;
    uint32_t c = sg_norm_channel<N>(a.cut, item);
    sg_row<N> x;
    sg_read(a.in, a.in_type, (size_t)item * N, &x);
    for (int i = 0; i < N; i++) {
        float z = (x.v[i] - a.k.mean[c + i]) * a.k.factor[c + i] + a.k.shift[c + i];
        x.v[i] = sg_act_value(a.act, z);
    }
    sg_write(a.to, a.to_type, sg_place<N>(item, a.cut.groups, a.out_pitch), x);
}

/* ---- gradients ---- */

/* The gradient before the activation, of a pixel of all images, from `channel` on, whose
 * coefficients begin at c; x - mean replaces x. */
template <int N>
static __device__ sg_row<N> sg_unfuse(const sg_norm_args &a, size_t pixel, uint32_t channel,
                                      uint32_t c, sg_row<N> *x)
{
    sg_row<N> gradient;
    sg_read(a.in, a.in_type, pixel * a.cut.c + channel, x);
    sg_read(a.grad_out, a.grad_type, pixel * a.out_pitch + channel, &gradient);
    for (int i = 0; i < N; i++) {
        x->v[i] -= a.k.mean[c + i];
        if (a.act != SG_ACT_NONE)
            gradient.v[i] *=
                sg_act_slope_before(a.act, x->v[i] * a.k.factor[c + i] + a.k.shift[c + i]);
    }
    return gradient;
}

/* Sums over pixels of dz and of dz * xhat. */
template <int N> __global__ void sg_sum_gradients(sg_norm_args a)
{
    __shared__ double plain[SG_THREADS * N], normal[SG_THREADS * N];
    sg_sum_place p = sg_sum_place_of(a.cut);
    size_t image = (size_t)blockIdx.z * a.cut.pixels;
    sg_row<N> sum = {}, with_x = {}, x;
    uint32_t channel, at, c = blockIdx.z * a.cut.c + p.group * N;
    for (uint32_t pixel = p.begin + p.lane; p.inside && pixel < p.end; pixel += a.cut.lanes) {
        sg_row<N> gradient = sg_unfuse<N>(a, image + pixel, p.group * N, c, &x);
        for (int i = 0; i < N; i++) {
            sum.v[i] += gradient.v[i];
            with_x.v[i] += gradient.v[i] * (x.v[i] * a.k.inverse[c + i]);
        }
    }
    for (int i = 0; i < N; i++) {
        plain[threadIdx.x * N + i] = sum.v[i];
        normal[threadIdx.x * N + i] = with_x.v[i];
    }
    __syncthreads();
    if (!sg_sum_channel<N>(a.cut, &channel, &at))
        return;
    double all = 0, all_with_x = 0;
    for (uint32_t lane = 0; lane < a.cut.lanes; lane++, at += a.cut.across * N) {
        all += plain[at];
        all_with_x += normal[at];
    }
    double *to = sg_norm_parts(a);
    to[channel] = all;
    to[a.cut.c + channel] = all_with_x;
}

template <int N> __global__ void sg_input_gradient(sg_norm_args a)
{
    uint32_t item = sg_item();
    if (item >= a.items)
        return;
    uint32_t c = sg_norm_channel<N>(a.cut, item);
    uint32_t pixel = item / a.cut.groups, channel = item % a.cut.groups * N;
    sg_row<N> x, gradient = sg_unfuse<N>(a, pixel, channel, c, &x);
    for (int i = 0; i < N; i++)
        gradient.v[i] =
            a.k.factor[c + i] * gradient.v[i] - a.k.centre[c + i] - x.v[i] * a.k.slope[c + i];
    sg_write(a.to, a.to_type, (size_t)item * N, gradient);
}

#endif
