/*
 * What is needed to try a convolution: numbers to compute with, and whether two results are the
 * same. [local]
 *
 * Contract. Fill: uniform in [-1, 1), a function of (seed, index) alone, rounded to the type.
 * Differ: bit by bit, so that NaN equals itself and 0 is not -0; sets *differ to 1, or leaves it.
 */
#ifndef SG_CUDA_TUNE_KERNELS_H
#define SG_CUDA_TUNE_KERNELS_H

#include "cuda/device.h"

#ifdef __cplusplus
extern "C" {
#endif

sg_err sg_tune_fill(sg_cuda *cuda, void *memory, sg_dtype type, size_t count, uint32_t seed);
/* a, b, differ: device memory. */
sg_err sg_tune_differ(sg_cuda *cuda, const void *a, const void *b, sg_dtype type, size_t count,
                      uint32_t *differ);

#ifdef __cplusplus
}
#endif

#endif
