/*
 * Transposed convolutions whose windows do not overlap (kernel and stride equal, nothing cropped),
 * forward: each input pixel makes its own block of output pixels. So they are a 1x1 convolution to
 * kernel_h * kernel_w * channels, which oneDNN does at full speed, and a shuffle of its pixels to
 * their places, done in pieces that stay in the cache. oneDNN's own kernels for the same took up to
 * 40 times as long (AVX-512, bf16, 128 to 64 channels). [local]
 */
#ifndef SG_CPU_SPREAD_H
#define SG_CPU_SPREAD_H

#include "cpu/device.h"

typedef struct sg_spread sg_spread;

bool sg_spread_serves(const sg_onednn_spec *spec);
/* SG_EUNSUPPORTED when oneDNN has no fitting 1x1 convolution. cpu is borrowed. */
sg_err sg_spread_create(const sg_cpu *cpu, const sg_onednn_spec *spec, sg_spread **spread);
void sg_spread_close(sg_spread *spread);
size_t sg_spread_scratch(const sg_spread *spread); /* bytes that forward wants, aligned to 64 */
/* Parameters changed. weights: OHWI; bias: [out channels] or NULL. */
sg_err sg_spread_weights(sg_spread *spread, const float *weights, const float *bias);
/* out = act(transposed conv(in) + bias) */
sg_err sg_spread_forward(sg_spread *spread, void *scratch, const void *in, void *out);

#endif
