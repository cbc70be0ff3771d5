#include "model/builder.h"

#include <stdarg.h>
#include <stdio.h>

static const sg_norm_attr norm_attr = {.epsilon = 1e-5f, .momentum = .1f};

enum { GROUPS = 32 /* as published */ };

int32_t sg_builder_start(sg_builder *b, const sg_model_options *options)
{
    int32_t x = 0, groups = options->groups ? options->groups : GROUPS;
    b->groups = options->norm == SG_NORM_GROUP ? groups : 0;
    b->graph = NULL;
    b->err = sg_graph_create(&b->graph);
    if (!b->err)
        b->err = sg_graph_input(b->graph, options->bands, &x);
    return x;
}

sg_err sg_builder_finish(sg_builder *b, sg_graph **graph)
{
    *graph = NULL;
    if (!b->err)
        b->err = sg_graph_freeze(b->graph);
    if (b->err)
        sg_graph_close(b->graph);
    else
        *graph = b->graph;
    b->graph = NULL;
    return b->err;
}

int32_t sg_builder_channels(const sg_builder *b, int32_t x)
{
    return b->err ? 1 : b->graph->tensor[x].channels;
}

bool sg_builder_is_input(const sg_builder *b, int32_t x)
{
    if (b->err)
        return false;
    const sg_node *maker = &b->graph->node[b->graph->tensor[x].maker];
    return maker->op == SG_OP_input ||
           (maker->op == SG_OP_crop && sg_builder_is_input(b, maker->input[0]));
}

const char *sg_name(sg_builder *b, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(b->name, sizeof b->name, format, arguments) >= (int)sizeof b->name && !b->err)
        b->err = sg_fail(SG_EUSAGE, "the name of a layer is too long: %s...", b->name);
    va_end(arguments);
    return b->name;
}

static int32_t add(sg_builder *b, sg_op op, const sg_attr *attr, const int32_t *inputs,
                   int32_t count, const char *name)
{
    int32_t out = 0;
    if (!b->err)
        b->err = sg_graph_add(b->graph, op, name, attr, inputs, count, &out);
    return out;
}

static int32_t or_one(int32_t value)
{
    return value > 0 ? value : 1;
}

static sg_window_attr window(int32_t size, int32_t stride, int32_t pad)
{
    return (sg_window_attr){.kernel_h = size,
                            .kernel_w = size,
                            .stride_h = stride,
                            .stride_w = stride,
                            .dilation_h = 1,
                            .dilation_w = 1,
                            .pad = {pad, pad, pad, pad},
                            .groups = 1};
}

int32_t sg_add_conv(sg_builder *b, int32_t x, sg_conv_shape shape, const char *name)
{
    int32_t kernel = or_one(shape.kernel), dilation = or_one(shape.dilation);
    int32_t pad = shape.valid ? 0 : (kernel - 1) / 2 * dilation;
    sg_attr attr = {.window = window(kernel, or_one(shape.stride), pad)};
    attr.window.dilation_h = attr.window.dilation_w = dilation;
    attr.window.groups = or_one(shape.groups);
    attr.window.out_channels = shape.channels;
    attr.window.bias = shape.bias;
    return add(b, SG_OP_conv, &attr, &x, 1, name);
}

int32_t sg_add_norm(sg_builder *b, int32_t x, const char *name)
{
    sg_attr attr = {.norm = norm_attr};
    int32_t channels = sg_builder_channels(b, x), groups = b->groups;
    if (groups == 0)
        return add(b, SG_OP_batch_norm, &attr, &x, 1, name);
    while (channels % groups != 0)
        groups--;
    attr = (sg_attr){.group_norm = {norm_attr.epsilon, groups}};
    return add(b, SG_OP_group_norm, &attr, &x, 1, name);
}

int32_t sg_add_relu(sg_builder *b, int32_t x, const char *name)
{
    int32_t out = 0;
    if (!b->err)
        b->err = sg_graph_activation(b->graph, name, x, SG_ACT_RELU, &out);
    return out;
}

