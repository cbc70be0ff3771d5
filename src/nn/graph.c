#include "nn/graph.h"

#include <stdio.h>
#include <string.h>
#include "base/size.h"
#include "nn/op.h"

sg_err sg_graph_create(sg_graph **graph)
{
    return sg_calloc(1, sizeof **graph, graph);
}

void sg_graph_close(sg_graph *graph)
{
    if (!graph)
        return;
    sg_free(graph->node);
    sg_free(graph->tensor);
    sg_free(graph->param);
    sg_free(graph);
}

static sg_err copy_arrays(const sg_graph *from, sg_graph *to)
{
    sg_err err = sg_grow(&to->node, &to->node_capacity, (size_t)from->nodes, sizeof *to->node);
    if (!err)
        err = sg_grow(&to->tensor, &to->tensor_capacity, (size_t)from->tensors, sizeof *to->tensor);
    if (!err)
        err =
            sg_grow(&to->param, &to->param_capacity, (size_t)from->param_count, sizeof *to->param);
    if (err)
        return err;
    if (from->nodes)
        memcpy(to->node, from->node, (size_t)from->nodes * sizeof *to->node);
    if (from->tensors)
        memcpy(to->tensor, from->tensor, (size_t)from->tensors * sizeof *to->tensor);
    if (from->param_count)
        memcpy(to->param, from->param, (size_t)from->param_count * sizeof *to->param);
    to->nodes = from->nodes;
    to->tensors = from->tensors;
    to->param_count = from->param_count;
    to->frozen = from->frozen;
    return SG_OK;
}

sg_err sg_graph_copy(const sg_graph *from, sg_graph **to)
{
    *to = NULL;
    sg_graph *copy = NULL;
    sg_err err = sg_graph_create(&copy);
    if (!err)
        err = copy_arrays(from, copy);
    if (err)
        sg_graph_close(copy);
    else
        *to = copy;
    return err;
}

/* Names go into text lines and HDF5 paths. */
static bool name_is_valid(const char name[SG_NAME_MAX])
{
    size_t length = strnlen(name, SG_NAME_MAX);
    if (length == 0 || length == SG_NAME_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '_' && c != '-' && (c != '.' || i == 0))
            return false;
    }
    return true;
}

static sg_err check_name(const sg_graph *graph, const sg_node *node, int32_t nodes)
{
    if (!name_is_valid(node->name))
        return sg_fail(SG_EUSAGE,
                       "node %d: the name \"%.*s\" must be 1 to %d letters, digits, '_', '-' or "
                       "'.'",
                       (int)nodes, SG_NAME_MAX, node->name, SG_NAME_MAX - 1);
    for (int32_t i = 0; i < nodes; i++) {
        if (strcmp(graph->node[i].name, node->name) == 0)
            return sg_fail(SG_EUSAGE, "%s: two nodes have this name", node->name);
    }
    return SG_OK;
}

static sg_err check_inputs(const sg_node *node, int32_t nodes)
{
    const sg_op_def *def = sg_op_definition(node->op);
    if (node->inputs < def->least_inputs || node->inputs > def->most_inputs ||
        node->inputs > SG_MAX_INPUTS)
        return sg_fail(SG_EUSAGE, "%s: %d inputs given, %s takes %d to %d", node->name,
                       (int)node->inputs, sg_op_name(node->op), (int)def->least_inputs,
                       (int)def->most_inputs);
    for (int32_t i = 0; i < node->inputs; i++) {
        if (node->input[i] < 0 || node->input[i] >= nodes)
            return sg_fail(SG_EUSAGE, "%s: input %d is tensor %d, which no earlier node makes",
                           node->name, (int)i, (int)node->input[i]);
    }
    return SG_OK;
}

/* What must hold for node when `nodes` others stand before it. */
static sg_err check_node(const sg_graph *graph, const sg_node *node, int32_t nodes)
{
    sg_err err = check_name(graph, node, nodes);
    if (err)
        return err;
    if ((int)node->op < 0 || node->op >= SG_OP_COUNT)
        return sg_fail(SG_EUSAGE, "%s: operator %d does not exist", node->name, (int)node->op);
    if (node->act < 0 || node->act >= SG_ACT_COUNT)
        return sg_fail(SG_EUSAGE, "%s: activation %d does not exist", node->name, (int)node->act);
    if (node->act != SG_ACT_NONE && !sg_op_takes_act(node->op))
        return sg_fail(SG_EUSAGE, "%s: %s takes no activation", node->name, sg_op_name(node->op));
    if ((node->op == SG_OP_input) != (nodes == 0))
        return sg_fail(SG_EUSAGE, "%s: the first node, and no other, is the input", node->name);
    return check_inputs(node, nodes);
}

