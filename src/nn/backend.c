#include "nn/backend.h"

static bool lacks(const sg_backend *backend, sg_op op, bool training)
{
    const sg_kernel_def *kernel = backend->kernel[op];
    return !kernel || !kernel->forward || (training && !kernel->backward);
}

static bool uses(const sg_graph *graph, sg_op op)
{
    for (int32_t n = 1; n < graph->nodes; n++) { /* node 0 is the input, which the executor loads */
        if (graph->node[n].op == op)
            return true;
    }
    return false;
}

sg_err sg_backend_covers(const sg_backend *backend, const sg_graph *graph, bool training)
{
    sg_text missing = {0};
    sg_err err = SG_OK;
    for (int op = 0; !err && op < SG_OP_COUNT; op++) {
        if (uses(graph, (sg_op)op) && lacks(backend, (sg_op)op, training))
            err = sg_text_add(&missing, "%s%s", missing.length ? ", " : "", sg_op_name((sg_op)op));
    }
    if (!err && missing.length)
        err = sg_fail(SG_EUNSUPPORTED,
                      "the device \"%s\" cannot %s this network; it lacks the operators: %s",
                      backend->name, training ? "train" : "run", missing.data);
    sg_text_clear(&missing);
    return err;
}

sg_abilities sg_backend_abilities(const sg_backend *backend)
{
    sg_abilities abilities = {{0}};
    for (int op = 0; op < SG_OP_COUNT; op++)
        if (backend->kernel[op])
            abilities.can[op] = (uint8_t)backend->kernel[op]->can;
    return abilities;
}

void sg_backend_close(sg_backend *backend)
{
    if (backend)
        backend->close(backend);
}
