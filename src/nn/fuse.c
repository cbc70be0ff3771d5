/*
 * One rewriting serves training and inference. Walking the nodes in order, each is either kept or
 * dropped into the kept node that stands for it from then on: its head. A node may be dropped when
 * nothing else reads what the head makes up to there.
 */
#include "nn/fuse.h"

#include <math.h>
#include "base/size.h"
#include "nn/prune.h"

typedef struct {
    const sg_graph *graph;
    bool inference;      /* fold batch norms, drop dropout and auxiliary heads */
    bool sums;           /* and put sums into convolutions */
    bool *needed;        /* per node: it is in the new graph */
    int32_t *readers;    /* per tensor: how many inputs read it */
    int32_t *head;       /* per node: itself when kept, else the node it was dropped into */
    int32_t *via;        /* per dropped node: its input that leads to the head */
    int32_t *norm;       /* per node: the batch norm folded into it, or -1 */
    int32_t *added;      /* per kept node: the tensor that it adds, or -1 */
    int32_t *act;        /* per kept node: its activation in the end */
    int32_t *out_f32;    /* per kept node */
    int32_t *new_tensor; /* per kept node: its output in the new graph */
} rewrite;

static sg_err begin(rewrite *r, const sg_graph *graph, bool inference)
{
    size_t nodes = (size_t)graph->nodes;
    *r = (rewrite){.graph = graph, .inference = inference};
    int32_t **arrays[] = {&r->readers, &r->head, &r->via,     &r->norm,
                          &r->added,   &r->act,  &r->out_f32, &r->new_tensor};
    sg_err err = sg_graph_check(graph);
    if (!err)
        err = sg_calloc(nodes, sizeof *r->needed, &r->needed);
    for (size_t i = 0; !err && i < sizeof arrays / sizeof *arrays; i++)
        err = sg_calloc(nodes, sizeof **arrays[i], arrays[i]);
    if (err)
        return err;
    if (inference)
        sg_graph_find_needed(graph, r->needed);
    for (int32_t n = 0; n < graph->nodes; n++) {
        const sg_node *node = &graph->node[n];
        r->needed[n] = r->needed[n] || !inference;
        for (int32_t i = 0; r->needed[n] && i < node->inputs; i++)
            r->readers[node->input[i]]++;
        r->readers[node->output] += node->aux; /* its loss */
        r->norm[n] = r->added[n] = -1;
    }
    return SG_OK;
}

static void end(rewrite *r)
{
    sg_free(r->needed);
    sg_free(r->readers);
    sg_free(r->head);
    sg_free(r->via);
    sg_free(r->norm);
    sg_free(r->added);
    sg_free(r->act);
    sg_free(r->out_f32);
    sg_free(r->new_tensor);
}

/* Nothing but node reads the head of its input `slot`, nor anything dropped between them. */
static bool alone(const rewrite *r, const sg_node *node, int32_t slot)
{
    for (;;) {
        int32_t made_by = r->graph->tensor[node->input[slot]].maker;
        if (r->readers[node->input[slot]] != 1)
            return false;
        if (r->head[made_by] == made_by)
            return true;
        node = &r->graph->node[made_by];
        slot = r->via[made_by];
    }
}

static bool is_convolution(sg_op op)
{
    return op == SG_OP_conv || op == SG_OP_conv_transpose;
}

static bool can_drop(const rewrite *r, const sg_node *node, int32_t head)
{
    sg_op into = r->graph->node[head].op;
    if (node->op == SG_OP_dropout)
        return r->inference;
    if (r->act[head] != SG_ACT_NONE || !alone(r, node, 0))
        return false;
    if (node->op == SG_OP_activation)
        return sg_op_takes_act(into);
    return node->op == SG_OP_batch_norm && r->inference && is_convolution(into) &&
           r->norm[head] < 0 && r->added[head] < 0;
}

static int32_t head_of(const rewrite *r, const sg_node *node, int32_t slot)
{
    return r->head[r->graph->tensor[node->input[slot]].maker];
}

/* A sum becomes part of the convolution that makes the later of its two terms: the other is there
 * by then. */
static bool drop_sum(rewrite *r, int32_t n)
{
    const sg_node *node = &r->graph->node[n];
    if (!r->sums || node->op != SG_OP_add || node->inputs != 2)
        return false;
    int32_t slot = head_of(r, node, 1) > head_of(r, node, 0), head = head_of(r, node, slot);
    if (r->graph->node[head].op != SG_OP_conv || r->graph->node[head].inputs != 1 ||
        r->act[head] != SG_ACT_NONE || r->out_f32[head] || r->added[head] >= 0 ||
        head_of(r, node, 1 - slot) == head || !alone(r, node, slot))
        return false;
    r->head[n] = head;
    r->via[n] = slot;
    r->added[head] = node->input[1 - slot];
    r->act[head] = node->act;
    r->out_f32[head] = node->out_f32;
    return true;
}

static void visit(rewrite *r, int32_t n)
{
    const sg_node *node = &r->graph->node[n];
    r->head[n] = n;
    r->act[n] = node->act;
    r->out_f32[n] = node->out_f32;
    if (node->inputs == 0 || drop_sum(r, n))
        return;
    int32_t head = head_of(r, node, 0);
    if (!can_drop(r, node, head))
        return;
    r->head[n] = head;
    if (node->op == SG_OP_dropout)
        return;
    r->act[head] = node->act;
    r->out_f32[head] = node->out_f32;
    if (node->op == SG_OP_batch_norm)
        r->norm[head] = n;
}

