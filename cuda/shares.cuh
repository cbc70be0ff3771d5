/*
 * A pixel's softmax, share by share, from its logits. For .cu files whose arguments hold logits,
 * type and classes. Numerical contract: f32; powers of distances from the largest logit, summed in
 * the order of classes.
 */
#ifndef SG_CUDA_SHARES_CUH
#define SG_CUDA_SHARES_CUH

#include <math.h>
#include "cuda/launch.cuh"

struct partition {
    float largest, sum; /* of exp(logit - largest) */
};

template <typename A> static __device__ inline partition partition_of(const A &a, size_t first)
{
    partition p = {-INFINITY, 0};
    for (uint32_t c = 0; c < a.classes; c++)
        p.largest = fmaxf(p.largest, sg_get(a.logits, a.type, first + c));
    for (uint32_t c = 0; c < a.classes; c++)
        p.sum += expf(sg_get(a.logits, a.type, first + c) - p.largest);
    return p;
}

template <typename A>
static __device__ inline float share_of(const A &a, size_t first, uint32_t c, partition p)
{
    return expf(sg_get(a.logits, a.type, first + c) - p.largest) / p.sum;
}

#endif
