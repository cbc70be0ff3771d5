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
    return sg_resnet_layers(o->encoder, &p->layers);
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
    int32_t radius = pool / p->stride / 2;
    const char *name = "aspp.image.pool";
    int32_t out = sg_add_conv(b, x, (sg_conv_shape){.channels = p->width}, "aspp.image.conv");
    out = pool < 0 ? sg_add_global_mean(b, out, name)
                   : sg_add_mean_pool(b, out, 2 * radius + 1, 1, radius, name);
    out = sg_add_norm(b, out, "aspp.image.bn");
    out = sg_add_relu(b, out, "aspp.image.relu");
    return pool < 0 ? sg_add_resize_like(b, out, x, "aspp.image.resize") : out;
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

/* DeepLabv3+: at the resolution of layer1, beside a few channels of it. */
static int32_t join_low_level(sg_builder *b, int32_t x, int32_t low, const plan *p)
{
    x = sg_add_upsampling(b, x, p->stride / LOW_STRIDE, "decoder.up");
    low = sg_add_layer(b, low, (sg_conv_shape){.channels = LOW}, "decoder.low", 1);
    const int32_t both[] = {x, low};
    return sg_add_concat(b, both, 2, "decoder.concat");
}

static sg_err build(const sg_model_options *options, bool plus, sg_graph **graph)
{
    sg_builder b = {0};
    sg_features features;
    plan p;
    sg_err err = make_plan(options, &p);
    if (err)
        return err;
    const sg_conv_shape decoder = {.channels = p.width, .kernel = 3};
    sg_resnet_add(&b, sg_builder_start(&b, options), p.layers, p.stride, &features);
    sg_resnet_add_aux(&b, &features, options, p.stride);
    int32_t x = add_pyramid(&b, features.level[5], &p);
    if (plus)
        x = join_low_level(&b, x, features.level[2], &p);
    for (int number = 1; number <= 1 + plus; number++)
        x = sg_add_layer(&b, x, decoder, "decoder", number);
    x = sg_add_classes(&b, x, options->classes, "head");
    sg_add_logit_upsampling(&b, x, plus ? LOW_STRIDE : p.stride, "upsample");
    return sg_builder_finish(&b, graph);
}

sg_err sg_deeplab3_build(const sg_model_options *options, sg_graph **graph)
{
    return build(options, false, graph);
}

sg_err sg_deeplab3plus_build(const sg_model_options *options, sg_graph **graph)
{
    return build(options, true, graph);
}
