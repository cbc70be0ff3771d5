/*
 * Our own convolutions for AVX2, f32, NHWC, one group: where oneDNN's NHWC kernels for AVX2 are
 * slow (weight gradients above all) or missing. May include: base, nn. [local]
 *
 * Numerical contract. Forward: an output is bias, then fused multiply-adds in f32 over (kernel row,
 * kernel column, input channel) in that order; zeros of the padding take part. So a pixel's result
 * depends on its window alone: not on the tile, the batch or the threads. Weight gradients: fixed
 * blocks of pixels are summed, then added in order; the blocks follow from the shapes alone.
 */
#ifndef SG_CPU_DIRECT_H
#define SG_CPU_DIRECT_H

#include "cpu/device.h"

/* One convolution: out[oy][ox] reads in[oy * stride_h - top + kh * dilation_h][...]. */
typedef struct {
    int64_t n, in_h, in_w, in_c; /* input, without gaps */
    int64_t out_h, out_w, out_c;
    int64_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
    int64_t top, left;                     /* padding; may be negative */
    int64_t out_image, out_row, out_pixel; /* distances in the output, in elements */
} sg_direct;

/* Where a weight lies: index o * out + kh * row + kw * column + i * in, in elements. */
typedef struct {
    int64_t out, row, column, in;
} sg_direct_strides;

enum { SG_DIRECT_TAPS = 64 }; /* kernel_h * kernel_w at most */

bool sg_direct_available(void);

/* The convolution of a node: out = conv(in), dense output. */
sg_direct sg_direct_plain(const sg_window_attr *window, sg_shape in, sg_shape out);

/* Floats that the packed weights take. */
size_t sg_direct_packed_count(const sg_direct *d);
/* bias: [out_c] or NULL. */
void sg_direct_pack(const sg_cpu *cpu, const sg_direct *d, const float *weights,
                    const sg_direct_strides *strides, const float *bias, float *packed);
void sg_direct_forward(const sg_cpu *cpu, const sg_direct *d, const float *in, const float *packed,
                       bool relu, float *out);

/* Bytes of scratch that the weight gradient takes. */
size_t sg_direct_weights_scratch(const sg_direct *d);
/* gradient[o, kh, kw, i] = sum over pixels of grad_out * in; grad_out is dense (n, out_h, out_w,
 * out_c). */
void sg_direct_weights(const sg_cpu *cpu, const sg_direct *d, const float *in,
                       const float *grad_out, void *scratch, float *gradient,
                       const sg_direct_strides *strides);

#endif