static sg_err grow_for_node(sg_graph *graph)
{
    sg_err err =
        sg_grow(&graph->node, &graph->node_capacity, (size_t)graph->nodes + 1, sizeof *graph->node);
    if (!err)
        err = sg_grow(&graph->tensor, &graph->tensor_capacity, (size_t)graph->tensors + 1,
                      sizeof *graph->tensor);
    return err;
}

sg_err sg_graph_add_node(sg_graph *graph, const sg_node *node, int32_t *output)
{
    *output = -1;
    if (graph->frozen)
        return sg_fail(SG_EUSAGE, "%.*s: the network is complete; no node can be added",
                       SG_NAME_MAX, node->name);
    if (graph->nodes >= SG_MAX_NODES)
        return sg_fail(SG_EUSAGE, "a network has at most %d nodes", SG_MAX_NODES);
    sg_err err = check_node(graph, node, graph->nodes);
    if (!err)
        err = grow_for_node(graph);
    if (err)
        return err;

    sg_node made = *node;
    made.output = graph->tensors;
    made.params = 0;
    int32_t in_channels[SG_MAX_INPUTS] = {0}, channels = 0;
    for (int32_t i = 0; i < made.inputs; i++)
        in_channels[i] = graph->tensor[made.input[i]].channels;
    int32_t params_before = graph->param_count;
    err = sg_op_definition(made.op)->make(graph, &made, in_channels, &channels);
    if (!err && (channels <= 0 || channels > SG_MAX_CHANNELS))
        err = sg_fail(SG_EUSAGE, "%s: %d channels, must be 1 .. %d", made.name, (int)channels,
                      SG_MAX_CHANNELS);
    if (err) {
        graph->param_count = params_before;
        return err;
    }
    graph->tensor[graph->tensors++] = (sg_tensor_info){.channels = channels, .maker = graph->nodes};
    graph->node[graph->nodes++] = made;
    *output = made.output;
    return SG_OK;
}

sg_err sg_graph_set_name(sg_node *node, const char *name)
{
    size_t length = strlen(name);
    if (length >= SG_NAME_MAX)
        return sg_fail(SG_EUSAGE, "the node name %s is longer than %d characters", name,
                       SG_NAME_MAX - 1);
    memset(node->name, 0, sizeof node->name);
    memcpy(node->name, name, length);
    return SG_OK;
}

/* inputs may point to the place of output. */
sg_err sg_graph_add(sg_graph *graph, sg_op op, const char *name, const sg_attr *attr,
                    const int32_t *inputs, int32_t input_count, int32_t *output)
{
    sg_node node = {.op = op, .inputs = input_count};
    for (int32_t i = 0; i < input_count && input_count <= SG_MAX_INPUTS; i++)
        node.input[i] = inputs[i];
    if (attr)
        node.attr = *attr;
    *output = -1;
    sg_err err = sg_graph_set_name(&node, name);
    return err ? err : sg_graph_add_node(graph, &node, output);
}

sg_err sg_graph_input(sg_graph *graph, int32_t channels, int32_t *output)
{
    sg_attr attr = {.window = {.out_channels = channels}};
    return sg_graph_add(graph, SG_OP_input, "input", &attr, NULL, 0, output);
}

sg_err sg_graph_conv(sg_graph *graph, const char *name, int32_t input, int32_t out_channels,
                     int32_t kernel, int32_t stride, int32_t pad, int32_t bias, int32_t *output)
{
    sg_attr attr = {.window = {.kernel_h = kernel,
                               .kernel_w = kernel,
                               .stride_h = stride,
                               .stride_w = stride,
                               .dilation_h = 1,
                               .dilation_w = 1,
                               .pad = {pad, pad, pad, pad},
                               .groups = 1,
                               .out_channels = out_channels,
                               .bias = bias}};
    return sg_graph_add(graph, SG_OP_conv, name, &attr, &input, 1, output);
}

