/*
 * One pass (output, input gradient or weight gradient) of one convolution node, by whichever
 * implementation serves it: our own AVX2 kernels, oneDNN's, or oneDNN's 1x1 kernels and a shuffle.
 * The choice is a rule over the site and the processor, never a timing, so a result can be had
 * again. [local]
 */
#ifndef SG_CPU_CONV_PASS_H
#define SG_CPU_CONV_PASS_H

#include "cpu/direct.h"
#include "cpu/spread.h"

typedef struct {
    sg_cpu *cpu;            /* borrowed */
    sg_onednn_conv *onednn; /* owned, as is spread; both NULL: our own kernels */
    sg_spread *spread;
    sg_conv_pass pass;
    bool transpose;
    sg_direct direct;
    sg_direct_strides strides;
    int64_t first;    /* index of the weight at the window's first tap */
    int64_t phases;   /* output rows of a transposed convolution that are computed apart, else 1 */
    int64_t channels; /* of the output, where there are phases */
    float *packed;    /* owned: [phases] packed weights; NULL for weight gradients */
    float *turned;    /* owned: one phase's weights as a plain matrix, then its biases */
    int32_t act;
    sg_dtype in_type, out_type;  /* our kernels are f32: bf16 tensors are converted in scratch */
    int64_t in_count, out_count; /* elements */
    float *rounded;              /* owned: weights rounded to bf16, where tensors are; or NULL */
    size_t weight_count;
    size_t scratch_bytes;
} sg_conv_pass_run;

/* SG_EUNSUPPORTED when neither serves the site. */
sg_err sg_conv_pass_create(sg_cpu *cpu, const sg_onednn_spec *spec, sg_conv_pass_run *run);
void sg_conv_pass_close(sg_conv_pass_run *run);
/* Parameters changed; not for weight gradients. weights: OHWI; bias may be NULL. */
sg_err sg_conv_pass_refresh(sg_conv_pass_run *run, const float *weights, const float *bias);
/* in, out and weights as in sg_onednn_run. */
sg_err sg_conv_pass_do(sg_conv_pass_run *run, void *scratch, void *in, const float *bias, void *out,
                       float *weights);

#endif
