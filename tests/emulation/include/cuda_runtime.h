/*
 * CUDA's words in kernels, on the processor: a launch runs its blocks one after the other, a
 * block's threads one after the other up to each __syncthreads. In which order is drawn anew for
 * every launch, so that a kernel that depends on it gives other bits in another run. For C++.
 * [local]
 */
#ifndef SG_TEST_CUDA_RUNTIME_H
#define SG_TEST_CUDA_RUNTIME_H

#include <math.h>
#include <string.h>
#ifdef __cplusplus
#include <type_traits>
#endif
#include "cuda_runtime_api.h"

#ifdef __cplusplus

#define __global__
#define __device__
#define __shared__ static /* blocks and launches run one at a time */

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

extern dim3 threadIdx, blockIdx, blockDim, gridDim;
void __syncthreads();

struct float4 {
    float x, y, z, w;
};
struct uint4 {
    unsigned x, y, z, w;
};

static inline float4 make_float4(float x, float y, float z, float w)
{
    return {x, y, z, w};
}

static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w)
{
    return {x, y, z, w};
}

static inline float __uint_as_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t __float_as_uint(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

template <typename T> static inline T min(T a, T b)
{
    return a < b ? a : b;
}

template <typename T> static inline T max(T a, T b)
{
    return a > b ? a : b;
}

struct cudaLaunchConfig_t {
    dim3 gridDim, blockDim;
    size_t dynamicSmemBytes;
    cudaStream_t stream;
};

void sg_emulate(dim3 blocks, dim3 threads, void (*body)(const void *), const void *context);

template <typename F> static void sg_emulated_body(const void *context)
{
    (*(const F *)context)();
}

template <typename... P, typename... A>
static cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t *config, void (*kernel)(P...),
                                      A... arguments)
{
    auto thread = [=]() { kernel(arguments...); };
    auto launch = [=, blocks = config->gridDim, threads = config->blockDim]() {
        sg_emulate(blocks, threads, sg_emulated_body<decltype(thread)>, &thread);
    };
    static_assert(std::is_trivially_copyable<decltype(launch)>::value, "kept as bytes");
    sg_emulated_give(config->stream, sg_emulated_body<decltype(launch)>, &launch, sizeof launch);
    return sg_emulated_health();
}

#endif

#endif
