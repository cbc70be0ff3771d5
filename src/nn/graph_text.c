/*
 * The text form of a graph:
 *
 *     segtiles-graph 1
 *     input input out_channels=4
 *     conv encoder0.conv1 inputs=0 kernel_h=3 kernel_w=3 ... act=relu
 *     ...
 *     end 58
 *
 * One node a line: operator, name, then KEY=VALUE in any order, single spaces between; what is 0 or
 * none is left out. Inputs are the numbers of earlier lines. The last line counts the nodes, so
 * that a cut text is noticed. Reading trusts nothing: what the grammar lets through,
 * sg_graph_add_node and the operators check again.
 */
#include "nn/graph.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "nn/op.h"

static const char header[] = "segtiles-graph 1";

typedef struct {
    const char *key;
    size_t offset; /* in sg_node */
    int real;      /* a float, else an int32_t */
} field;

#define INTEGER(member, key_name)                                                                  \
    {                                                                                              \
#key_name, offsetof(sg_node, attr.member.key_name), 0                                      \
    }
#define REAL(member, key_name)                                                                     \
    {                                                                                              \
#key_name, offsetof(sg_node, attr.member.key_name), 1                                      \
    }

static const field window_fields[] = {
    INTEGER(window, kernel_h),
    INTEGER(window, kernel_w),
    INTEGER(window, stride_h),
    INTEGER(window, stride_w),
    INTEGER(window, dilation_h),
    INTEGER(window, dilation_w),
    {"pad_top", offsetof(sg_node, attr.window.pad.top), 0},
    {"pad_bottom", offsetof(sg_node, attr.window.pad.bottom), 0},
    {"pad_left", offsetof(sg_node, attr.window.pad.left), 0},
    {"pad_right", offsetof(sg_node, attr.window.pad.right), 0},
    INTEGER(window, groups),
    INTEGER(window, out_channels),
    INTEGER(window, out_pad_h),
    INTEGER(window, out_pad_w),
    INTEGER(window, exclude_pad),
    INTEGER(window, bias),
    {0},
};
static const field norm_fields[] = {REAL(norm, epsilon), REAL(norm, momentum), {0}};
static const field group_norm_fields[] = {
    REAL(group_norm, epsilon), INTEGER(group_norm, groups), {0}};
static const field crop_fields[] = {
    {"cut_top", offsetof(sg_node, attr.crop.cut.top), 0},
    {"cut_bottom", offsetof(sg_node, attr.crop.cut.bottom), 0},
    {"cut_left", offsetof(sg_node, attr.crop.cut.left), 0},
    {"cut_right", offsetof(sg_node, attr.crop.cut.right), 0},
    {"pad_top", offsetof(sg_node, attr.crop.pad.top), 0},
    {"pad_bottom", offsetof(sg_node, attr.crop.pad.bottom), 0},
    {"pad_left", offsetof(sg_node, attr.crop.pad.left), 0},
    {"pad_right", offsetof(sg_node, attr.crop.pad.right), 0},
    {0},
};
static const field resize_fields[] = {
    INTEGER(resize, align_corners), INTEGER(resize, scale_h), INTEGER(resize, scale_w), {0}};
static const field global_fields[] = {INTEGER(global, kind), {0}};
static const field dropout_fields[] = {REAL(dropout, rate), {0}};
static const field loss_fields[] = {
    INTEGER(loss, term), REAL(loss, weight),    REAL(loss, smoothing),
    REAL(loss, gamma),   INTEGER(loss, border), REAL(loss, alpha),
    REAL(loss, beta),    REAL(loss, smooth),    {0}};

/* Which member of sg_attr an operator uses; NULL for none. */
static const field *const fields_of[SG_OP_COUNT] = {
    [SG_OP_input] = window_fields,          [SG_OP_conv] = window_fields,
    [SG_OP_max_pool] = window_fields,       [SG_OP_conv_transpose] = window_fields,
    [SG_OP_avg_pool] = window_fields,       [SG_OP_batch_norm] = norm_fields,
    [SG_OP_resize] = resize_fields,         [SG_OP_global_pool] = global_fields,
    [SG_OP_dropout] = dropout_fields,       [SG_OP_softmax_loss] = loss_fields,
    [SG_OP_region_loss] = loss_fields,      [SG_OP_lovasz_loss] = loss_fields,
    [SG_OP_group_norm] = group_norm_fields, [SG_OP_crop] = crop_fields,
};

