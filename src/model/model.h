/*
 * Networks: functions that build a graph. No number is computed here. May include: base, nn.
 * [local]
 */
#ifndef SG_MODEL_MODEL_H
#define SG_MODEL_MODEL_H

#include "nn/graph.h"

typedef struct {
    char net[32];    /* "unet" */
    int32_t bands;   /* input channels */
    int32_t classes; /* output channels, at most SG_MAX_CLASSES */
    int32_t depth;   /* down-samplings; U-Net: 1 .. 6, default 4 */
    int32_t width;   /* channels at full resolution; default 64 */
    float dropout;   /* before the last convolution; default 0 */
} sg_model_options;

sg_model_options sg_model_defaults(void);
/* Build options->net. SG_EUSAGE names the option that is wrong or the networks that exist. */
sg_err sg_model_build(const sg_model_options *options, sg_graph **graph);
/* Space-separated names of all networks. */
const char *sg_model_names(void);

/*
 * U-Net (Ronneberger et al. 2015) padded, with batch norm: two 3x3 convolutions (no bias) + batch
 * norm + ReLU per level, 2x2 max pooling, 2x2 transposed convolution (bias), skips concatenated
 * after the upsampled tensor, 1x1 convolution to the classes (bias, f32 logits).
 */
sg_err sg_unet_build(const sg_model_options *options, sg_graph **graph);

#endif
