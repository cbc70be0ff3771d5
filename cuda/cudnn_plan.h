/*
 * One convolution on one shape, as cuDNN computes it. [local]
 *
 * Numerical contract. Products of the operands' values, summed in f32, rounded once to the result's
 * type; the order of the sums is the engine's, and fixed (engines that call themselves
 * nondeterministic are passed over). f32 operands are not rounded unless `tf32` says they may be.
 * No Winograd or FFT engine is used: their errors depend on neighbouring pixels' magnitudes.
 *
 * Which engine. cuDNN's heuristics propose some, best first, and the first few that hold the
 * contract are timed. The winner is kept on disk (plan_cache.h) by chip, driver, cuDNN and shape. A
 * clock does not say the same twice, and bits must not hang on it: mask bytes are the same for any
 * rank, tile and batch, and a resumed training repeats its losses, on whatever node. So a proposal
 * may win only when its result on random operands has every bit of that of the first one, which is
 * then taken where nothing is timed. The environment's SEGTILES_TUNE says otherwise: "off" times
 * nothing; "free" lets a training shape take the fastest whatever its bits, after which losses
 * repeat only with the same cache. In prediction ("steady") the comparison and the clock see a
 * usual size of the layer, not the tile's.
 *
 * Tensors with gaps. A tensor may lie among the channels of another. Then the engine and its knobs
 * are those for the same tensors without gaps, or cuDNN is not used: where tensors lie depends on
 * the plan (training, recomputing, prediction), and bits must not.
 *
 * Not yet run on a GPU: that proposals differ in speed but not in bits is expected of tiles of
 * other sizes of one kernel, and so is that one kernel with other strides has the same bits;
 * neither is known.
 */
#ifndef SG_CUDA_CUDNN_PLAN_H
#define SG_CUDA_CUDNN_PLAN_H

#include "cuda/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A plain convolution between a big tensor (its input) and a small one (its output), which are
 * related by small = (big + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1. A transposed
 * convolution is the same with its input as the small tensor. All are NHWC.
 */
typedef struct {
    sg_shape big, small;
    int64_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
    int64_t pad_h, pad_w; /* on both sides */
    int64_t groups;
} sg_conv_geometry;

/* Filters are [small.c][kernel_h][kernel_w][big.c / groups]. */
typedef enum {
    SG_CONV_SMALL, /* from big (a) and filter (b) to small: the forward pass */
    SG_CONV_BIG,   /* from small (a) and filter (b) to big: the gradient of the input */
    SG_CONV_FILTER /* from big (a) and small (b) to the filter: its gradient */
} sg_conv_target;

typedef struct {
    sg_conv_geometry geometry;
    sg_conv_target target;
    sg_dtype type, result_type; /* of both operands; of the result */
    int32_t tf32;               /* may f32 operands be rounded to tf32? */
    int32_t steady; /* the engine is chosen by channels and window alone, whatever n, h and w, so
                       that a pixel has the same bits in every tile and batch; where cuDNN has one
                       for both the usual size and this one */
    int32_t bias, relu; /* SG_CONV_SMALL: added to the result, f32 [small.c]; applied */
    int64_t added; /* SG_CONV_SMALL: a tensor like the result is added before relu, of the operands'
                      type, whose pixels lie so many elements apart; 0: none is */
    int64_t big_pitch, small_pitch; /* elements from one pixel to the next; 0: there are no gaps.
                                       With gaps the engine is the one that is chosen without, so
                                       that bits do not depend on where a tensor lies */
} sg_conv_request;

static inline bool sg_conv_request_has_gaps(const sg_conv_request *request)
{
    return request->big_pitch != 0 || request->small_pitch != 0 ||
           (request->added != 0 && request->added != request->geometry.small.c);
}

static inline bool sg_conv_request_is_fused(const sg_conv_request *request)
{
    return request->bias || request->relu || request->added;
}

/* What one run reads and writes: device memory, aligned to 16 bytes. */
typedef struct {
    const void *a, *b;
    const float *bias; /* NULL where there is none */
    const void *added; /* likewise */
    void *result, *workspace;
} sg_conv_tensors;

static inline sg_shape sg_conv_filter_shape(const sg_conv_geometry *g)
{
    sg_shape shape = {g->small.c, g->kernel_h, g->kernel_w, g->big.c / g->groups};
    return shape;
}

/* For the GPU that cuda, which is borrowed, has opened; chip: its name, compute capability and
 * driver. SG_EUSAGE: SEGTILES_TUNE is none of its words. */
sg_err sg_cudnn_open(sg_cuda *cuda, const char *chip, sg_cudnn **cudnn);
/* Without a GPU, for one that is described: plans can be made, not run. json: as cuDNN writes a
 * CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR (9.8 or newer). */
sg_err sg_cudnn_describe(const char *json, sg_cudnn **cudnn);
void sg_cudnn_close(sg_cudnn *cudnn); /* NULL is fine */
void sg_cudnn_version(char *text, size_t size);

typedef struct sg_cudnn_plan sg_cudnn_plan;

/* The plan for a request, or SG_EUNSUPPORTED when no engine that holds the contract takes it.
 * Making one can take seconds, as some engines are compiled for it, so it is made once: cudnn owns
 * it. */
sg_err sg_cudnn_plan_get(sg_cudnn *cudnn, const sg_conv_request *request, sg_cudnn_plan **plan);
size_t sg_cudnn_plan_workspace(const sg_cudnn_plan *plan); /* bytes */
int64_t sg_cudnn_plan_engine(const sg_cudnn_plan *plan);   /* cuDNN's number of it; -1: unknown */
/* Whether its engine rounds f32 operands, to tf32 or less. */
bool sg_cudnn_plan_rounds(const sg_cudnn_plan *plan);
sg_err sg_cudnn_plan_run(sg_cudnn_plan *plan, const sg_conv_tensors *tensors);

#ifdef __cplusplus
}
#endif

#endif
