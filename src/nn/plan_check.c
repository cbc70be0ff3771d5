/* Whether a plan keeps its promises, told from its result alone. */
#include "nn/plan.h"

#include "base/size.h"
#include "nn/beside.h"
#include "nn/plan_memory.h"

static sg_err broken(const sg_plan *plan, int32_t step, const char *what)
{
    const sg_node *node = &plan->graph->node[plan->step[step].node];
    return sg_fail(SG_EINTERNAL, "plan, step %d (%s): %s", (int)step, node->name, what);
}

static bool value_is_alive(const sg_plan *plan, int32_t tensor, int32_t step)
{
    const sg_plan_tensor *t = &plan->tensor[tensor];
    bool again = t->again_first >= 0 && t->again_first <= step && step <= t->again_last;
    return again || (t->first <= step && step <= t->last);
}

static bool gradient_is_alive(const sg_plan *plan, int32_t tensor, int32_t step)
{
    const sg_plan_tensor *t = &plan->tensor[tensor];
    return t->gradient != SG_NOWHERE && t->grad_first <= step && step <= t->grad_last;
}

static sg_err check_forward(const sg_plan *plan, int32_t s)
{
    const sg_node *node = &plan->graph->node[plan->step[s].node];
    if (plan->step[s].node != s || s >= plan->forward_steps)
        return broken(plan, s, "out of order");
    for (int32_t i = 0; i < node->inputs; i++) {
        if (!value_is_alive(plan, node->input[i], s))
            return broken(plan, s, "an input is not alive");
    }
    if (plan->tensor[node->output].first != s)
        return broken(plan, s, "the output is not alive from here on");
    return SG_OK;
}

/* A node runs a second time where the plan says so, after all forward steps, and into memory of its
 * own time. */
static sg_err check_again(const sg_plan *plan, int32_t s)
{
    int32_t n = plan->step[s].node;
    const sg_node *node = &plan->graph->node[n];
    if (plan->mode != SG_PLAN_RECOMPUTE || s < plan->forward_steps || plan->node[n].again != s)
        return broken(plan, s, "out of order");
    for (int32_t i = 0; i < node->inputs; i++) {
        if (!value_is_alive(plan, node->input[i], s))
            return broken(plan, s, "an input is not alive again");
    }
    const sg_plan_tensor *out = &plan->tensor[node->output];
    if (out->again_first != s || out->last >= s)
        return broken(plan, s, "the output is not alive from here on, or still is");
    return SG_OK;
}

/* What is to run twice does. */
static sg_err check_all_again(const sg_plan *plan)
{
    for (int32_t n = 0; n < plan->graph->nodes; n++) {
        int32_t s = plan->node[n].again;
        bool there = s >= 0 && s < plan->steps && plan->step[s].kind == SG_STEP_AGAIN &&
                     plan->step[s].node == n;
        if ((s >= 0) != there ||
            there != (plan->tensor[plan->graph->node[n].output].again_first >= 0))
            return sg_fail(SG_EINTERNAL, "plan: node %d is not computed again where it should be",
                           (int)n);
    }
    return SG_OK;
}

static sg_err check_values(const sg_plan *plan, int32_t s)
{
    const sg_node *node = &plan->graph->node[plan->step[s].node];
    int needs = sg_op_definition(node->op)->needs(node);
    for (int32_t i = 0; i < node->inputs && (needs & SG_NEEDS_INPUT); i++) {
        if (!value_is_alive(plan, node->input[i], s))
            return broken(plan, s, "an input that it needs is not alive");
    }
    if ((needs & SG_NEEDS_OUTPUT) && !value_is_alive(plan, node->output, s))
        return broken(plan, s, "the output, which it needs, is not alive");
    return SG_OK;
}

