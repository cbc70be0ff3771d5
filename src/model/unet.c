/*
 * Level 0 is full resolution; level l has width * 2^l channels. The names say where a node stands:
 *
 *     encoder0.conv1 .bn1 .relu1 .conv2 .bn2 .relu2, pool0, encoder1 ... encoder{depth},
 *     up{depth-1}, concat{depth-1}, decoder{depth-1}.conv1 ..., ... decoder0, dropout, head
 */
#include <stdio.h>
#include "model/networks.h"

enum { MOST_DEPTH = SG_MODEL_LEVELS, MOST_WIDTH = 1024, DEPTH = 4, WIDTH = 32 };

typedef struct {
    const sg_model_options *options;
    int32_t depth, width;
} plan;

/* A depthwise 3x3 convolution in front makes a 1x1 convolution a separable one. */
static int32_t add_layer(sg_builder *b, int32_t x, const plan *p, int32_t channels,
                         const char *stage, int number)
{
    int32_t inputs = sg_builder_channels(b, x);
    if (!p->options->separable || b->graph->nodes == 1) /* of few bands there is little to save */
        return sg_add_layer(b, x, (sg_conv_shape){.channels = channels, .kernel = 3}, stage,
                            number);
    x = sg_add_conv(b, x, (sg_conv_shape){.channels = inputs, .kernel = 3, .groups = inputs},
                    sg_name(b, "%s.depthwise%d", stage, number));
    return sg_add_layer(b, x, (sg_conv_shape){.channels = channels}, stage, number);
}

static int32_t add_stage(sg_builder *b, int32_t x, const plan *p, const char *kind, int level)
{
    char stage[SG_NAME_MAX / 2];
    snprintf(stage, sizeof stage, "%s%d", kind, level);
    x = add_layer(b, x, p, p->width << level, stage, 1);
    return add_layer(b, x, p, p->width << level, stage, 2);
}

/* Its own way down. */
static int32_t add_encoder(sg_builder *b, int32_t x, const plan *p, sg_features *skip)
{
    for (int level = 0; level < p->depth; level++) {
        x = add_stage(b, x, p, "encoder", level);
        skip->level[level] = x;
        x = sg_add_max_pool(b, x, 2, 2, 0, sg_name(b, "pool%d", level));
    }
    return add_stage(b, x, p, "encoder", p->depth);
}

/* Upsample, then put the skip behind it. */
static int32_t add_up(sg_builder *b, int32_t x, const plan *p, int level, int32_t skip)
{
    const char *name = sg_name(b, "up%d", level);
    x = p->options->up == SG_UP_BILINEAR ? sg_add_upsampling(b, x, 2, name)
                                         : sg_add_transposed(b, x, p->width << level, 2, 2, name);
    const int32_t both[] = {x, skip};
    return skip < 0 ? x : sg_add_concat(b, both, 2, sg_name(b, "concat%d", level));
}

static int32_t add_all(sg_builder *b, const plan *p, int32_t layers)
{
    sg_features skip;
    int32_t x = sg_builder_start(b, p->options->bands);
    if (layers > 0) {
        sg_resnet_add(b, x, layers, 1 << p->depth, &skip);
        x = skip.level[p->depth];
    } else {
        x = add_encoder(b, x, p, &skip);
    }
    for (int level = p->depth - 1; level >= 0; level--) {
        x = add_up(b, x, p, level, skip.level[level]);
        x = add_stage(b, x, p, "decoder", level);
    }
    x = sg_add_dropout(b, x, p->options->dropout, "dropout");
    return sg_add_classes(b, x, p->options->classes, "head");
}

static sg_err check(const plan *p, int32_t layers)
{
    if (layers == 0 && (p->depth < 1 || p->depth > MOST_DEPTH))
        return sg_fail(SG_EUSAGE, "a U-Net of depth %d, must be 1 .. %d", (int)p->depth,
                       MOST_DEPTH);
    if (p->width < 1 || p->width > MOST_WIDTH)
        return sg_fail(SG_EUSAGE, "a U-Net of width %d, must be 1 .. %d", (int)p->width,
                       MOST_WIDTH);
    return SG_OK;
}

sg_err sg_unet_build(const sg_model_options *options, sg_graph **graph)
{
    sg_builder b = {0};
    int32_t layers = 0;
    plan p = {options, options->depth ? options->depth : DEPTH,
              options->width ? options->width : WIDTH};
    sg_err err = options->encoder[0] ? sg_resnet_layers(options->encoder, &layers) : SG_OK;
    if (layers > 0)
        p.depth = SG_MODEL_LEVELS - 1;
    if (!err)
        err = check(&p, layers);
    if (err)
        return err;
    (void)add_all(&b, &p, layers);
    return sg_builder_finish(&b, graph);
}
