/*
 * Launching a kernel over items, and reading and writing tensors of either format eight channels at
 * a time. For .cu files.
 *
 * Kernels are templates over N, the elements of one item: 8 where every tensor's channel count is a
 * multiple of 8 (16-byte accesses in bf16), else 1. The format is looked at while running: all
 * threads take the same branch, which costs nothing beside the memory.
 */
#ifndef SG_CUDA_LAUNCH_CUH
#define SG_CUDA_LAUNCH_CUH

#include <cuda_runtime.h>
#include "cuda/device.h"

enum { SG_THREADS = 256 };

template <typename... P, typename... A>
static sg_err sg_launch(sg_cuda *cuda, void (*kernel)(P...), dim3 blocks, dim3 threads,
                        const A &...arguments)
{
    cudaLaunchConfig_t config = {};
    sg_err err = sg_cuda_use(cuda);
    if (err)
        return err;
    config.gridDim = blocks;
    config.blockDim = threads;
    config.stream = cuda->stream;
    return sg_cuda_check(cudaLaunchKernelEx(&config, kernel, P(arguments)...),
                         "a kernel cannot be launched");
}

/* kernel(arguments) with one thread for each of `items`, which the kernel finds in
 * arguments.items. */
template <typename P>
static sg_err sg_launch_items(sg_cuda *cuda, void (*kernel)(P), size_t items, P arguments)
{
    if (items > UINT32_MAX)
        return sg_fail(SG_EUNSUPPORTED,
                       "%zu elements are too many for one kernel: use a smaller batch or tile",
                       items);
    if (items == 0)
        return SG_OK;
    arguments.items = (uint32_t)items;
    return sg_launch(cuda, kernel, dim3((uint32_t)((items + SG_THREADS - 1) / SG_THREADS)),
                     dim3(SG_THREADS), arguments);
}

/* The same over elements, eight to an item where `wide`. */
template <typename P>
static sg_err sg_launch_rows(sg_cuda *cuda, void (*by_eight)(P), void (*by_one)(P), bool wide,
                             size_t elements, P arguments)
{
    return wide ? sg_launch_items(cuda, by_eight, elements / 8, arguments)
                : sg_launch_items(cuda, by_one, elements, arguments);
}

static inline bool sg_is_wide(int64_t channels)
{
    return channels % 8 == 0;
}

static __device__ inline uint32_t sg_item()
{
    return blockIdx.x * blockDim.x + threadIdx.x;
}

/* Where an item of N channels lies in a tensor whose pixels are `pitch` elements apart; groups: its
 * channels / N. */
template <int N>
static __device__ inline size_t sg_place(uint32_t item, uint32_t groups, uint32_t pitch)
{
    return (size_t)(item / groups) * pitch + item % groups * N;
}

/* ---- formats ---- */

static __device__ inline float sg_widen(uint32_t bits)
{
    return __uint_as_float(bits << 16);
}

/* To nearest even, NaN stays NaN: as sg_f32_to_bf16. */
static __device__ inline uint32_t sg_narrow(float value)
{
    uint32_t u = __float_as_uint(value);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return u >> 16 | 0x40u;
    return (u + 0x7fffu + (u >> 16 & 1u)) >> 16;
}

template <int N> struct sg_row {
    float v[N];
};

static __device__ inline void sg_read(const void *tensor, int type, size_t at, sg_row<1> *row)
{
    row->v[0] =
        type == SG_F32 ? ((const float *)tensor)[at] : sg_widen(((const uint16_t *)tensor)[at]);
}

static __device__ inline void sg_write(void *tensor, int type, size_t at, const sg_row<1> &row)
{
    if (type == SG_F32)
        ((float *)tensor)[at] = row.v[0];
    else
        ((uint16_t *)tensor)[at] = (uint16_t)sg_narrow(row.v[0]);
}

static __device__ inline void sg_read(const void *tensor, int type, size_t at, sg_row<8> *row)
{
    if (type == SG_F32) {
        const float4 *from = (const float4 *)((const float *)tensor + at);
        float4 a = from[0], b = from[1];
        const float values[8] = {a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w};
        for (int i = 0; i < 8; i++)
            row->v[i] = values[i];
        return;
    }
    uint4 q = *(const uint4 *)((const uint16_t *)tensor + at);
    const uint32_t pairs[4] = {q.x, q.y, q.z, q.w};
    for (int i = 0; i < 4; i++) {
        row->v[2 * i] = sg_widen(pairs[i] & 0xffffu);
        row->v[2 * i + 1] = sg_widen(pairs[i] >> 16);
    }
}

static __device__ inline void sg_write(void *tensor, int type, size_t at, const sg_row<8> &row)
{
    const float *v = row.v;
    if (type == SG_F32) {
        float4 *to = (float4 *)((float *)tensor + at);
        to[0] = make_float4(v[0], v[1], v[2], v[3]);
        to[1] = make_float4(v[4], v[5], v[6], v[7]);
        return;
    }
    uint32_t pairs[4];
    for (int i = 0; i < 4; i++)
        pairs[i] = sg_narrow(v[2 * i]) | sg_narrow(v[2 * i + 1]) << 16;
    *(uint4 *)((uint16_t *)tensor + at) = make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
}

/* One value of a tensor. */
static __device__ inline float sg_get(const void *tensor, int type, size_t at)
{
    sg_row<1> row;
    sg_read(tensor, type, at, &row);
    return row.v[0];
}

static __device__ inline void sg_put(void *tensor, int type, size_t at, float value)
{
    sg_row<1> row;
    row.v[0] = value;
    sg_write(tensor, type, at, row);
}

/* A gradient stored, or added where `write` is SG_GRAD_ADD. */
template <int N>
static __device__ inline void sg_put_gradient(void *gradient, int type, int write, size_t at,
                                              sg_row<N> row)
{
    if (write == SG_GRAD_ADD) {
        sg_row<N> before;
        sg_read(gradient, type, at, &before);
        for (int i = 0; i < N; i++)
            row.v[i] += before.v[i];
    }
    sg_write(gradient, type, at, row);
}

#endif
