/*
 * A network as an ONNX graph: one node for each of ours, NCHW, weights in PyTorch's layouts, which
 * are ONNX's. An activation that is part of a node becomes a node behind it. Constants are
 * numbered: first the parameters, then small lists of floats that nodes want.
 */
#include "jobs/export.h"
#include "base/log.h"
#include "base/size.h"
#include "nn/fuse.h"
#include "nn/torch.h"

#include <stdio.h>
#include <string.h>

enum { FLOATS_MOST = SG_BANDS_MAX, WORD = SG_NAME_MAX + 32 };

typedef struct {
    size_t count;
    float value[FLOATS_MOST];
} floats;

typedef struct {
    const sg_checkpoint *checkpoint;
    const sg_export_options *options;
    sg_graph *graph; /* folded */
    sg_params *params;
    sg_onnx *model;
    floats *constant;
    size_t constants, capacity;
    const char *first, *last; /* names of the network's first tensor and of its result */
    sg_err err;
} export;

/* ---- names ---- */

static const char *tensor_name(const export *e, int32_t tensor)
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

static void add_floats(export *e, const char *name, size_t count, const float *value)
{
    const int64_t dim[] = {(int64_t)count};
    if (e->err == SG_OK)
        e->err = sg_grow(&e->constant, &e->capacity, e->constants + 1, sizeof *e->constant);
    if (e->err != SG_OK)
        return;
    floats *f = &e->constant[e->constants];
    f->count = count;
    memcpy(f->value, value, count * sizeof *value);
    sg_onnx_add_floats(e->model, name, count > 1, dim,
                       (size_t)e->graph->param_count + e->constants++);
}

static void begin(export *e, const char *op, const sg_node *node)
{
    sg_onnx_begin(e->model, op, node->name);
    sg_onnx_input(e->model, tensor_name(e, node->input[0]));
}

/* Parameters as inputs, each an array of its own. */
static void add_params(export *e, const sg_node *node)
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

static void end_act(export *e, const sg_node *node, const char *op, const char *from,
                    const char *other)
{
    char name[WORD];
    inner_name(name, node, op);
    sg_onnx_begin(e->model, op, name);
    sg_onnx_input(e->model, from);
    if (other)
        sg_onnx_input(e->model, other);
}

static void add_silu(export *e, const sg_node *node, const char *from)
{
    char gate[WORD];
    inner_name(gate, node, "gate");
    end_act(e, node, "Sigmoid", from, NULL);
    sg_onnx_output(e->model, gate);
    sg_onnx_end(e->model);
    end_act(e, node, "Mul", from, gate);
}

static void add_relu6(export *e, const sg_node *node, const char *from)
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
static void add_act(export *e, const sg_node *node, const char *from)
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
static void end(export *e, const sg_node *node)
{
    char linear[WORD];
    inner_name(linear, node, "linear");
    sg_onnx_output(e->model, node->act ? linear : tensor_name(e, node->output));
    sg_onnx_end(e->model);
    if (node->act)
        add_act(e, node, linear);
}

static void set_window(export *e, const sg_window_attr *w)
{
    const int64_t kernel[] = {w->kernel_h, w->kernel_w}, stride[] = {w->stride_h, w->stride_w};
    const int64_t pads[] = {w->pad.top, w->pad.left, w->pad.bottom, w->pad.right};
    sg_onnx_set_ints(e->model, "kernel_shape", 2, kernel);
    sg_onnx_set_ints(e->model, "strides", 2, stride);
    sg_onnx_set_ints(e->model, "pads", 4, pads);
}

static void set_dilations(export *e, const sg_window_attr *w)
{
    const int64_t dilation[] = {w->dilation_h, w->dilation_w};
    sg_onnx_set_ints(e->model, "dilations", 2, dilation);
}

/* ---- one function for each operator ---- */

static void add_nothing(export *e, const sg_node *node) {}

static void add_conv(export *e, const sg_node *node)
{
    begin(e, "Conv", node);
    add_params(e, node);
    set_window(e, &node->attr.window);
    set_dilations(e, &node->attr.window);
    sg_onnx_set_int(e->model, "group", node->attr.window.groups);
    end(e, node);
}

