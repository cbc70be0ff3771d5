/*
 * What is done around a convolution: bringing tensors and filters into the shape that cuDNN gets,
 * and results back. [local]
 *
 * Numerical contract. Copies, rounded to the target's format; a result is f32, its bias is added
 * and its activation applied in f32, and it is rounded once. The gradient of the bias is summed
 * from the f32 gradients before the activation, cut as channel_sums.cuh says. All results are
 * overwritten.
 */
#ifndef SG_CUDA_CONV_KERNELS_H
#define SG_CUDA_CONV_KERNELS_H

#include "cuda/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A tensor within a larger one that is 0 elsewhere: its pixel (0, 0) lies at (top, left), its
 * channels come first. n is the same. The larger one has no gaps; the pixels of the real one lie
 * `pitch` elements apart. */
typedef struct {
    sg_shape real, padded;
    int64_t top, left, pitch;
} sg_conv_view;

static inline bool sg_conv_is_whole(const sg_conv_view *view)
{
    return sg_shape_equal(view->real, view->padded) != 0;
}

static inline bool sg_conv_has_gaps(const sg_conv_view *view)
{
    return view->pitch != view->real.c;
}

/* padded tensor `to` from the real one. */
sg_err sg_conv_stage(sg_cuda *cuda, const sg_conv_view *view, const void *from, sg_dtype from_type,
                     void *to, sg_dtype to_type);
/* The same from the gradient before the site's activation. */
sg_err sg_conv_stage_gradient(sg_cuda *cuda, const sg_conv_view *view, const sg_site *site,
                              const sg_io *io, void *to, sg_dtype to_type);
/* The site's output from the padded sums; bias [c] or NULL; the site's second input is added where
 * there is one. `from` may be the output itself. */
sg_err sg_conv_finish(sg_cuda *cuda, const sg_conv_view *view, const float *from, const float *bias,
                      const sg_site *site, const sg_io *io);
/* The real tensor from the padded one. */
sg_err sg_conv_crop(sg_cuda *cuda, const sg_conv_view *view, const void *from, sg_dtype from_type,
                    void *to, sg_dtype to_type);

/* The gradient of the site's bias; scratch of so many bytes. */
size_t sg_conv_bias_scratch(const sg_site *site);
sg_err sg_conv_bias_gradient(sg_cuda *cuda, const sg_site *site, const sg_io *io, void *scratch);

/* A filter as the parameter holds it, [k][taps][c], or [c][taps][k] when swapped, and as cuDNN gets
 * it, [padded_k][taps][padded_c] with zeros where there is nothing. */
typedef struct {
    int64_t k, taps, c, padded_k, padded_c;
    int32_t swapped;
} sg_filter_view;

sg_err sg_conv_stage_filter(sg_cuda *cuda, const sg_filter_view *view, const float *param, void *to,
                            sg_dtype to_type);
sg_err sg_conv_give_filter(sg_cuda *cuda, const sg_filter_view *view, const float *staged,
                           float *param_grad);

#ifdef __cplusplus
}
#endif

#endif
