/*
 * The networks one by one, and what several of them share. Options have been checked by
 * sg_model_build as far as they mean the same everywhere. Private to model. [local]
 */
#ifndef SG_MODEL_NETWORKS_H
#define SG_MODEL_NETWORKS_H

#include "model/builder.h"

enum { SG_MODEL_LEVELS = 6 };

/* What an encoder leaves: the last tensor of each level, whose stride is 2^level while the encoder
 * goes down; -1 where there is none. */
typedef struct {
    int32_t level[SG_MODEL_LEVELS];
} sg_features;

/*
 * ResNet (He et al. 2016) of 18, 34, 50 or 101 layers without its classifier, v1.5: the 3x3
 * convolution of a bottleneck has the stride. At an output stride of 8 or 16 the strides of the
 * last layers become dilations, as in torchvision (the first block of a layer keeps the dilation
 * before it). Levels 1 .. 5: after the first ReLU, layer1 .. layer4.
 */
void sg_resnet_add(sg_builder *b, int32_t x, int32_t layers, int32_t output_stride,
                   sg_features *features);
/* Layers of "resnet50", which "" stands for; SG_EUSAGE names those that exist. */
sg_err sg_resnet_layers(const char *encoder, int32_t *layers);

/* FCN's head as torchvision has it, "STAGE.conv1", "dropout", "head", "upsample" behind `prefix`: a
 * 3x3 convolution to `width` channels, classes, bilinear upsampling by `factor`. */
int32_t sg_add_fcn_head(sg_builder *b, int32_t x, const sg_model_options *o, const char *stage,
                        const char *prefix, int32_t width, int32_t factor);
/* Where options ask for it: the auxiliary head of torchvision's and PSPNet's networks, FCN's head
 * on layer3, with a quarter of its channels: "aux.conv1" ... "aux.head". */
void sg_resnet_add_aux(sg_builder *b, const sg_features *features, const sg_model_options *o,
                       int32_t output_stride);

/*
 * U-Net (Ronneberger et al. 2015) padded, with batch norm: two 3x3 convolutions (no bias) + batch
 * norm + ReLU per level, 2x2 max pooling, 2x2 transposed convolution (bias) or bilinear upsampling,
 * skips concatenated after the upsampled tensor, 1x1 convolution to the classes. With an encoder
 * its features take the place of the way down; full resolution has no skip then.
 *
 * valid, as published: convolutions are not padded, and skips are cut to what is left. Its output
 * is put back into the place that it has in the input, so that it is as large as the tile; along
 * the sides (sg_graph_margin) its logits are 0 and mean nothing. Auxiliary heads: classes of the
 * decoder's levels but the finest, upsampled.
 */
sg_err sg_unet_build(const sg_model_options *options, sg_graph **graph);
/*
 * DeepLabv3 (Chen et al. 2017): ResNet at output stride 16 or 8, pyramid of a 1x1 and three dilated
 * 3x3 convolutions and image pooling, 1x1 to `width` (256) channels; a 3x3 convolution, classes,
 * bilinear upsampling. DeepLabv3+ (Chen et al. 2018): the pyramid's result is upsampled to a
 * quarter of the resolution, joined with 48 channels of layer1, two 3x3 convolutions, classes,
 * upsampling by 4. Image pooling is a mean over a window of `pool` pixels around each place, so
 * that the network is the same function on any tile; -1: over the whole tile, as published.
 */
sg_err sg_deeplab3_build(const sg_model_options *options, sg_graph **graph);
sg_err sg_deeplab3plus_build(const sg_model_options *options, sg_graph **graph);
/*
 * FCN-32s, -16s, -8s (Long et al. 2015) on VGG-16 with batch norm and padding that keeps sizes:
 * 7x7 and 1x1 convolutions of `width` (4096) channels, scores of pool4 and pool3 added after
 * learned upsampling by 2, the rest of the way bilinear.
 */
sg_err sg_fcn32s_build(const sg_model_options *options, sg_graph **graph);
sg_err sg_fcn16s_build(const sg_model_options *options, sg_graph **graph);
sg_err sg_fcn8s_build(const sg_model_options *options, sg_graph **graph);
/* FCN on ResNet as torchvision has it: a 3x3 convolution to a quarter of the channels, classes,
 * bilinear upsampling; output stride 8. */
sg_err sg_fcn_build(const sg_model_options *options, sg_graph **graph);
/*
 * PSPNet (Zhao et al. 2017): ResNet at output stride 8; means over 1, 2, 3 and 6 bins along a
 * square of `pool` (384) pixels, 1x1 convolutions to a quarter of the channels, upsampled and
 * joined; a 3x3 convolution to `width` (512), classes, upsampling. Larger tiles are cut into such
 * squares, so tiles are multiples of `pool` and the network is the same function on any of them.
 */
sg_err sg_pspnet_build(const sg_model_options *options, sg_graph **graph);

#endif
