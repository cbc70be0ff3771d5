/*
 * U-Net (Ronneberger, Fischer and Brox 2015), padded, with batch norm. Level 0 is full resolution;
 * level l has width * 2^l channels. The names say where a node stands:
 *
 *     encoder0.conv1 .bn1 .relu1 .conv2 .bn2 .relu2, pool0, encoder1 ... encoder{depth},
 *     up{depth-1}, concat{depth-1}, decoder{depth-1}.conv1 ..., ... decoder0, dropout, head
 */
#include <stdio.h>
#include "model/model.h"

enum { MOST_DEPTH = 6, MOST_WIDTH = 1024 };

static const sg_norm_attr norm_attr = {.epsilon = 1e-5f, .momentum = .1f};

/* "STAGE.PART1" */
static void name_part(char name[SG_NAME_MAX], const char *stage, const char *part, int number)
{
    snprintf(name, SG_NAME_MAX, "%s.%s%d", stage, part, number);
}

/* 3x3 convolution + batch norm + ReLU; *tensor is its input and then its output. */
static sg_err add_layer(sg_graph *graph, const char *stage, int number, int32_t channels,
                        int32_t *tensor)
{
    char name[SG_NAME_MAX];
    sg_attr norm = {.norm = norm_attr};
    name_part(name, stage, "conv", number);
    sg_err err = sg_graph_conv(graph, name, *tensor, channels, 3, 1, 1, 0, tensor);
    name_part(name, stage, "bn", number);
    if (!err)
        err = sg_graph_add(graph, SG_OP_batch_norm, name, &norm, tensor, 1, tensor);
    name_part(name, stage, "relu", number);
    if (!err)
        err = sg_graph_activation(graph, name, *tensor, SG_ACT_RELU, tensor);
    return err;
}

static sg_err add_stage(sg_graph *graph, const char *kind, int level, int32_t channels,
                        int32_t *tensor)
{
    char stage[SG_NAME_MAX / 2];
    snprintf(stage, sizeof stage, "%s%d", kind, level);
    sg_err err = add_layer(graph, stage, 1, channels, tensor);
    return err ? err : add_layer(graph, stage, 2, channels, tensor);
}

static sg_window_attr window2(int32_t out_channels, int32_t bias)
{
    return (sg_window_attr){.kernel_h = 2,
                            .kernel_w = 2,
                            .stride_h = 2,
                            .stride_w = 2,
                            .dilation_h = 1,
                            .dilation_w = 1,
                            .groups = 1,
                            .out_channels = out_channels,
                            .bias = bias};
}

static sg_err add_pool(sg_graph *graph, int level, int32_t *tensor)
{
    char name[SG_NAME_MAX];
    snprintf(name, sizeof name, "pool%d", level);
    sg_attr attr = {.window = window2(0, 0)};
    return sg_graph_add(graph, SG_OP_max_pool, name, &attr, tensor, 1, tensor);
}

/* Upsample, then put the skip behind it. */
static sg_err add_up(sg_graph *graph, int level, int32_t channels, int32_t skip, int32_t *tensor)
{
    char name[SG_NAME_MAX];
    snprintf(name, sizeof name, "up%d", level);
    sg_attr attr = {.window = window2(channels, 1)};
    sg_err err = sg_graph_add(graph, SG_OP_conv_transpose, name, &attr, tensor, 1, tensor);
    snprintf(name, sizeof name, "concat%d", level);
    int32_t both[] = {*tensor, skip};
    return err ? err : sg_graph_add(graph, SG_OP_concat, name, NULL, both, 2, tensor);
}

static sg_err add_head(sg_graph *graph, const sg_model_options *options, int32_t *tensor)
{
    sg_err err = SG_OK;
    if (options->dropout > 0) {
        sg_attr attr = {.dropout = {options->dropout}};
        err = sg_graph_add(graph, SG_OP_dropout, "dropout", &attr, tensor, 1, tensor);
    }
    if (!err)
        err = sg_graph_conv(graph, "head", *tensor, options->classes, 1, 1, 0, 1, tensor);
    if (!err)
        graph->node[graph->nodes - 1].out_f32 = 1;
    return err;
}

static sg_err add_all(sg_graph *graph, const sg_model_options *options)
{
    int32_t tensor, skip[MOST_DEPTH];
    sg_err err = sg_graph_input(graph, options->bands, &tensor);
    for (int level = 0; !err && level < options->depth; level++) {
        err = add_stage(graph, "encoder", level, options->width << level, &tensor);
        skip[level] = tensor;
        if (!err)
            err = add_pool(graph, level, &tensor);
    }
    if (!err)
        err =
            add_stage(graph, "encoder", options->depth, options->width << options->depth, &tensor);
    for (int level = options->depth - 1; !err && level >= 0; level--) {
        int32_t channels = options->width << level;
        err = add_up(graph, level, channels, skip[level], &tensor);
        if (!err)
            err = add_stage(graph, "decoder", level, channels, &tensor);
    }
    if (!err)
        err = add_head(graph, options, &tensor);
    return err ? err : sg_graph_freeze(graph);
}

sg_err sg_unet_build(const sg_model_options *options, sg_graph **graph)
{
    *graph = NULL;
    if (options->depth < 1 || options->depth > MOST_DEPTH)
        return sg_fail(SG_EUSAGE, "a U-Net of depth %d, must be 1 .. %d", (int)options->depth,
                       MOST_DEPTH);
    if (options->width < 1 || options->width > MOST_WIDTH)
        return sg_fail(SG_EUSAGE, "a U-Net of width %d, must be 1 .. %d", (int)options->width,
                       MOST_WIDTH);
    sg_graph *made = NULL;
    sg_err err = sg_graph_create(&made);
    if (!err)
        err = add_all(made, options);
    if (err)
        sg_graph_close(made);
    else
        *graph = made;
    return err;
}