static void add_conv_transpose(export *e, const sg_node *node)
{
    const int64_t pad[] = {node->attr.window.out_pad_h, node->attr.window.out_pad_w};
    begin(e, "ConvTranspose", node);
    add_params(e, node);
    set_window(e, &node->attr.window);
    sg_onnx_set_ints(e->model, "output_padding", 2, pad);
    end(e, node);
}

static void add_batch_norm(export *e, const sg_node *node)
{
    begin(e, "BatchNormalization", node);
    add_params(e, node);
    sg_onnx_set_float(e->model, "epsilon", node->attr.norm.epsilon);
    end(e, node);
}

static void add_activation(export *e, const sg_node *node)
{
    add_act(e, node, tensor_name(e, node->input[0]));
}

static void add_max_pool(export *e, const sg_node *node)
{
    begin(e, "MaxPool", node);
    set_window(e, &node->attr.window);
    set_dilations(e, &node->attr.window);
    end(e, node);
}

static void add_avg_pool(export *e, const sg_node *node)
{
    begin(e, "AveragePool", node);
    set_window(e, &node->attr.window);
    sg_onnx_set_int(e->model, "count_include_pad", !node->attr.window.exclude_pad);
    end(e, node);
}

static void add_global_pool(export *e, const sg_node *node)
{
    begin(e, node->attr.global.kind == SG_POOL_MAX ? "GlobalMaxPool" : "GlobalAveragePool", node);
    end(e, node);
}

/* Lengths [first, first + 2) of a tensor's shape. */
static void add_lengths(export *e, const sg_node *node, int32_t tensor, int64_t first,
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
static void add_size_of_second(export *e, const sg_node *node, const char *size)
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

static void add_resize(export *e, const sg_node *node)
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

static void add_joined(export *e, const sg_node *node, const char *op)
{
    begin(e, op, node);
    for (int32_t i = 1; i < node->inputs; i++)
        sg_onnx_input(e->model, tensor_name(e, node->input[i]));
}

static void add_concat(export *e, const sg_node *node)
{
    add_joined(e, node, "Concat");
    sg_onnx_set_int(e->model, "axis", 1);
    end(e, node);
}

static void add_add(export *e, const sg_node *node)
{
    add_joined(e, node, node->inputs == 2 ? "Add" : "Sum");
    end(e, node);
}

static void add_softmax(export *e, const sg_node *node)
{
    begin(e, "Softmax", node);
    sg_onnx_set_int(e->model, "axis", 1);
    end(e, node);
}

static void add_identity(export *e, const sg_node *node)
{
    begin(e, "Identity", node);
    end(e, node);
}

typedef void (*add_fn)(export *, const sg_node *);

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
};

/* ---- the whole ---- */

static sg_err add_nodes(export *e)
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

/* Pixels as scenes hold them become what the network was trained on. */
static void add_normalisation(export *e)
{
    static const char *const op[] = {"Sub", "Div"}, *const from[] = {"pixels", "normalize/Sub"},
                             *const to[] = {"normalize/Sub", "normalized"},
                             *const constant[] = {"normalize/mean", "normalize/std"};
    const sg_spec *spec = &e->checkpoint->spec;
    const int64_t dim[] = {1, spec->bands, 1, 1};
    for (int i = 0; i < 2; i++) {
        sg_onnx_add_floats(e->model, constant[i], 4, dim,
                           (size_t)e->graph->param_count + e->constants);
        e->err = e->err
                     ? e->err
                     : sg_grow(&e->constant, &e->capacity, e->constants + 1, sizeof *e->constant);
        if (e->err != SG_OK)
            return;
        floats *f = &e->constant[e->constants++];
        f->count = (size_t)spec->bands;
        for (int32_t b = 0; b < spec->bands; b++)
            f->value[b] = (float)(i == 0 ? spec->mean[b] : spec->std[b]);
        sg_onnx_begin(e->model, op[i], to[i]);
        sg_onnx_input(e->model, from[i]);
        sg_onnx_input(e->model, constant[i]);
        sg_onnx_output(e->model, to[i]);
        sg_onnx_end(e->model);
    }
}

static void add_probabilities(export *e)
{
    sg_onnx_begin(e->model, "Softmax", "probabilities");
    sg_onnx_input(e->model, "logits");
    sg_onnx_output(e->model, "probabilities");
    sg_onnx_set_int(e->model, "axis", 1);
    sg_onnx_end(e->model);
}

