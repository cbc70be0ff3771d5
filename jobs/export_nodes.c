/*
 * One node for each of ours, or some. An activation that is part of a node becomes a node behind
 * it.
 */
#include "jobs/export_nodes.h"

#include <stdio.h>
#include <string.h>
#include "base/size.h"
#include "nn/torch.h"

enum { FLOATS_MOST = SG_EXPORT_FLOATS, WORD = SG_NAME_MAX + 32 };

/* ---- names ---- */

static const char *tensor_name(const sg_onnx_export *e, int32_t tensor)
{
    int32_t maker = e->graph->tensor[tensor].maker;
    if (maker == e->graph->nodes - 1)
        return e->last;
    return maker == 0 ? e->first : e->graph->node[maker].name;
}

/* What a node makes before its activation, and what feeds one of its helpers. */
static void inner_name(char name[WORD], const sg_node *node, const char *part)
{
    snprintf(name, WORD, "%s/%s", node->name, part);
}

/* ---- pieces of nodes ---- */

static void add_floats(sg_onnx_export *e, const char *name, size_t count, const float *value)
{
    const int64_t dim[] = {(int64_t)count};
    if (e->err == SG_OK)
        e->err = sg_grow(&e->constant, &e->capacity, e->constants + 1, sizeof *e->constant);
    if (e->err != SG_OK)
        return;
    sg_export_floats *f = &e->constant[e->constants];
    f->count = count;
    memcpy(f->value, value, count * sizeof *value);
    sg_onnx_add_floats(e->model, name, count > 1, dim,
                       (size_t)e->graph->param_count + e->constants++);
}

static void begin(sg_onnx_export *e, const char *op, const sg_node *node)
{
    sg_onnx_begin(e->model, op, node->name);
    sg_onnx_input(e->model, tensor_name(e, node->input[0]));
}

/* Parameters as inputs, each an array of its own. */
static void add_params(sg_onnx_export *e, const sg_node *node)
{
    for (int32_t i = 0; i < node->params; i++) {
        const sg_param_info *info = &e->graph->param[node->param[i]];
        int64_t dim[4];
        memcpy(dim, info->dim, sizeof dim);
        if (info->dims == 4)
            sg_torch_shape(sg_torch_is_transposed(e->graph, info), info->dim, dim);
        sg_onnx_input(e->model, info->name);
        sg_onnx_add_floats(e->model, info->name, info->dims, dim, (size_t)node->param[i]);
    }
}

static void end_act(sg_onnx_export *e, const sg_node *node, const char *op, const char *from,
                    const char *other)
{
    char name[WORD];
    inner_name(name, node, op);
    sg_onnx_begin(e->model, op, name);
    sg_onnx_input(e->model, from);
    if (other)
        sg_onnx_input(e->model, other);
}

static void add_silu(sg_onnx_export *e, const sg_node *node, const char *from)
{
    char gate[WORD];
    inner_name(gate, node, "gate");
    end_act(e, node, "Sigmoid", from, NULL);
    sg_onnx_output(e->model, gate);
    sg_onnx_end(e->model);
    end_act(e, node, "Mul", from, gate);
}

static void add_relu6(sg_onnx_export *e, const sg_node *node, const char *from)
{
    char low[WORD], high[WORD];
    inner_name(low, node, "0");
    inner_name(high, node, "6");
    add_floats(e, low, 1, (const float[]){0});
    add_floats(e, high, 1, (const float[]){6});
    end_act(e, node, "Clip", from, low);
    sg_onnx_input(e->model, high);
}

/* The activation of `from`, into the node's tensor. */
static void add_act(sg_onnx_export *e, const sg_node *node, const char *from)
{
    if (node->act == SG_ACT_SILU) {
        add_silu(e, node, from);
    } else if (node->act == SG_ACT_RELU6) {
        add_relu6(e, node, from);
    } else {
        end_act(e, node,
                node->act == SG_ACT_RELU    ? "Relu"
                : node->act == SG_ACT_LEAKY ? "LeakyRelu"
                                            : "Sigmoid",
                from, NULL);
        if (node->act == SG_ACT_LEAKY)
            sg_onnx_set_float(e->model, "alpha", .01f);
    }
    sg_onnx_output(e->model, tensor_name(e, node->output));
    sg_onnx_end(e->model);
}