static const field common_fields[] = {
    {"f32", offsetof(sg_node, out_f32), 0}, {"aux", offsetof(sg_node, aux), 0}, {0}};

static sg_err write_fields(const sg_node *node, const field *fields, sg_text *text)
{
    sg_err err = SG_OK;
    for (const field *f = fields; !err && f && f->key; f++) {
        const char *at = (const char *)node + f->offset;
        if (f->real && *(const float *)at != 0)
            err = sg_text_add(text, " %s=%.9g", f->key, (double)*(const float *)at);
        else if (!f->real && *(const int32_t *)at != 0)
            err = sg_text_add(text, " %s=%d", f->key, (int)*(const int32_t *)at);
    }
    return err;
}

static sg_err write_node(const sg_node *node, sg_text *text)
{
    sg_err err = sg_text_add(text, "%s %s", sg_op_name(node->op), node->name);
    for (int32_t i = 0; !err && i < node->inputs; i++)
        err = sg_text_add(text, "%s%d", i == 0 ? " inputs=" : ",", (int)node->input[i]);
    if (!err)
        err = write_fields(node, fields_of[node->op], text);
    if (!err)
        err = write_fields(node, common_fields, text);
    if (!err && node->act != SG_ACT_NONE)
        err = sg_text_add(text, " act=%s", sg_act_name((sg_act)node->act));
    return err ? err : sg_text_add(text, "\n");
}

sg_err sg_graph_write(const sg_graph *graph, sg_text *text)
{
    sg_err err = sg_text_add(text, "%s\n", header);
    for (int32_t i = 0; !err && i < graph->nodes; i++)
        err = write_node(&graph->node[i], text);
    return err ? err : sg_text_add(text, "end %d\n", (int)graph->nodes);
}

/* A piece of the text, not terminated. */
typedef struct {
    const char *at;
    size_t length;
} piece;

enum { SHOWN = 40 }; /* longest piece of a damaged text that a message repeats */

static int shown(piece p)
{
    return p.length < SHOWN ? (int)p.length : SHOWN;
}

static bool piece_is(piece p, const char *word)
{
    return strlen(word) == p.length && memcmp(p.at, word, p.length) == 0;
}

/* Cut what stands before the first `stop` off *rest; the whole rest when there is none. */
static piece cut(piece *rest, char stop)
{
    const char *end = rest->length ? memchr(rest->at, stop, rest->length) : NULL;
    piece first = {rest->at, end ? (size_t)(end - rest->at) : rest->length};
    size_t used = first.length + (end ? 1 : 0);
    rest->at += used;
    rest->length -= used;
    return first;
}

/* Digits only, so that every value has one spelling; at most 9 of them. */
static bool read_integer(piece p, int32_t *value)
{
    if (p.length == 0 || p.length > 9)
        return false;
    int32_t sum = 0;
    for (size_t i = 0; i < p.length; i++) {
        if (p.at[i] < '0' || p.at[i] > '9')
            return false;
        sum = sum * 10 + (p.at[i] - '0');
    }
    *value = sum;
    return true;
}

static bool read_real(piece p, float *value)
{
    char copy[32];
    if (p.length == 0 || p.length >= sizeof copy)
        return false;
    memcpy(copy, p.at, p.length);
    copy[p.length] = 0;
    if (strspn(copy, "0123456789.+-e") != p.length)
        return false;
    char *end;
    *value = strtof(copy, &end);
    return *end == 0 && isfinite(*value);
}

static bool read_inputs(piece p, sg_node *node)
{
    while (p.length > 0 && node->inputs < SG_MAX_INPUTS) {
        bool more = p.at[p.length - 1] == ','; /* "1," */
        if (more || !read_integer(cut(&p, ','), &node->input[node->inputs]))
            return false;
        node->inputs++;
    }
    return p.length == 0;
}

static bool read_act(piece p, int32_t *act)
{
    for (int32_t i = 0; i < SG_ACT_COUNT; i++) {
        if (piece_is(p, sg_act_name((sg_act)i))) {
            *act = i;
            return true;
        }
    }
    return false;
}

