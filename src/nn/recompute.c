#include "nn/recompute.h"

#include "base/size.h"

const int32_t sg_recompute_parts[SG_RECOMPUTE_TRIALS] = {1, 2, 3, 4, 6, 8, 12, 16, 24};

/* Of the value that node n makes; sizes have been checked. */
static size_t value_bytes(const sg_plan *plan, int32_t n)
{
    const sg_plan_tensor *tensor = &plan->tensor[plan->graph->node[n].output];
    return sg_shape_count(tensor->shape) * sg_dtype_size(tensor->type);
}

static void cut(sg_plan *plan, int32_t parts)
{
    double total = 0, sum = 0;
    for (int32_t n = 0; n < plan->graph->nodes; n++)
        total += (double)value_bytes(plan, n);
    for (int32_t n = 0; n < plan->graph->nodes; n++) {
        int32_t part = (int32_t)(sum * parts / total);
        plan->node[n].part = part < parts ? part : parts - 1;
        plan->node[n].again = -1;
        sum += (double)value_bytes(plan, n);
    }
}

/* kept[t]: a later part reads tensor t, or it is the input, which nothing can make again. */
static void find_kept(const sg_plan *plan, bool *kept)
{
    const sg_graph *graph = plan->graph;
    kept[graph->node[0].output] = true;
    for (int32_t n = 0; n < graph->nodes; n++) {
        const sg_node *node = &graph->node[n];
        for (int32_t i = 0; i < node->inputs; i++) {
            int32_t maker = graph->tensor[node->input[i]].maker;
            kept[node->input[i]] |= plan->node[maker].part < plan->node[n].part;
        }
    }
}

static void want_inputs(const sg_node *node, bool *wanted)
{
    for (int32_t i = 0; i < node->inputs; i++)
        wanted[node->input[i]] = true;
}

/* Nodes come after all that read them: what is wanted of their output is known. */
static void mark_node(sg_plan *plan, int32_t n, bool active, const bool *kept, bool *wanted)
{
    const sg_node *node = &plan->graph->node[n];
    const sg_op_def *def = sg_op_definition(node->op);
    sg_plan_node *at = &plan->node[n];
    int needs = active ? def->needs(node) : SG_NEEDS_NOTHING;
    bool saves = active && at->saved_bytes > 0 && !def->saved_once;
    bool runs = wanted[node->output] || (needs & SG_NEEDS_OUTPUT) || saves;
    if (runs && !kept[node->output])
        at->again = 0;
    if (at->again == 0 || (needs & SG_NEEDS_INPUT))
        want_inputs(node, wanted);
}

sg_err sg_recompute_mark(sg_plan *plan, const bool *active, int32_t parts)
{
    size_t tensors = (size_t)plan->graph->tensors;
    bool *kept = NULL; /* [tensors], then what is wanted */
    cut(plan, parts);
    sg_err err = sg_calloc(2 * tensors, sizeof *kept, &kept);
    if (err)
        return err;
    find_kept(plan, kept);
    int32_t last = plan->node[plan->graph->nodes - 1].part;
    for (int32_t n = plan->graph->nodes - 1; n > 0; n--) {
        if (plan->node[n].part < last)
            mark_node(plan, n, active[n], kept, kept + tensors);
    }
    sg_free(kept);
    return SG_OK;
}