sg_err sg_graph_activation(sg_graph *graph, const char *name, int32_t input, sg_act act,
                           int32_t *output)
{
    *output = -1;
    sg_node node = {.op = SG_OP_activation, .act = (int32_t)act, .inputs = 1, .input = {input}};
    sg_err err = sg_graph_set_name(&node, name);
    return err ? err : sg_graph_add_node(graph, &node, output);
}

static sg_err check_links(const sg_graph *graph, int32_t id)
{
    const sg_node *node = &graph->node[id];
    bool linked = node->output == id && graph->tensor[id].maker == id && node->params >= 0 &&
                  node->params <= SG_MAX_PARAMS;
    for (int32_t p = 0; linked && p < node->params; p++)
        linked = node->param[p] >= 0 && node->param[p] < graph->param_count &&
                 graph->param[node->param[p]].node == id;
    if (!linked)
        return sg_fail(SG_EUSAGE, "%s: its output or parameters are not its own", node->name);
    if (node->aux != 0 && (node->aux != 1 || sg_op_is_loss(node->op) || node->op == SG_OP_input))
        return sg_fail(SG_EUSAGE, "%s: it cannot be the logits of an auxiliary head", node->name);
    for (int32_t later = id + 1; sg_op_is_loss(node->op) && later < graph->nodes; later++)
        if (!sg_op_is_loss(graph->node[later].op))
            return sg_fail(SG_EUSAGE, "%s: a loss must be the last node, or stand before others",
                           node->name);
    for (int32_t i = 0; i < node->inputs; i++)
        if (sg_op_is_loss(graph->node[graph->tensor[node->input[i]].maker].op))
            return sg_fail(SG_EUSAGE, "%s: it reads a loss, which no node may", node->name);
    return SG_OK;
}

static bool is_read(const sg_graph *graph, int32_t tensor)
{
    for (int32_t n = graph->tensor[tensor].maker + 1; n < graph->nodes; n++) {
        for (int32_t i = 0; i < graph->node[n].inputs; i++) {
            if (graph->node[n].input[i] == tensor)
                return true;
        }
    }
    return false;
}

sg_err sg_graph_check(const sg_graph *graph)
{
    if (graph->nodes < 2 || graph->tensors != graph->nodes)
        return sg_fail(SG_EUSAGE, "a network needs an input and at least one more node");
    sg_err err = SG_OK;
    for (int32_t i = 0; !err && i < graph->nodes; i++) {
        err = check_node(graph, &graph->node[i], i);
        if (!err)
            err = check_links(graph, i);
    }
    for (int32_t i = 0; !err && i < graph->nodes - 1; i++) {
        const sg_node *node = &graph->node[i];
        if (!sg_op_is_loss(node->op) && !node->aux && !is_read(graph, i))
            err = sg_fail(SG_EUSAGE, "%s: no later node reads it", node->name);
    }
    return err;
}

sg_err sg_graph_freeze(sg_graph *graph)
{
    sg_err err = sg_graph_check(graph);
    if (!err)
        graph->frozen = 1;
    return err;
}

static sg_err add_loss(sg_graph *graph, int32_t logits, const sg_loss_term *term, const char *name)
{
    sg_node loss = {
        .op = term->op, .out_f32 = 1, .attr.loss = term->attr, .inputs = 1, .input = {logits}};
    int32_t output;
    if (!sg_op_is_loss(term->op))
        return sg_fail(SG_EUSAGE, "%s is no loss", sg_op_name(term->op));
    snprintf(loss.name, sizeof loss.name, "%s", name);
    return sg_graph_add_node(graph, &loss, &output);
}

/* Those of auxiliary heads stand before those of the network's own output, which is the last
 * node's input. */
static sg_err add_aux_losses(sg_graph *graph, const sg_loss_term *terms, int32_t count,
                             float aux_weight, int32_t logits)
{
    char name[SG_NAME_MAX];
    int32_t added = 0;
    sg_err err = SG_OK;
    for (int32_t n = 0; n < logits; n++) {
        for (int32_t i = 0; !err && graph->node[n].aux && i < count; i++) {
            sg_loss_term term = terms[i];
            term.attr.weight *= aux_weight;
            term.attr.term = count;
            snprintf(name, sizeof name, "aux_loss%d", (int)++added);
            err = add_loss(graph, n, &term, name);
        }
    }
    return err;
}