/* The node's result, and its activation where it has one. */
static void end(sg_onnx_export *e, const sg_node *node)
{
    char linear[WORD];
    inner_name(linear, node, "linear");
    sg_onnx_output(e->model, node->act ? linear : tensor_name(e, node->output));
    sg_onnx_end(e->model);
    if (node->act)
        add_act(e, node, linear);
}

static void set_window(sg_onnx_export *e, const sg_window_attr *w)
{
    const int64_t kernel[] = {w->kernel_h, w->kernel_w}, stride[] = {w->stride_h, w->stride_w};
    const int64_t pads[] = {w->pad.top, w->pad.left, w->pad.bottom, w->pad.right};
    sg_onnx_set_ints(e->model, "kernel_shape", 2, kernel);
    sg_onnx_set_ints(e->model, "strides", 2, stride);
    sg_onnx_set_ints(e->model, "pads", 4, pads);
}

static void set_dilations(sg_onnx_export *e, const sg_window_attr *w)
{
    const int64_t dilation[] = {w->dilation_h, w->dilation_w};
    sg_onnx_set_ints(e->model, "dilations", 2, dilation);
}

/* ---- one function for each operator ---- */

static void add_nothing(sg_onnx_export *e, const sg_node *node) {}

static void add_conv(sg_onnx_export *e, const sg_node *node)
{
    begin(e, "Conv", node);
    add_params(e, node);
    set_window(e, &node->attr.window);
    set_dilations(e, &node->attr.window);
    sg_onnx_set_int(e->model, "group", node->attr.window.groups);
    end(e, node);
}

static void add_conv_transpose(sg_onnx_export *e, const sg_node *node)
{
    const int64_t pad[] = {node->attr.window.out_pad_h, node->attr.window.out_pad_w};
    begin(e, "ConvTranspose", node);
    add_params(e, node);
    set_window(e, &node->attr.window);
    sg_onnx_set_ints(e->model, "output_padding", 2, pad);
    end(e, node);
}

static void add_batch_norm(sg_onnx_export *e, const sg_node *node)
{
    begin(e, "BatchNormalization", node);
    add_params(e, node);
    sg_onnx_set_float(e->model, "epsilon", node->attr.norm.epsilon);
    end(e, node);
}

/* From the tensor `from`, into `to`. */
static void begin_step(sg_onnx_export *e, const char *op, const char *from, const char *to)
{
    sg_onnx_begin(e->model, op, to);
    sg_onnx_input(e->model, from);
    sg_onnx_output(e->model, to);
}

/* A parameter of so many channels as (channels, 1, 1). */
static void add_channel_param(sg_onnx_export *e, int32_t id)
{
    const sg_param_info *info = &e->graph->param[id];
    const int64_t dim[] = {(int64_t)info->count, 1, 1};
    sg_onnx_input(e->model, info->name);
    sg_onnx_add_floats(e->model, info->name, 3, dim, (size_t)id);
}

/* InstanceNormalization of x as (n, groups, the rest), with scale 1 and shift 0. */
static void add_normal_groups(sg_onnx_export *e, const sg_node *node, const char *normal)
{
    const sg_group_norm_attr *norm = &node->attr.group_norm;
    const int64_t shape[] = {0, norm->groups, -1}; /* 0: as it is; -1: the rest */
    float ones[FLOATS_MOST], zeros[FLOATS_MOST] = {0};
    char size[WORD], grouped[WORD], one[WORD], zero[WORD];
    inner_name(size, node, "groups");
    inner_name(grouped, node, "grouped");
    inner_name(one, node, "1");
    inner_name(zero, node, "0");
    for (int32_t g = 0; g < norm->groups; g++)
        ones[g] = 1;
    sg_onnx_add_ints(e->model, size, 3, shape);
    add_floats(e, one, (size_t)norm->groups, ones);
    add_floats(e, zero, (size_t)norm->groups, zeros);
    begin_step(e, "Reshape", tensor_name(e, node->input[0]), grouped);
    sg_onnx_input(e->model, size);
    sg_onnx_end(e->model);
    begin_step(e, "InstanceNormalization", grouped, normal);
    sg_onnx_input(e->model, one);
    sg_onnx_input(e->model, zero);
    sg_onnx_set_float(e->model, "epsilon", norm->epsilon);
    sg_onnx_end(e->model);
}