/* Input and output; with a tile of given size the network is asked whether it takes it. */
static sg_err add_ends(export *e)
{
    static const char *const in_text[] = {"batch", "", "height", "width"};
    static const char *const out_text[] = {"batch", "", "output_height", "output_width"};
    int64_t bands = sg_graph_input_channels(e->graph), tile = e->options->tile;
    int64_t in[] = {0, bands, tile, tile}, out[] = {0, sg_graph_output_channels(e->graph), 0, 0};
    if (tile > 0) {
        sg_plan *plan = NULL;
        sg_err err = sg_plan_create(e->graph, (sg_shape){1, tile, tile, bands}, SG_F32,
                                    SG_PLAN_INFERENCE, &plan);
        if (err != SG_OK)
            return err;
        const sg_shape shape = plan->tensor[e->graph->node[e->graph->nodes - 1].output].shape;
        out[2] = shape.h;
        out[3] = shape.w;
        sg_plan_close(plan);
    }
    sg_onnx_add_value(e->model, false, e->options->raw ? "pixels" : e->first, in, in_text);
    sg_onnx_add_value(e->model, true, e->options->logits ? "logits" : "probabilities", out,
                      out_text);
    return SG_OK;
}

static sg_err fill(void *user, size_t number, float *values)
{
    const export *e = user;
    if (number >= (size_t)e->graph->param_count) {
        const floats *f = &e->constant[number - (size_t)e->graph->param_count];
        memcpy(values, f->value, f->count * sizeof *values);
        return SG_OK;
    }
    const sg_param_info *info = &e->graph->param[number];
    const float *ours = sg_params_values(e->params, (int32_t)number);
    if (info->dims == 4)
        sg_torch_to(sg_torch_is_transposed(e->graph, info), info->dim, ours, values);
    else
        memcpy(values, ours, info->count * sizeof *values);
    return SG_OK;
}

static sg_err check_raw(const export *e)
{
    const sg_spec *spec = &e->checkpoint->spec;
    if (!e->options->raw || spec->normalize == SG_NORMALIZE_DATASET)
        return SG_OK;
    return sg_fail(SG_EUSAGE, "--raw: this network was trained with normalize: %s, %s",
                   spec->normalize == SG_NORMALIZE_SCENE ? "scene" : "none",
                   spec->normalize == SG_NORMALIZE_SCENE
                       ? "which takes the statistics of each scene; normalise scenes before it"
                       : "which takes pixels as they are; leave --raw out");
}

static sg_err build(export *e)
{
    sg_network_reach reach;
    sg_err err = check_raw(e);
    if (err == SG_OK)
        err = sg_graph_fold(e->checkpoint->graph, e->checkpoint->params, &e->graph, &e->params);
    if (err == SG_OK)
        err = sg_onnx_create(&e->model, "segtiles");
    if (err == SG_OK)
        err = sg_graph_reach(e->graph, &reach);
    if (err == SG_OK && e->options->tile % reach.stride != 0)
        err = sg_fail(SG_EUSAGE, "--tile %lld: this network takes multiples of %lld",
                      (long long)e->options->tile, (long long)reach.stride);
    if (err != SG_OK)
        return err;
    if (e->options->raw)
        add_normalisation(e);
    err = add_nodes(e);
    if (err == SG_OK && !e->options->logits)
        add_probabilities(e);
    if (err == SG_OK)
        err = add_ends(e);
    return err == SG_OK ? sg_export_metadata(e->model, e->checkpoint, &reach, e->options) : err;
}

sg_err sg_export_onnx(const sg_checkpoint *checkpoint, const sg_export_options *options)
{
    export e = {.checkpoint = checkpoint,
                .options = options,
                .first = options->raw ? "normalized" : "input",
                .last = "logits"};
    sg_err err = build(&e);
    if (err == SG_OK)
        err = sg_onnx_save(e.model, options->onnx, fill, &e);
    if (err == SG_OK && options->tile > 0)
        sg_info("%s: takes tiles of %lld x %lld pixels", options->onnx, (long long)options->tile,
                (long long)options->tile);
    else if (err == SG_OK)
        sg_info("%s: takes tiles of any size that the network does; for Deepness add --tile 512",
                options->onnx);
    sg_onnx_close(e.model);
    sg_free(e.constant);
    sg_params_close(e.params);
    sg_graph_close(e.graph);
    return err;
}