static sg_err add_losses(sg_graph *graph, const sg_loss_term *terms, int32_t count,
                         float aux_weight)
{
    char name[SG_NAME_MAX] = "loss";
    int32_t logits = graph->node[graph->nodes - 1].output;
    sg_err err = add_aux_losses(graph, terms, count, aux_weight, logits);
    for (int32_t i = 0; !err && i < count; i++) {
        sg_loss_term term = terms[i];
        term.attr.term = i;
        if (i > 0)
            snprintf(name, sizeof name, "loss%d", (int)i + 1);
        err = add_loss(graph, logits, &term, name);
    }
    return err;
}

sg_err sg_graph_with_loss(const sg_graph *graph, sg_graph **with_loss)
{
    const sg_loss_term plain = {SG_OP_softmax_loss, {.weight = 1}};
    return sg_graph_with_losses(graph, &plain, 1, SG_AUX_WEIGHT, with_loss);
}

static sg_err check_losses(const sg_graph *graph, int32_t count)
{
    int32_t most = SG_MAX_TERMS - sg_graph_has_aux(graph);
    if (count < 1 || count > most)
        return sg_fail(SG_EUSAGE, "a loss of %d terms, must be 1 .. %d", (int)count, (int)most);
    sg_err err = sg_graph_check(graph);
    if (err)
        return err;
    const sg_node *last = &graph->node[graph->nodes - 1];
    if (sg_op_is_loss(last->op))
        return sg_fail(SG_EUSAGE, "%s: the network has a loss already", last->name);
    return SG_OK;
}

sg_err sg_graph_with_losses(const sg_graph *graph, const sg_loss_term *terms, int32_t count,
                            float aux_weight, sg_graph **with_losses)
{
    sg_graph *copy = NULL;
    *with_losses = NULL;
    sg_err err = check_losses(graph, count);
    if (!err)
        err = sg_graph_copy(graph, &copy);
    if (err)
        return err;
    copy->frozen = 0;
    err = add_losses(copy, terms, count, aux_weight);
    if (!err)
        err = sg_graph_freeze(copy);
    if (err)
        sg_graph_close(copy);
    else
        *with_losses = copy;
    return err;
}

bool sg_graph_has_aux(const sg_graph *graph)
{
    for (int32_t n = 0; n < graph->nodes; n++)
        if (graph->node[n].aux)
            return true;
    return false;
}

bool sg_graph_sums_regions(const sg_graph *graph)
{
    for (int32_t n = 0; n < graph->nodes; n++)
        if (graph->node[n].op == SG_OP_region_loss)
            return true;
    return false;
}

bool sg_graph_reads_border(const sg_graph *graph)
{
    for (int32_t n = 0; n < graph->nodes; n++)
        if (sg_op_is_loss(graph->node[n].op) && graph->node[n].attr.loss.border)
            return true;
    return false;
}

int32_t sg_graph_input_channels(const sg_graph *graph)
{
    return graph->tensor[graph->node[0].output].channels;
}

int32_t sg_graph_output_channels(const sg_graph *graph)
{
    const sg_node *last = &graph->node[graph->nodes - 1];
    int32_t tensor = sg_op_is_loss(last->op) ? last->input[0] : last->output;
    return graph->tensor[tensor].channels;
}

bool sg_param_is_trainable(const sg_param_info *param)
{
    return param->kind != SG_PARAM_MEAN && param->kind != SG_PARAM_VARIANCE;
}

bool sg_param_decays(const sg_param_info *param)
{
    return param->kind == SG_PARAM_WEIGHT;
}

size_t sg_node_trainable_count(const sg_graph *graph, const sg_node *node)
{
    size_t count = 0;
    for (int32_t i = 0; i < node->params; i++)
        if (sg_param_is_trainable(&graph->param[node->param[i]]))
            count += graph->param[node->param[i]].count;
    return count;
}

size_t sg_graph_trainable_count(const sg_graph *graph)
{
    size_t count = 0;
    for (int32_t i = 0; i < graph->param_count; i++) {
        if (sg_param_is_trainable(&graph->param[i]))
            count += graph->param[i].count;
    }
    return count;
}