static sg_err emit(rewrite *r, int32_t n, sg_graph *made)
{
    sg_node node = r->graph->node[n];
    node.act = r->act[n];
    node.out_f32 = r->out_f32[n];
    if (r->norm[n] >= 0)
        node.attr.window.bias = 1;
    if (r->added[n] >= 0)
        node.input[node.inputs++] = r->added[n];
    for (int32_t i = 0; i < node.inputs; i++)
        node.input[i] = r->new_tensor[head_of(r, &node, i)];
    return sg_graph_add_node(made, &node, &r->new_tensor[n]);
}

static sg_err build(rewrite *r, sg_graph **graph)
{
    sg_graph *made = NULL;
    sg_err err = sg_graph_create(&made);
    for (int32_t n = 0; n < r->graph->nodes; n++)
        if (r->needed[n])
            visit(r, n);
    for (int32_t n = 0; !err && n < r->graph->nodes; n++) {
        if (r->needed[n] && r->head[n] == n)
            err = emit(r, n, made);
    }
    if (!err)
        err = sg_graph_freeze(made);
    if (err)
        sg_graph_close(made);
    else
        *graph = made;
    return err;
}

/* The values of a node's parameter of this kind; NULL when it has none. */
static float *values_of(const sg_graph *graph, const sg_params *params, int32_t node,
                        sg_param_kind kind, size_t *count)
{
    for (int32_t p = 0; p < graph->node[node].params; p++) {
        int32_t id = graph->node[node].param[p];
        if (graph->param[id].kind == kind) {
            *count = graph->param[id].count;
            return sg_params_values(params, id);
        }
    }
    *count = 0;
    return NULL;
}

static void copy_values(const float *from, float *to, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = from[i];
}

/*
 * y = scale * (w x + b - mean) / sqrt(variance + epsilon) + shift, so per output channel with
 * f = scale / sqrt(variance + epsilon):  w' = f w,  b' = f (b - mean) + shift.
 * Weights have the output channel first, in both kinds of convolution.
 */
static void fold_values(const rewrite *r, int32_t old, const sg_params *params,
                        const sg_graph *made, int32_t made_node, const sg_params *folded)
{
    size_t weights, channels, none;
    int32_t norm = r->norm[old];
    double epsilon = (double)r->graph->node[norm].attr.norm.epsilon;
    const float *weight = values_of(r->graph, params, old, SG_PARAM_WEIGHT, &weights);
    const float *bias = values_of(r->graph, params, old, SG_PARAM_BIAS, &none);
    const float *scale = values_of(r->graph, params, norm, SG_PARAM_SCALE, &none);
    const float *shift = values_of(r->graph, params, norm, SG_PARAM_SHIFT, &none);
    const float *mean = values_of(r->graph, params, norm, SG_PARAM_MEAN, &none);
    const float *variance = values_of(r->graph, params, norm, SG_PARAM_VARIANCE, &none);
    float *new_weight = values_of(made, folded, made_node, SG_PARAM_WEIGHT, &weights);
    float *new_bias = values_of(made, folded, made_node, SG_PARAM_BIAS, &channels);
    size_t each = weights / channels;
    for (size_t o = 0; o < channels; o++) {
        double factor = (double)scale[o] / sqrt((double)variance[o] + epsilon);
        for (size_t k = 0; k < each; k++)
            new_weight[o * each + k] = (float)(factor * (double)weight[o * each + k]);
        double before = bias ? (double)bias[o] : 0;
        new_bias[o] = (float)(factor * (before - (double)mean[o]) + (double)shift[o]);
    }
}

static void carry_values(const rewrite *r, int32_t old, const sg_params *params,
                         const sg_graph *made, int32_t made_node, const sg_params *folded)
{
    for (int32_t p = 0; p < made->node[made_node].params; p++) {
        int32_t from = r->graph->node[old].param[p], to = made->node[made_node].param[p];
        copy_values(sg_params_values(params, from), sg_params_values(folded, to),
                    made->param[to].count);
    }
}

static sg_err fill_params(const rewrite *r, const sg_params *params, const sg_graph *made,
                          sg_params **folded)
{
    sg_err err = sg_params_create(made, folded);
    for (int32_t n = 0; !err && n < r->graph->nodes; n++) {
        if (!r->needed[n] || r->head[n] != n)
            continue;
        int32_t made_node = made->tensor[r->new_tensor[n]].maker;
        if (r->norm[n] >= 0)
            fold_values(r, n, params, made, made_node, *folded);
        else
            carry_values(r, n, params, made, made_node, *folded);
    }
    return err;
}

sg_err sg_graph_fuse(const sg_graph *graph, sg_graph **fused)
{
    *fused = NULL;
    rewrite r;
    sg_err err = begin(&r, graph, false);
    if (!err)
        err = build(&r, fused);
    end(&r);
    return err;
}

sg_err sg_graph_fold(const sg_graph *graph, const sg_params *params, sg_graph **folded,
                     sg_params **folded_params)
{
    const sg_abilities none = {{0}};
    return sg_graph_fold_for(&none, graph, params, folded, folded_params);
}

sg_err sg_graph_fold_for(const sg_abilities *abilities, const sg_graph *graph,
                         const sg_params *params, sg_graph **folded, sg_params **folded_params)
{
    *folded = NULL;
    *folded_params = NULL;
    if (params->count != graph->param_count)
        return sg_fail(SG_EUSAGE, "%d parameters cannot be those of a network that has %d",
                       (int)params->count, (int)graph->param_count);
    rewrite r;
    sg_graph *made = NULL;
    sg_err err = begin(&r, graph, true);
    r.sums = abilities->can[SG_OP_conv] & SG_ADDS_INPUT;
    if (!err)
        err = build(&r, &made);
    if (!err)
        err = fill_params(&r, params, made, folded_params);
    end(&r);
    if (err) {
        sg_params_close(*folded_params);
        *folded_params = NULL;
        sg_graph_close(made);
    } else {
        *folded = made;
    }
    return err;
}