/* stored[t]: the gradient of t has been stored. */
static sg_err check_backward(const sg_plan *plan, int32_t s, bool *stored)
{
    int32_t n = plan->step[s].node;
    const sg_node *node = &plan->graph->node[n];
    sg_err err = check_values(plan, s);
    if (err)
        return err;
    if (!sg_op_is_loss(node->op) &&
        !(stored[node->output] && gradient_is_alive(plan, node->output, s)))
        return broken(plan, s, "the output's gradient is not there");
    for (int32_t i = 0; i < node->inputs; i++) {
        int32_t t = node->input[i];
        sg_grad_write write = plan->node[n].write[i];
        if (write == SG_GRAD_NONE)
            continue;
        if (!gradient_is_alive(plan, t, s))
            return broken(plan, s, "an input's gradient has no place");
        if (stored[t] == (write == SG_GRAD_STORE))
            return broken(plan, s, "an input's gradient is stored twice or added to nothing");
        if (write == SG_GRAD_ADD && !(sg_op_definition(node->op)->adds_gradient >> i & 1))
            return broken(plan, s, "the operator cannot add");
        for (int32_t k = 0; k < i && write != SG_GRAD_TEMPORARY; k++) {
            if (node->input[k] == t)
                return broken(plan, s, "one gradient is written through two inputs");
        }
        if (write == SG_GRAD_TEMPORARY && plan->node[n].temporary[i] == SG_NOWHERE)
            return broken(plan, s, "a temporary gradient has no place");
        stored[t] = true;
    }
    return SG_OK;
}

static sg_err check_accumulate(const sg_plan *plan, int32_t s, const bool *stored)
{
    const sg_step *step = &plan->step[s];
    const sg_node *node = &plan->graph->node[step->node];
    int32_t back = s - 1;
    while (back > 0 && plan->step[back].kind == SG_STEP_ACCUMULATE)
        back--;
    int32_t t = node->input[step->slot];
    if (plan->step[back].kind != SG_STEP_BACKWARD || plan->step[back].node != step->node ||
        plan->node[step->node].write[step->slot] != SG_GRAD_TEMPORARY)
        return broken(plan, s, "nothing made the temporary gradient");
    if (!stored[t] || !gradient_is_alive(plan, t, s))
        return broken(plan, s, "there is no gradient to add to");
    return SG_OK;
}

static sg_err check_steps(const sg_plan *plan, bool *stored)
{
    sg_err err = SG_OK;
    for (int32_t s = 0; !err && s < plan->steps; s++) {
        sg_step_kind kind = plan->step[s].kind;
        if (kind == SG_STEP_FORWARD)
            err = check_forward(plan, s);
        else if (kind == SG_STEP_BACKWARD)
            err = check_backward(plan, s, stored);
        else if (kind == SG_STEP_AGAIN)
            err = check_again(plan, s);
        else
            err = check_accumulate(plan, s, stored);
    }
    return err;
}

static sg_err check_regions(const sg_plan *plan, const sg_region *region, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t offset = *region[i].offset;
        if (offset == SG_NOWHERE || offset % SG_ARENA_ALIGN != 0 || offset > plan->arena_bytes ||
            plan->arena_bytes - offset < region[i].bytes)
            return sg_fail(SG_EINTERNAL, "plan: range %zu lies outside of the arena", i);
        if (region[i].first > region[i].last || region[i].first < 0 ||
            region[i].last >= plan->steps)
            return sg_fail(SG_EINTERNAL, "plan: range %zu has no lifetime", i);
        for (size_t k = 0; k < i; k++) {
            bool together = region[k].first <= region[i].last && region[i].first <= region[k].last;
            bool overlap = *region[k].offset < offset + region[i].bytes &&
                           offset < *region[k].offset + region[k].bytes;
            if (together && overlap)
                return sg_fail(SG_EINTERNAL, "plan: ranges %zu and %zu overlap", k, i);
        }
    }
    return SG_OK;
}

sg_err sg_plan_check(const sg_plan *plan)
{
    bool *stored = NULL;
    sg_region *region = NULL;
    size_t count;
    if (plan->forward_steps != plan->graph->nodes)
        return sg_fail(SG_EINTERNAL, "plan: %d forward steps for %d nodes",
                       (int)plan->forward_steps, (int)plan->graph->nodes);
    sg_err err = sg_calloc((size_t)plan->graph->tensors, sizeof *stored, &stored);
    if (!err)
        err = check_all_again(plan);
    if (!err)
        err = check_steps(plan, stored);
    if (!err)
        err = sg_beside_check(plan);
    if (!err)
        err = sg_plan_regions(plan, &region, &count);
    if (!err)
        err = check_regions(plan, region, count);
    sg_free(region);
    sg_free(stored);
    return err;
}
