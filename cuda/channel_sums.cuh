/*
 * How sums over the pixels of a tensor are cut, for batch norm and bias gradients. For .cu files.
 *
 * A block of THREADS threads takes one chunk of pixels and up to `across` items of N channels; a
 * thread takes every (THREADS / across)-th pixel of the chunk in order. Then the block's lanes are
 * joined in order, and chunks in order by another kernel. The cut depends on the shape alone, so
 * sums have the same bits on every GPU.
 */
#ifndef SG_CUDA_CHANNEL_SUMS_CUH
#define SG_CUDA_CHANNEL_SUMS_CUH

#include "cuda/launch.cuh"

struct sg_sum_cut {
    uint32_t pixels, c, groups; /* groups: c / N */
    uint32_t across, lanes;     /* items of a block beside each other; pixels at once */
    uint32_t chunk, chunks;     /* pixels of one, and their number */
};

static inline sg_sum_cut sg_sum_cut_of(sg_shape shape)
{
    enum { PER_THREAD = 16, MOST_CHUNKS = 512 };
    sg_sum_cut cut;
    cut.pixels = (uint32_t)(shape.n * shape.h * shape.w);
    cut.c = (uint32_t)shape.c;
    cut.groups = sg_is_wide(shape.c) ? cut.c / 8 : cut.c;
    cut.across = 1;
    while (cut.across < 32 && cut.across < cut.groups)
        cut.across *= 2;
    cut.lanes = SG_THREADS / cut.across;
    cut.chunk = cut.lanes * PER_THREAD;
    if (cut.pixels / cut.chunk >= MOST_CHUNKS)
        cut.chunk = (cut.pixels + MOST_CHUNKS - 1) / MOST_CHUNKS;
    cut.chunks = (cut.pixels + cut.chunk - 1) / cut.chunk;
    return cut;
}

static inline dim3 sg_sum_blocks(const sg_sum_cut &cut)
{
    return dim3(cut.chunks, (cut.groups + cut.across - 1) / cut.across);
}

/* This thread's items, and the pixels [begin, end) of its block. */
struct sg_sum_place {
    uint32_t lane, group, begin, end;
    bool inside; /* group exists */
};

static __device__ inline sg_sum_place sg_sum_place_of(const sg_sum_cut &cut)
{
    sg_sum_place p;
    p.lane = threadIdx.x / cut.across;
    p.group = blockIdx.y * cut.across + threadIdx.x % cut.across;
    p.inside = p.group < cut.groups;
    p.begin = blockIdx.x * cut.chunk;
    p.end = min(p.begin + cut.chunk, cut.pixels);
    return p;
}

/* Pixels that a lane of a chunk of `pixels` takes. */
static __device__ inline uint32_t sg_lane_count(const sg_sum_cut &cut, uint32_t pixels,
                                                uint32_t lane)
{
    return lane < pixels ? (pixels - lane + cut.lanes - 1) / cut.lanes : 0;
}

/*
 * After the lanes' values lie in shared memory at [threadIdx.x * N + i]: thread t < across * N
 * joins one channel. *channel is its number, *at the place of lane 0; lane k's is at + k * across *
 * N.
 */
template <int N>
static __device__ inline bool sg_sum_channel(const sg_sum_cut &cut, uint32_t *channel, uint32_t *at)
{
    *channel = blockIdx.y * cut.across * N + threadIdx.x;
    *at = threadIdx.x;
    return threadIdx.x < cut.across * N && *channel < cut.c;
}

enum { SG_JOINERS = 64 };

/* values[k] = the sum over chunks of parts[chunk * count + k]; one block of SG_JOINERS threads to
 * each of the `count` sums, and a row of blocks to each of several such tensors. A thread adds
 * every SG_JOINERS-th chunk in order, thread 0 the threads. */
static __global__ void sg_join_chunks(const double *parts, uint32_t chunks, double *values)
{
    __shared__ double part[SG_JOINERS];
    double sum = 0;
    parts += (size_t)blockIdx.y * chunks * gridDim.x;
    for (uint32_t b = threadIdx.x; b < chunks; b += SG_JOINERS)
        sum += parts[(size_t)b * gridDim.x + blockIdx.x];
    part[threadIdx.x] = sum;
    __syncthreads();
    for (int k = 1; threadIdx.x == 0 && k < SG_JOINERS; k++)
        sum += part[k];
    if (threadIdx.x == 0)
        values[(size_t)blockIdx.y * gridDim.x + blockIdx.x] = sum;
}

#endif
