/*
 * The GPU backend: cuDNN for convolutions, our own kernels around them. [local]
 *
 * Every call gives its work to one stream in order; synchronize, download, classify and its end
 * wait for it. Batches on their way up and classes on their way down go in streams of their own.
 * Two runs give the same bits: reductions have a fixed order, of cuDNN's engines only those are
 * used that call themselves deterministic, and none wins by its speed that has other bits. A
 * backend is used by one thread at a time, whichever.
 *
 * Not yet run on a GPU. Its own kernels have run in an emulation on the processor, and cuDNN has
 * made plans for its convolutions for a GPU that was described to it: see docs/gpu.md.
 */
#ifndef SG_CUDA_CUDA_H
#define SG_CUDA_CUDA_H

#include "nn/backend.h"

typedef struct {
    int32_t local_rank;  /* among the ranks of this node: rank r takes GPU r modulo their number */
    int32_t local_ranks; /* of this node; those that take the same GPU share its memory; 0: 1 */
    int32_t tf32;        /* 1: f32 convolutions may round their factors to tf32 */
} sg_cuda_options;

/* Which of `gpus` a rank takes, and how many ranks of the node take it. */
typedef struct {
    int32_t gpu, sharers;
} sg_cuda_place;

static inline sg_cuda_place sg_cuda_place_of(int32_t rank, int32_t ranks, int32_t gpus)
{
    sg_cuda_place place = {rank % gpus, ranks / gpus};
    place.sharers += place.gpu < ranks % gpus;
    place.sharers += place.sharers == 0; /* this one, when the number of ranks is not told */
    return place;
}

/* SG_EUNSUPPORTED, in one line, where there is no driver, no GPU, or none of compute capability 8.0
 * or newer; in a build without CUDA always. */
sg_err sg_cuda_open(sg_backend **backend, const sg_cuda_options *options);

#endif
