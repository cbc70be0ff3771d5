#include "nn/fit.h"

int64_t sg_fitting_batch(const sg_plan_request *request, size_t bytes, int64_t most)
{
    sg_plan_request tried = *request;
    int64_t fits = 0;
    while (fits < most) {
        sg_plan *plan = NULL;
        tried.input.n = fits + (most - fits + 1) / 2;
        sg_err err = sg_plan_make(&tried, &plan);
        if (!err && plan->arena_bytes <= bytes)
            fits = tried.input.n;
        else
            most = tried.input.n - 1;
        sg_plan_close(plan);
    }
    return fits;
}
