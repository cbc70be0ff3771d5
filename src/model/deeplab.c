#include "model/networks.h"

enum { RATES = 3, BRANCHES = RATES + 2, WIDTH = 256, LOW = 48, LOW_STRIDE = 4, POOL = 512 };

typedef struct {
    const sg_model_options *options;
    int32_t layers, stride, width;
} plan;

static sg_err make_plan(const sg_model_options *o, plan *p)
{
    *p = (plan){.options = o,
                .stride = o->output_stride ? o->output_stride : 16,
                .width = o->width ? o->width : WIDTH};
    if (p->stride != 8 && p->stride != 16)
        return sg_fail(SG_EUSAGE, "DeepLab at output stride %d, must be 8 or 16", (int)p->stride);
    return sg_resnet_layers(o->encoder[0] ? o->encoder : "resnet50", &p->layers);
}

static int32_t rate(const plan *p, int i)
{
    static const int32_t published[RATES] = {6, 12, 18};
    return p->options->rates[i] ? p->options->rates[i] : published[i] * (16 / p->stride);
}

/* The convolution stands before the mean: both are linear, and it leaves fewer channels to it. */
static int32_t add_image_pooling(sg_builder *b, int32_t x, const plan *p)
{
    int32_t pool = p->options->pool ? p->options->pool : POOL;
    int32_t radius = pool / p->stride / 2, out;
    out = sg_add_conv(b, x, (sg_conv_shape){.channels = p->width}, "aspp.image.conv");
    if (pool > 0) {
        out = sg_add_mean_pool(b, out, 2 * radius + 1, 1, radius, "aspp.image.pool");
        out = sg_add_norm(b, out, "aspp.image.bn");
        return sg_add_relu(b, out, "aspp.image.relu");
    }
    out = sg_add_global_mean(b, out, "aspp.image.pool");
    out = sg_add_norm(b, out, "aspp.image.bn");
    out = sg_add_relu(b, out, "aspp.image.relu");
    return sg_add_resize_like(b, out, x, "aspp.image.resize");
}

static int32_t add_pyramid(sg_builder *b, int32_t x, const plan *p)
{
    int32_t branch[BRANCHES];
    branch[0] = sg_add_layer(b, x, (sg_conv_shape){.channels = p->width}, "aspp", 0);
    for (int i = 0; i < RATES; i++)
        branch[i + 1] = sg_add_layer(
            b, x, (sg_conv_shape){.channels = p->width, .kernel = 3, .dilation = rate(p, i)},
            "aspp", i + 1);
    branch[RATES + 1] = add_image_pooling(b, x, p);
    x = sg_add_concat(b, branch, BRANCHES, "aspp.concat");
    x = sg_add_layer(b, x, (sg_conv_shape){.channels = p->width}, "aspp.project", 1);
    return sg_add_dropout(b, x, p->options->dropout, "aspp.dropout");
}

static sg_err finish(sg_builder *b, int32_t x, const plan *p, int32_t factor, sg_graph **graph)
{
    x = sg_add_classes(b, x, p->options->classes, "head");
    sg_add_logit_upsampling(b, x, factor, "upsample");
    return sg_builder_finish(b, graph);
}

sg_err sg_deeplab3_build(const sg_model_options *options, sg_graph **graph)
{
    sg_builder b = {0};
    sg_features features;
    plan p;
    sg_err err = make_plan(options, &p);
    if (err)
        return err;
    int32_t x = sg_builder_start(&b, options->bands);
    sg_resnet_add(&b, x, p.layers, p.stride, &features);
    x = add_pyramid(&b, features.level[5], &p);
    x = sg_add_layer(&b, x, (sg_conv_shape){.channels = p.width, .kernel = 3}, "decoder", 1);
    return finish(&b, x, &p, p.stride, graph);
}

sg_err sg_deeplab3plus_build(const sg_model_options *options, sg_graph **graph)
{
    sg_builder b = {0};
    sg_features features;
    plan p;
    sg_err err = make_plan(options, &p);
    if (err)
        return err;
    int32_t x = sg_builder_start(&b, options->bands);
    sg_resnet_add(&b, x, p.layers, p.stride, &features);
    x = add_pyramid(&b, features.level[5], &p);
    x = sg_add_upsampling(&b, x, p.stride / LOW_STRIDE, "decoder.up");
    int32_t low =
        sg_add_layer(&b, features.level[2], (sg_conv_shape){.channels = LOW}, "decoder.low", 1);
    const int32_t both[] = {x, low};
    x = sg_add_concat(&b, both, 2, "decoder.concat");
    x = sg_add_layer(&b, x, (sg_conv_shape){.channels = p.width, .kernel = 3}, "decoder", 1);
    x = sg_add_layer(&b, x, (sg_conv_shape){.channels = p.width, .kernel = 3}, "decoder", 2);
    return finish(&b, x, &p, LOW_STRIDE, graph);
}
