#include "nn/fit.h"

int64_t sg_fitting_batch(const sg_graph *graph, sg_shape input, sg_dtype type, sg_plan_mode mode,
                         size_t bytes, int64_t most)
{
    int64_t fits = 0;
    while (fits < most) {
        sg_plan *plan = NULL;
        input.n = fits + (most - fits + 1) / 2;
        sg_err err = sg_plan_create(graph, input, type, mode, &plan);
        if (!err && plan->arena_bytes <= bytes)
            fits = input.n;
        else
            most = input.n - 1;
        sg_plan_close(plan);
    }
    return fits;
}
