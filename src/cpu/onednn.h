/*
 * oneDNN's convolutions over NHWC tensors and OHWI f32 parameters. May include: base, nn/graph.h.
 * [local]
 *
 * Weights are kept reordered, and rounded to the pass's type, in the primitive (sg_onednn_weights);
 * weight gradients come out in OHWI f32.
 */
#ifndef SG_CPU_ONEDNN_H
#define SG_CPU_ONEDNN_H

#include "nn/graph.h"

typedef struct sg_onednn sg_onednn;           /* engine, stream, thread count */
typedef struct sg_onednn_conv sg_onednn_conv; /* one pass of one convolution */

typedef enum { SG_CONV_FORWARD, SG_CONV_DATA, SG_CONV_WEIGHTS } sg_conv_pass;

typedef struct {
    sg_conv_pass pass;
    bool transpose;
    bool inference; /* take only implementations whose sums have a fixed order per pixel */
    const sg_window_attr *window;
    sg_shape in, out;
    sg_dtype in_type;  /* of the input, or of the gradient that SG_CONV_DATA writes */
    sg_dtype out_type; /* of the output, or of the gradient that the backward passes read */
    bool bias;         /* forward only */
    int32_t act;       /* forward only */
} sg_onednn_spec;

sg_err sg_onednn_open(sg_onednn **onednn, int threads);
void sg_onednn_close(sg_onednn *onednn);
/* "oneDNN 2.6.3" into text. */
void sg_onednn_version(char *text, size_t size);
bool sg_onednn_supports_bf16(sg_onednn *onednn);
/* May it use AVX-512? DNNL_MAX_CPU_ISA in the environment can forbid it. */
bool sg_onednn_is_wide(void);

/* SG_EUNSUPPORTED when oneDNN has no fitting implementation. */
sg_err sg_onednn_conv_create(sg_onednn *onednn, const sg_onednn_spec *spec, sg_onednn_conv **conv);
void sg_onednn_conv_close(sg_onednn_conv *conv);
const char *sg_onednn_conv_impl(const sg_onednn_conv *conv); /* oneDNN's name for it */
size_t sg_onednn_conv_scratch(const sg_onednn_conv *conv);   /* bytes that run wants */

/* Take over changed parameters; not for SG_CONV_WEIGHTS. `weights` must stay until the next call.
 */
sg_err sg_onednn_weights(sg_onednn_conv *conv, const float *weights);
/*
 * FORWARD: out = act(conv(in) + bias). DATA: in = gradient of the input from out = the output's.
 * WEIGHTS: weights = gradient from in (values) and out (gradient). Unused arguments are NULL.
 */
sg_err sg_onednn_run(sg_onednn_conv *conv, void *scratch, void *in, const float *bias, void *out,
                     float *weights);

#endif
