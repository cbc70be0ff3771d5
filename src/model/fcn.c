#include "model/networks.h"

enum { WIDTH = 4096, POOLS = 5 };

/* VGG-16 with batch norm, torchvision's numbering: convolution, norm, ReLU, and pools count one
 * each. Levels 3, 4, 5: after pool3, pool4, pool5. */
static void add_vgg16(sg_builder *b, int32_t x, sg_features *features)
{
    static const int convs[POOLS] = {2, 2, 3, 3, 3};
    static const int32_t channels[POOLS] = {64, 128, 256, 512, 512};
    int at = 0;
    for (int pool = 0; pool < POOLS; pool++) {
        for (int i = 0; i < convs[pool]; i++, at += 3) {
            x = sg_add_conv(b, x,
                            (sg_conv_shape){.channels = channels[pool], .kernel = 3, .bias = true},
                            sg_name(b, "encoder.features.%d", at));
            x = sg_add_norm(b, x, sg_name(b, "encoder.features.%d", at + 1));
            x = sg_add_relu(b, x, sg_name(b, "encoder.features.%d", at + 2));
        }
        x = sg_add_max_pool(b, x, 2, 2, 0, sg_name(b, "encoder.features.%d", at++));
        features->level[pool + 1] = x;
    }
}

static int32_t add_fully_connected(sg_builder *b, int32_t x, const sg_model_options *o)
{
    int32_t width = o->width ? o->width : WIDTH;
    x = sg_add_conv(b, x, (sg_conv_shape){.channels = width, .kernel = 7, .bias = true}, "fc6");
    x = sg_add_dropout(b, sg_add_relu(b, x, "relu6"), o->dropout, "dropout6");
    x = sg_add_conv(b, x, (sg_conv_shape){.channels = width, .bias = true}, "fc7");
    return sg_add_dropout(b, sg_add_relu(b, x, "relu7"), o->dropout, "dropout7");
}

/* Scores of level 5, those of the levels down to `finest` added one after the other. */
static sg_err build(const sg_model_options *o, int finest, sg_graph **graph)
{
    sg_builder b = {0};
    sg_features features;
    if (o->aux)
        return sg_fail(SG_EUSAGE,
                       "%s has no auxiliary heads; networks on ResNet and unet have them", o->net);
    add_vgg16(&b, sg_builder_start(&b, o), &features);
    int32_t x = add_fully_connected(&b, features.level[POOLS], o);
    x = sg_add_classes(&b, x, o->classes, "score5");
    for (int level = POOLS - 1; level >= finest; level--) {
        int32_t scores =
            sg_add_classes(&b, features.level[level], o->classes, sg_name(&b, "score%d", level));
        x = sg_add_transposed(&b, x, o->classes, 4, 2, sg_name(&b, "up%d", level));
        x = sg_add_sum(&b, x, scores, sg_name(&b, "sum%d", level));
    }
    sg_add_logit_upsampling(&b, x, 1 << finest, "upsample");
    return sg_builder_finish(&b, graph);
}

sg_err sg_fcn32s_build(const sg_model_options *options, sg_graph **graph)
{
    return build(options, 5, graph);
}

sg_err sg_fcn16s_build(const sg_model_options *options, sg_graph **graph)
{
    return build(options, 4, graph);
}

sg_err sg_fcn8s_build(const sg_model_options *options, sg_graph **graph)
{
    return build(options, 3, graph);
}

int32_t sg_add_fcn_head(sg_builder *b, int32_t x, const sg_model_options *o, const char *stage,
                        const char *prefix, int32_t width, int32_t factor)
{
    x = sg_add_layer(b, x, (sg_conv_shape){.channels = width, .kernel = 3}, stage, 1);
    x = sg_add_dropout(b, x, o->dropout, sg_name(b, "%sdropout", prefix));
    x = sg_add_classes(b, x, o->classes, sg_name(b, "%shead", prefix));
    return sg_add_logit_upsampling(b, x, factor, sg_name(b, "%supsample", prefix));
}

void sg_resnet_add_aux(sg_builder *b, const sg_features *features, const sg_model_options *o,
                       int32_t output_stride)
{
    enum { LEVEL = 4, STRIDE = 1 << LEVEL };
    int32_t x = features->level[LEVEL], stride = output_stride < STRIDE ? output_stride : STRIDE;
    if (!o->aux)
        return;
    sg_add_fcn_head(b, x, o, "aux", "aux.", sg_builder_channels(b, x) / 4, stride);
    sg_mark_aux(b);
}

sg_err sg_fcn_build(const sg_model_options *o, sg_graph **graph)
{
    sg_builder b = {0};
    sg_features features;
    int32_t layers, stride = o->output_stride ? o->output_stride : 8;
    sg_err err = sg_resnet_layers(o->encoder, &layers);
    if (err)
        return err;
    sg_resnet_add(&b, sg_builder_start(&b, o), layers, stride, &features);
    sg_resnet_add_aux(&b, &features, o, stride);
    int32_t x = features.level[5];
    int32_t width = o->width ? o->width : sg_builder_channels(&b, x) / 4;
    sg_add_fcn_head(&b, x, o, "decoder", "", width, stride);
    return sg_builder_finish(&b, graph);
}