/* ONNX has a node for it from opset 21 on only. */
static void add_group_norm(sg_onnx_export *e, const sg_node *node)
{
    char normal[WORD], shape[WORD], whole[WORD], scaled[WORD];
    inner_name(normal, node, "normal");
    inner_name(shape, node, "shape");
    inner_name(whole, node, "whole");
    inner_name(scaled, node, "scaled");
    if (node->attr.group_norm.groups > FLOATS_MOST) {
        e->err = sg_fail(SG_EUNSUPPORTED, "%s: more than %d groups cannot be exported to ONNX",
                         node->name, FLOATS_MOST);
        return;
    }
    add_normal_groups(e, node, normal);
    begin_step(e, "Shape", tensor_name(e, node->input[0]), shape);
    sg_onnx_end(e->model);
    begin_step(e, "Reshape", normal, whole);
    sg_onnx_input(e->model, shape);
    sg_onnx_end(e->model);
    begin_step(e, "Mul", whole, scaled);
    add_channel_param(e, node->param[0]);
    sg_onnx_end(e->model);
    sg_onnx_begin(e->model, "Add", node->name);
    sg_onnx_input(e->model, scaled);
    add_channel_param(e, node->param[1]);
    end(e, node);
}

static void add_cut(sg_onnx_export *e, const sg_node *node, const char *to)
{
    const sg_pad *cut = &node->attr.crop.cut;
    const int64_t first[] = {cut->top, cut->left}, axes[] = {2, 3};
    const int64_t last[] = {cut->bottom > 0 ? -cut->bottom : INT64_MAX,
                            cut->right > 0 ? -cut->right : INT64_MAX};
    char starts[WORD], ends[WORD], along[WORD];
    inner_name(starts, node, "starts");
    inner_name(ends, node, "ends");
    inner_name(along, node, "axes");
    sg_onnx_add_ints(e->model, starts, 2, first);
    sg_onnx_add_ints(e->model, ends, 2, last);
    sg_onnx_add_ints(e->model, along, 2, axes);
    begin_step(e, "Slice", tensor_name(e, node->input[0]), to);
    sg_onnx_input(e->model, starts);
    sg_onnx_input(e->model, ends);
    sg_onnx_input(e->model, along);
    sg_onnx_end(e->model);
}

static void add_crop(sg_onnx_export *e, const sg_node *node)
{
    const sg_pad *pad = &node->attr.crop.pad;
    const int64_t sides[] = {0, 0, pad->top, pad->left, 0, 0, pad->bottom, pad->right};
    char cut[WORD], pads[WORD];
    inner_name(cut, node, "cut");
    inner_name(pads, node, "pads");
    add_cut(e, node, cut);
    sg_onnx_add_ints(e->model, pads, 8, sides);
    sg_onnx_begin(e->model, "Pad", node->name);
    sg_onnx_input(e->model, cut);
    sg_onnx_input(e->model, pads);
    end(e, node);
}

static void add_activation(sg_onnx_export *e, const sg_node *node)
{
    add_act(e, node, tensor_name(e, node->input[0]));
}

static void add_max_pool(sg_onnx_export *e, const sg_node *node)
{
    begin(e, "MaxPool", node);
    set_window(e, &node->attr.window);
    set_dilations(e, &node->attr.window);
    end(e, node);
}

static void add_avg_pool(sg_onnx_export *e, const sg_node *node)
{
    begin(e, "AveragePool", node);
    set_window(e, &node->attr.window);
    sg_onnx_set_int(e->model, "count_include_pad", !node->attr.window.exclude_pad);
    end(e, node);
}

static void add_global_pool(sg_onnx_export *e, const sg_node *node)
{
    begin(e, node->attr.global.kind == SG_POOL_MAX ? "GlobalMaxPool" : "GlobalAveragePool", node);
    end(e, node);
}

/* Lengths [first, first + 2) of a tensor's shape. */
static void add_lengths(sg_onnx_export *e, const sg_node *node, int32_t tensor, int64_t first,
                        const char *name)
{
    const int64_t last = first + 2;
    char shape[WORD + 8], from[WORD + 8], to[WORD + 8];
    snprintf(shape, sizeof shape, "%s/shape", name);
    snprintf(from, sizeof from, "%s/from", name);
    snprintf(to, sizeof to, "%s/to", name);
    sg_onnx_begin(e->model, "Shape", shape);
    sg_onnx_input(e->model, tensor_name(e, tensor));
    sg_onnx_output(e->model, shape);
    sg_onnx_end(e->model);
    sg_onnx_add_ints(e->model, from, 1, &first);
    sg_onnx_add_ints(e->model, to, 1, &last);
    sg_onnx_begin(e->model, "Slice", name);
    sg_onnx_input(e->model, shape);
    sg_onnx_input(e->model, from);
    sg_onnx_input(e->model, to);
    sg_onnx_output(e->model, name);
    sg_onnx_end(e->model);
}

