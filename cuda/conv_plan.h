/*
 * One convolution on one shape, by the best way that there is: cuDNN on the operands as they are;
 * else, for bf16, cuDNN on copies of them in f32; else our own kernels, which take anything and are
 * slow. [local]
 *
 * Numerical contract: that of cudnn_plan.h for all three. A bf16 number is a tf32 number, so the
 * copies may be multiplied as tf32 without a rounding.
 */
#ifndef SG_CUDA_CONV_PLAN_H
#define SG_CUDA_CONV_PLAN_H

#include "cuda/cudnn_plan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sg_conv_plan sg_conv_plan;

/* SG_EUNSUPPORTED only when a bias, sum or relu is asked for that cuDNN does not fuse here, or gaps
 * that the engine does not take. */
sg_err sg_conv_plan_create(sg_cuda *cuda, const sg_conv_request *request, sg_conv_plan **plan);
size_t sg_conv_plan_workspace(const sg_conv_plan *plan); /* bytes */
/* tensors->workspace: aligned to 256 bytes. */
sg_err sg_conv_plan_run(sg_conv_plan *plan, const sg_conv_tensors *tensors);
void sg_conv_plan_close(sg_conv_plan *plan); /* NULL is fine */
/* "cuDNN", "cuDNN in f32", "our own kernels". */
const char *sg_conv_plan_way(const sg_conv_plan *plan);

/* Our own kernels: direct.cu. Nothing fused, no gaps. */
sg_err sg_direct_run(sg_cuda *cuda, const sg_conv_request *request, const void *a, const void *b,
                     void *result);

#ifdef __cplusplus
}
#endif

#endif
