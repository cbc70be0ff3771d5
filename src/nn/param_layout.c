#include "nn/plan.h"

#include "base/size.h"

enum { PARAM_ALIGN = 16 }; /* elements: 64 bytes */

static sg_err append(const sg_graph *graph, int32_t id, sg_param_layout *layout, size_t *count)
{
    layout->offset[id] = *count;
    size_t padded;
    sg_err err = sg_size_add(graph->param[id].count, PARAM_ALIGN - 1, &padded);
    if (!err)
        err = sg_size_add(*count, padded - padded % PARAM_ALIGN, count);
    return err;
}

/* Backward steps run the nodes in reverse. */
static sg_err fill(const sg_graph *graph, sg_param_layout *layout)
{
    sg_err err = SG_OK;
    for (int32_t n = graph->nodes - 1; n >= 0; n--) {
        const sg_node *node = &graph->node[n];
        for (int32_t p = 0; !err && p < node->params; p++) {
            int32_t id = node->param[p];
            if (sg_param_is_trainable(&graph->param[id])) {
                layout->order[layout->order_count++] = id;
                err = append(graph, id, layout, &layout->trainable_count);
            } else {
                err = append(graph, id, layout, &layout->state_count);
            }
        }
    }
    return err;
}

sg_err sg_param_layout_create(const sg_graph *graph, sg_param_layout **layout)
{
    *layout = NULL;
    sg_param_layout *made = NULL;
    sg_err err = sg_calloc(1, sizeof *made, &made);
    if (err)
        return err;
    err = sg_calloc((size_t)graph->param_count, sizeof *made->offset, &made->offset);
    if (!err)
        err = sg_calloc((size_t)graph->param_count, sizeof *made->order, &made->order);
    if (!err)
        err = fill(graph, made);
    if (err)
        sg_param_layout_close(made);
    else
        *layout = made;
    return err;
}

void sg_param_layout_close(sg_param_layout *layout)
{
    if (!layout)
        return;
    sg_free(layout->offset);
    sg_free(layout->order);
    sg_free(layout);
}