/* Samples and channels of the first input, height and width of the second. */
static void add_size_of_second(sg_onnx_export *e, const sg_node *node, const char *size)
{
    char outer[WORD], inner[WORD];
    inner_name(outer, node, "channels");
    inner_name(inner, node, "pixels");
    add_lengths(e, node, node->input[0], 0, outer);
    add_lengths(e, node, node->input[1], 2, inner);
    sg_onnx_begin(e->model, "Concat", size);
    sg_onnx_input(e->model, outer);
    sg_onnx_input(e->model, inner);
    sg_onnx_output(e->model, size);
    sg_onnx_set_int(e->model, "axis", 0);
    sg_onnx_end(e->model);
}

static void add_resize(sg_onnx_export *e, const sg_node *node)
{
    const sg_resize_attr *r = &node->attr.resize;
    const float scale[] = {1, 1, (float)r->scale_h, (float)r->scale_w};
    bool by_scale = node->inputs == 1;
    char size[WORD];
    inner_name(size, node, by_scale ? "scales" : "size");
    if (by_scale)
        add_floats(e, size, 4, scale);
    else
        add_size_of_second(e, node, size);
    begin(e, "Resize", node);
    sg_onnx_input(e->model, "");
    sg_onnx_input(e->model, by_scale ? size : "");
    if (!by_scale)
        sg_onnx_input(e->model, size);
    sg_onnx_set_text(e->model, "mode", "linear");
    sg_onnx_set_text(e->model, "coordinate_transformation_mode",
                     r->align_corners ? "align_corners" : "half_pixel");
    end(e, node);
}

static void add_joined(sg_onnx_export *e, const sg_node *node, const char *op)
{
    begin(e, op, node);
    for (int32_t i = 1; i < node->inputs; i++)
        sg_onnx_input(e->model, tensor_name(e, node->input[i]));
}

static void add_concat(sg_onnx_export *e, const sg_node *node)
{
    add_joined(e, node, "Concat");
    sg_onnx_set_int(e->model, "axis", 1);
    end(e, node);
}

static void add_add(sg_onnx_export *e, const sg_node *node)
{
    add_joined(e, node, node->inputs == 2 ? "Add" : "Sum");
    end(e, node);
}

static void add_softmax(sg_onnx_export *e, const sg_node *node)
{
    begin(e, "Softmax", node);
    sg_onnx_set_int(e->model, "axis", 1);
    end(e, node);
}

static void add_identity(sg_onnx_export *e, const sg_node *node)
{
    begin(e, "Identity", node);
    end(e, node);
}

typedef void (*add_fn)(sg_onnx_export *, const sg_node *);

static const add_fn adders[SG_OP_COUNT] = {
    [SG_OP_input] = add_nothing,
    [SG_OP_conv] = add_conv,
    [SG_OP_conv_transpose] = add_conv_transpose,
    [SG_OP_batch_norm] = add_batch_norm,
    [SG_OP_activation] = add_activation,
    [SG_OP_max_pool] = add_max_pool,
    [SG_OP_avg_pool] = add_avg_pool,
    [SG_OP_global_pool] = add_global_pool,
    [SG_OP_resize] = add_resize,
    [SG_OP_concat] = add_concat,
    [SG_OP_add] = add_add,
    [SG_OP_dropout] = add_identity,
    [SG_OP_softmax] = add_softmax,
    [SG_OP_group_norm] = add_group_norm,
    [SG_OP_crop] = add_crop,
};

sg_err sg_export_add_nodes(sg_onnx_export *e)
{
    for (int32_t n = 0; n < e->graph->nodes; n++) {
        const sg_node *node = &e->graph->node[n];
        if (!adders[node->op])
            return sg_fail(SG_EUNSUPPORTED, "%s: an operator '%s' cannot be exported to ONNX",
                           node->name, sg_op_name(node->op));
        adders[node->op](e, node);
    }
    return e->err;
}