int32_t sg_add_max_pool(sg_builder *b, int32_t x, int32_t size, int32_t stride, int32_t pad,
                        const char *name)
{
    const sg_attr attr = {.window = window(size, stride, pad)};
    return add(b, SG_OP_max_pool, &attr, &x, 1, name);
}

int32_t sg_add_mean_pool(sg_builder *b, int32_t x, int32_t size, int32_t stride, int32_t pad,
                         const char *name)
{
    sg_attr attr = {.window = window(size, stride, pad)};
    attr.window.exclude_pad = 1;
    return add(b, SG_OP_avg_pool, &attr, &x, 1, name);
}

int32_t sg_add_global_mean(sg_builder *b, int32_t x, const char *name)
{
    const sg_attr attr = {.global = {SG_POOL_MEAN}};
    return add(b, SG_OP_global_pool, &attr, &x, 1, name);
}

int32_t sg_add_transposed(sg_builder *b, int32_t x, int32_t channels, int32_t kernel,
                          int32_t stride, const char *name)
{
    sg_attr attr = {.window = window(kernel, stride, (kernel - stride) / 2)};
    attr.window.out_channels = channels;
    attr.window.bias = 1;
    return add(b, SG_OP_conv_transpose, &attr, &x, 1, name);
}

int32_t sg_add_upsampling(sg_builder *b, int32_t x, int32_t factor, const char *name)
{
    const sg_attr attr = {.resize = {.scale_h = factor, .scale_w = factor}};
    return add(b, SG_OP_resize, &attr, &x, 1, name);
}

int32_t sg_add_resize_like(sg_builder *b, int32_t x, int32_t like, const char *name)
{
    const sg_attr attr = {.resize = {.scale_h = 0, .scale_w = 0}};
    const int32_t both[] = {x, like};
    return add(b, SG_OP_resize, &attr, both, 2, name);
}

int32_t sg_add_concat(sg_builder *b, const int32_t *x, int32_t count, const char *name)
{
    return add(b, SG_OP_concat, NULL, x, count, name);
}

int32_t sg_add_sum(sg_builder *b, int32_t x, int32_t y, const char *name)
{
    const int32_t both[] = {x, y};
    return add(b, SG_OP_add, NULL, both, 2, name);
}

int32_t sg_add_dropout(sg_builder *b, int32_t x, float rate, const char *name)
{
    const sg_attr attr = {.dropout = {rate}};
    return rate == 0 ? x : add(b, SG_OP_dropout, &attr, &x, 1, name);
}

/* What the last node makes are logits. */
static void make_f32(sg_builder *b)
{
    if (!b->err)
        b->graph->node[b->graph->nodes - 1].out_f32 = 1;
}

int32_t sg_add_classes(sg_builder *b, int32_t x, int32_t classes, const char *name)
{
    int32_t out = sg_add_conv(b, x, (sg_conv_shape){.channels = classes, .bias = true}, name);
    make_f32(b);
    return out;
}

int32_t sg_add_logit_upsampling(sg_builder *b, int32_t x, int32_t factor, const char *name)
{
    int32_t out = sg_add_upsampling(b, x, factor, name);
    make_f32(b);
    return out;
}

int32_t sg_add_crop(sg_builder *b, int32_t x, sg_pad cut, const char *name)
{
    const sg_attr attr = {.crop = {.cut = cut}};
    return add(b, SG_OP_crop, &attr, &x, 1, name);
}

int32_t sg_add_logit_padding(sg_builder *b, int32_t x, sg_pad cut, sg_pad pad, const char *name)
{
    const sg_attr attr = {.crop = {cut, pad}};
    int32_t out = add(b, SG_OP_crop, &attr, &x, 1, name);
    make_f32(b);
    return out;
}

void sg_mark_aux(sg_builder *b)
{
    if (!b->err)
        b->graph->node[b->graph->nodes - 1].aux = 1;
}

int32_t sg_add_layer(sg_builder *b, int32_t x, sg_conv_shape shape, const char *stage, int number)
{
    x = sg_add_conv(b, x, shape, sg_name(b, "%s.conv%d", stage, number));
    x = sg_add_norm(b, x, sg_name(b, "%s.bn%d", stage, number));
    return sg_add_relu(b, x, sg_name(b, "%s.relu%d", stage, number));
}