/* 1: found and read, 0: no such key, -1: found, but the value is wrong. */
static int read_field(const field *fields, piece key, piece value, sg_node *node)
{
    for (const field *f = fields; f && f->key; f++) {
        if (!piece_is(key, f->key))
            continue;
        char *at = (char *)node + f->offset;
        bool good = f->real ? read_real(value, (float *)at) : read_integer(value, (int32_t *)at);
        return good ? 1 : -1;
    }
    return 0;
}

static sg_err read_pair(piece pair, sg_node *node)
{
    piece value = pair;
    piece key = cut(&value, '=');
    int found;
    if (piece_is(key, "inputs"))
        found = node->inputs == 0 && value.length > 0 && read_inputs(value, node) ? 1 : -1;
    else if (piece_is(key, "act"))
        found = read_act(value, &node->act) ? 1 : -1;
    else
        found = read_field(common_fields, key, value, node);
    if (found == 0)
        found = read_field(fields_of[node->op], key, value, node);
    if (found == 0)
        return sg_fail(SG_EINPUT, "%s has no attribute \"%.*s\"", sg_op_name(node->op), shown(key),
                       key.at);
    if (found < 0)
        return sg_fail(SG_EINPUT, "\"%.*s\" is no value for %.*s", shown(value), value.at,
                       shown(key), key.at);
    return SG_OK;
}

static sg_err read_op(piece name, sg_op *op)
{
    for (int i = 0; i < SG_OP_COUNT; i++) {
        if (piece_is(name, sg_op_name((sg_op)i))) {
            *op = (sg_op)i;
            return SG_OK;
        }
    }
    return sg_fail(SG_EINPUT, "the operator \"%.*s\" is not known", shown(name), name.at);
}

static sg_err read_node(piece line, sg_graph *graph)
{
    sg_node node = {0};
    sg_err err = read_op(cut(&line, ' '), &node.op);
    if (err)
        return err;
    piece name = cut(&line, ' ');
    if (name.length >= SG_NAME_MAX)
        return sg_fail(SG_EINPUT, "the node name \"%.*s...\" is too long", shown(name), name.at);
    memcpy(node.name, name.at, name.length);
    while (!err && line.length > 0)
        err = read_pair(cut(&line, ' '), &node);
    int32_t output;
    if (!err && node.op == SG_OP_conv && node.inputs > 1) /* only sg_graph_fold_for makes those */
        err = sg_fail(SG_EINPUT, "%s: a convolution of two inputs is never saved", node.name);
    return err ? err : sg_graph_add_node(graph, &node, &output);
}

static sg_err read_end(piece line, const piece *rest, const sg_graph *graph)
{
    int32_t nodes = -1;
    cut(&line, ' ');
    if (!read_integer(line, &nodes) || nodes != graph->nodes || rest->length != 0)
        return sg_fail(SG_EINPUT, "the text does not end after its %d nodes", (int)graph->nodes);
    return SG_OK;
}

/* What went wrong at `line`; the text is an input, so whatever it breaks is SG_EINPUT. */
static sg_err fail_at(sg_err err, int line)
{
    char context[32];
    snprintf(context, sizeof context, "network, line %d", line);
    return sg_fail_in(err == SG_ENOMEM ? err : SG_EINPUT, context);
}

static sg_err read_lines(const char *text, sg_graph *graph)
{
    piece rest = {text, strlen(text)};
    if (!piece_is(cut(&rest, '\n'), header))
        return sg_fail(SG_EINPUT, "network: the first line must be \"%s\"", header);
    for (int number = 2; rest.length > 0; number++) {
        piece line = cut(&rest, '\n');
        bool last = line.length > 4 && memcmp(line.at, "end ", 4) == 0;
        sg_err err = last ? read_end(line, &rest, graph) : read_node(line, graph);
        if (!err && last)
            err = sg_graph_freeze(graph);
        if (err)
            return fail_at(err, number);
        if (last)
            return SG_OK;
    }
    return sg_fail(SG_EINPUT, "network: the text ends after %d nodes without its last line",
                   (int)graph->nodes);
}

sg_err sg_graph_read(const char *text, sg_graph **graph)
{
    *graph = NULL;
    sg_graph *made = NULL;
    sg_err err = sg_graph_create(&made);
    if (!err)
        err = read_lines(text, made);
    if (err)
        sg_graph_close(made);
    else
        *graph = made;
    return err;
}
