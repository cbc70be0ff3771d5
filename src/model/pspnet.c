#include "model/networks.h"

enum { BINS = 4, WIDTH = 512, POOL = 384, MOST_BINS = 6 };

/* Bins along the side of the square: 1, 2, 3, 6. */
static int32_t add_bins(sg_builder *b, int32_t x, int32_t bins, int32_t side)
{
    int32_t channels = sg_builder_channels(b, x) / BINS, size = side / bins;
    const char *mean = sg_name(b, "pyramid.pool%d", (int)bins);
    x = sg_add_mean_pool(b, x, size, size, 0, mean);
    x = sg_add_layer(b, x, (sg_conv_shape){.channels = channels}, "pyramid", (int)bins);
    return sg_add_upsampling(b, x, size, sg_name(b, "pyramid.up%d", (int)bins));
}

static sg_err check(int32_t pool, int32_t stride)
{
    if (stride != 8 && stride != 16 && stride != 32)
        return sg_fail(SG_EUSAGE, "PSPNet at output stride %d, must be 8, 16 or 32", (int)stride);
    if (pool < 1 || pool % (MOST_BINS * stride) != 0)
        return sg_fail(SG_EUSAGE, "PSPNet's bins over %d pixels, must be a multiple of %d",
                       (int)pool, MOST_BINS * (int)stride);
    return SG_OK;
}

sg_err sg_pspnet_build(const sg_model_options *o, sg_graph **graph)
{
    static const int32_t bins[BINS] = {1, 2, 3, MOST_BINS};
    sg_builder b = {0};
    sg_features features;
    int32_t layers, joined[BINS + 1];
    int32_t stride = o->output_stride ? o->output_stride : 8, pool = o->pool ? o->pool : POOL;
    sg_err err = check(pool, stride);
    if (!err)
        err = sg_resnet_layers(o->encoder, &layers);
    if (err)
        return err;
    sg_resnet_add(&b, sg_builder_start(&b, o), layers, stride, &features);
    sg_resnet_add_aux(&b, &features, o, stride);
    joined[0] = features.level[5];
    for (int i = 0; i < BINS; i++)
        joined[i + 1] = add_bins(&b, joined[0], bins[i], pool / stride);
    int32_t x = sg_add_concat(&b, joined, BINS + 1, "pyramid.concat");
    x = sg_add_layer(&b, x, (sg_conv_shape){.channels = o->width ? o->width : WIDTH, .kernel = 3},
                     "decoder", 1);
    x = sg_add_dropout(&b, x, o->dropout, "dropout");
    x = sg_add_classes(&b, x, o->classes, "head");
    sg_add_logit_upsampling(&b, x, stride, "upsample");
    return sg_builder_finish(&b, graph);
}
