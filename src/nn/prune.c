#include "nn/prune.h"

#include "base/size.h"

void sg_graph_find_needed(const sg_graph *graph, bool *needed)
{
    for (int32_t n = 0; n < graph->nodes; n++)
        needed[n] = n == graph->nodes - 1;
    for (int32_t n = graph->nodes - 1; n >= 0; n--)
        for (int32_t i = 0; needed[n] && i < graph->node[n].inputs; i++)
            needed[graph->tensor[graph->node[n].input[i]].maker] = true;
}

static sg_err copy_needed(const sg_graph *from, const bool *needed, int32_t *moved, sg_graph *to)
{
    sg_err err = SG_OK;
    for (int32_t n = 0; !err && n < from->nodes; n++) {
        sg_node node = from->node[n];
        if (!needed[n])
            continue;
        for (int32_t i = 0; i < node.inputs; i++)
            node.input[i] = moved[node.input[i]];
        err = sg_graph_add_node(to, &node, &moved[from->node[n].output]);
    }
    return err ? err : sg_graph_freeze(to);
}

sg_err sg_graph_prune(const sg_graph *graph, sg_graph **pruned)
{
    sg_graph *made = NULL;
    bool *needed = NULL;
    int32_t *moved = NULL; /* tensors of the new graph, by those of the old one */
    *pruned = NULL;
    sg_err err = sg_calloc((size_t)graph->nodes, sizeof *needed, &needed);
    if (!err)
        err = sg_calloc((size_t)graph->tensors, sizeof *moved, &moved);
    if (!err)
        err = sg_graph_create(&made);
    if (!err) {
        sg_graph_find_needed(graph, needed);
        err = copy_needed(graph, needed, moved, made);
    }
    sg_free(needed);
    sg_free(moved);
    if (err)
        sg_graph_close(made);
    else
        *pruned = made;
    return err;
}
