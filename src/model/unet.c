/*
 * Level 0 is full resolution; level l has width * 2^l channels. The names say where a node stands:
 *
 *     encoder0.conv1 .bn1 .relu1 .conv2 .bn2 .relu2, pool0, encoder1 ... encoder{depth},
 *     up{depth-1}, concat{depth-1}, decoder{depth-1}.conv1 ..., ... decoder0, dropout, head
 *
 * and with auxiliary heads aux{l}.head, aux{l}.upsample of level l; in a valid U-Net align, crop{l}
 * of the skips, frame, aux{l}.frame.
 *
 * Sizes of a valid U-Net. A convolution takes one pixel off each side, a level's two 2 * 2^l pixels
 * of the input: all of them 6 * 2^depth - 4, the margin. Pooling wants even sizes, which all are
 * where the input has 4 pixels less than a multiple of 2^depth. So that tiles are such multiples,
 * as those of other networks are, the first 4 rows and columns are cut off: then the margin at the
 * top, with them, is a multiple of 2^depth, and pixels keep their place in the cells of the pools.
 */
#include <stdio.h>
#include "model/networks.h"

enum { MOST_DEPTH = SG_MODEL_LEVELS, MOST_WIDTH = 1024, DEPTH = 4, WIDTH = 32 };

typedef struct {
    const sg_model_options *options;
    int32_t depth, width;
    int32_t cut, margin; /* of a valid U-Net, see above */
} plan;

static sg_pad all_sides(int32_t pixels)
{
    return (sg_pad){pixels, pixels, pixels, pixels};
}

/* A depthwise 3x3 convolution in front makes a 1x1 convolution a separable one. */
static int32_t add_layer(sg_builder *b, int32_t x, const plan *p, int32_t channels,
                         const char *stage, int number)
{
    int32_t inputs = sg_builder_channels(b, x);
    sg_conv_shape shape = {.channels = channels, .kernel = 3, .valid = p->options->valid};
    if (!p->options->separable ||
        sg_builder_is_input(b, x)) /* of few bands there is little to save */
        return sg_add_layer(b, x, shape, stage, number);
    shape.channels = shape.groups = inputs;
    x = sg_add_conv(b, x, shape, sg_name(b, "%s.depthwise%d", stage, number));
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

/* What is left of a level on the way up begins so many of its pixels inside the way down. */
static int32_t add_skip_crop(sg_builder *b, const plan *p, int level, int32_t skip)
{
    int32_t pixels = (6 << (p->depth - level)) - 8;
    return sg_add_crop(b, skip, all_sides(pixels), sg_name(b, "crop%d", level));
}

/* Upsample, then put the skip behind it. */
static int32_t add_up(sg_builder *b, int32_t x, const plan *p, int level, int32_t skip)
{
    const char *name = sg_name(b, "up%d", level);
    x = p->options->up == SG_UP_BILINEAR ? sg_add_upsampling(b, x, 2, name)
                                         : sg_add_transposed(b, x, p->width << level, 2, 2, name);
    if (skip >= 0 && p->options->valid)
        skip = add_skip_crop(b, p, level, skip);
    const int32_t both[] = {x, skip};
    return skip < 0 ? x : sg_add_concat(b, both, 2, sg_name(b, "concat%d", level));
}

/* Put logits, of which `beside` pixels on each side lie beside the output, where they belong in the
 * input. */
static int32_t add_frame(sg_builder *b, const plan *p, int32_t x, int32_t beside, const char *name)
{
    int32_t first = p->margin + p->cut, last = p->margin;
    return sg_add_logit_padding(b, x, all_sides(beside), (sg_pad){first, last, first, last}, name);
}

/* Level l ends 2 pixels of level 0 inside of level 1, 2 of level 1 inside of level 2 ... */
static void add_side_output(sg_builder *b, const plan *p, int level, int32_t x)
{
    x = sg_add_classes(b, x, p->options->classes, sg_name(b, "aux%d.head", level));
    x = sg_add_logit_upsampling(b, x, 1 << level, sg_name(b, "aux%d.upsample", level));
    if (p->options->valid)
        (void)add_frame(b, p, x, (2 << level) - 2, sg_name(b, "aux%d.frame", level));
    sg_mark_aux(b);
}

static int32_t add_all(sg_builder *b, const plan *p, int32_t layers)
{
    sg_features skip;
    int32_t x = sg_builder_start(b, p->options);
    if (p->cut > 0)
        x = sg_add_crop(b, x, (sg_pad){.top = p->cut, .left = p->cut}, "align");
    if (layers > 0) {
        sg_resnet_add(b, x, layers, 1 << p->depth, &skip);
        x = skip.level[p->depth];
    } else {
        x = add_encoder(b, x, p, &skip);
    }
    for (int level = p->depth - 1; level >= 0; level--) {
        x = add_up(b, x, p, level, skip.level[level]);
        x = add_stage(b, x, p, "decoder", level);
        if (p->options->aux && level > 0)
            add_side_output(b, p, level, x);
    }
    x = sg_add_dropout(b, x, p->options->dropout, "dropout");
    x = sg_add_classes(b, x, p->options->classes, "head");
    return p->options->valid ? add_frame(b, p, x, 0, "frame") : x;
}

static sg_err check(const plan *p, int32_t layers)
{
    if (layers == 0 && (p->depth < 1 || p->depth > MOST_DEPTH))
        return sg_fail(SG_EUSAGE, "a U-Net of depth %d, must be 1 .. %d", (int)p->depth,
                       MOST_DEPTH);
    if (p->width < 1 || p->width > MOST_WIDTH)
        return sg_fail(SG_EUSAGE, "a U-Net of width %d, must be 1 .. %d", (int)p->width,
                       MOST_WIDTH);
    if (p->options->valid && layers > 0)
        return sg_fail(SG_EUSAGE,
                       "convolutions without padding go with U-Net's own encoder, not with %s",
                       p->options->encoder);
    if (p->options->aux && p->depth < 2)
        return sg_fail(SG_EUSAGE, "a U-Net of depth 1 has no level for an auxiliary head");
    return SG_OK;
}

sg_err sg_unet_build(const sg_model_options *options, sg_graph **graph)
{
    sg_builder b = {0};
    int32_t layers = 0;
    plan p = {.options = options,
              .depth = options->depth ? options->depth : DEPTH,
              .width = options->width ? options->width : WIDTH};
    sg_err err = options->encoder[0] ? sg_resnet_layers(options->encoder, &layers) : SG_OK;
    if (layers > 0)
        p.depth = SG_MODEL_LEVELS - 1;
    if (!err)
        err = check(&p, layers);
    if (err)
        return err;
    if (options->valid) {
        p.cut = 4 % (1 << p.depth);
        p.margin = (6 << p.depth) - 4;
    }
    (void)add_all(&b, &p, layers);
    return sg_builder_finish(&b, graph);
}
