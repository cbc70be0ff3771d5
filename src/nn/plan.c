/*
 * The schedule of a plan and the lifetimes that follow from it. Forward step n runs node n.
 * Backward steps run the nodes in reverse, but those whose result no parameter needs.
 */
#include "nn/plan.h"

#include "base/size.h"
#include "nn/beside.h"
#include "nn/plan_memory.h"
#include "nn/recompute.h"

/* What only making a plan needs. */
typedef struct {
    sg_plan *plan;
    const sg_graph *graph;
    bool *active; /* per node: it or a node before it has something to train */
} maker;

static sg_err allocate(maker *m, const sg_graph *graph, sg_dtype type, sg_plan_mode mode)
{
    size_t nodes = (size_t)graph->nodes;
    sg_err err = sg_calloc(1, sizeof *m->plan, &m->plan);
    if (err)
        return err;
    m->graph = graph;
    sg_plan *plan = m->plan;
    plan->graph = graph;
    plan->type = type;
    plan->mode = mode;
    err = sg_calloc((size_t)graph->tensors, sizeof *plan->tensor, &plan->tensor);
    if (!err)
        err = sg_calloc(nodes, sizeof *plan->node, &plan->node);
    if (!err) /* forward, backward, again and an accumulate per input */
        err = sg_calloc(nodes * (3 + SG_MAX_INPUTS), sizeof *plan->step, &plan->step);
    if (!err)
        err = sg_calloc(nodes, sizeof *m->active, &m->active);
    return err;
}

/* There is a label for each pixel of the input: a loss must not read more. */
static sg_err check_labels(const sg_node *node, sg_shape logits, sg_shape input)
{
    if (logits.n * logits.h * logits.w <= input.n * input.h * input.w)
        return SG_OK;
    return sg_fail(SG_EUSAGE, "%s: logits of %lld x %lld pixels, but labels of %lld x %lld",
                   node->name, (long long)logits.h, (long long)logits.w, (long long)input.h,
                   (long long)input.w);
}

static sg_err infer_node(const sg_plan *plan, int32_t n, sg_shape input)
{
    const sg_node *node = &plan->graph->node[n];
    const sg_op_def *def = sg_op_definition(node->op);
    sg_plan_tensor *out = &plan->tensor[node->output];
    sg_shape in[SG_MAX_INPUTS] = {input};
    for (int32_t i = 0; i < node->inputs; i++)
        in[i] = plan->tensor[node->input[i]].shape;
    sg_err err = def->shape(node, in, &out->shape);
    if (!err && sg_op_is_loss(node->op))
        err = check_labels(node, in[0], plan->tensor[0].shape);
    if (err)
        return err;
    SG_ASSERT(out->shape.c == plan->graph->tensor[node->output].channels);
    out->type = node->out_f32 ? SG_F32 : plan->type;
    out->value = out->again = out->gradient = SG_NOWHERE;
    out->again_first = out->again_last = out->grad_first = out->grad_last = -1;
    plan->node[n].saved = plan->node[n].saved_again = SG_NOWHERE;
    if (sg_plan_trains(plan->mode) && def->saved)
        plan->node[n].saved_bytes = def->saved(node, in, out->shape);
    size_t bytes;
    return sg_shape_bytes(out->shape, SG_F32, &bytes);
}

static double node_flops(const sg_plan *plan, int32_t n)
{
    const sg_node *node = &plan->graph->node[n];
    const sg_op_def *def = sg_op_definition(node->op);
    sg_shape in[SG_MAX_INPUTS] = {plan->tensor[0].shape};
    for (int32_t i = 0; i < node->inputs; i++)
        in[i] = plan->tensor[node->input[i]].shape;
    return def->flops ? def->flops(node, in, plan->tensor[node->output].shape) : 0;
}

static sg_err infer_shapes(sg_plan *plan, sg_shape input)
{
    sg_err err = SG_OK;
    for (int32_t n = 0; !err && n < plan->graph->nodes; n++) {
        err = infer_node(plan, n, input);
        if (!err)
            plan->flops += node_flops(plan, n);
    }
    return err;
}

static void find_active(maker *m)
{
    for (int32_t n = 0; n < m->graph->nodes; n++) {
        const sg_node *node = &m->graph->node[n];
        for (int32_t p = 0; p < node->params; p++)
            m->active[n] |= sg_param_is_trainable(&m->graph->param[node->param[p]]);
        for (int32_t i = 0; i < node->inputs; i++)
            m->active[n] |= m->active[m->graph->tensor[node->input[i]].maker];
    }
}

static void push_step(sg_plan *plan, sg_step_kind kind, int32_t node, int32_t slot)
{
    plan->step[plan->steps++] = (sg_step){.kind = kind, .node = node, .slot = slot};
}

static bool read_by_earlier_slot(const sg_node *node, int32_t slot)
{
    for (int32_t i = 0; i < slot; i++) {
        if (node->input[i] == node->input[slot])
            return true;
    }
    return false;
}

/* An operator that reads one tensor twice gets two destinations: it may fill them in any order. */
static sg_grad_write choose_write(const maker *m, const sg_node *node, int32_t slot)
{
    const sg_plan_tensor *tensor = &m->plan->tensor[node->input[slot]];
    if (!m->active[m->graph->tensor[node->input[slot]].maker])
        return SG_GRAD_NONE;
    if (tensor->grad_first < 0)
        return SG_GRAD_STORE;
    bool adds = sg_op_definition(node->op)->adds_gradient >> slot & 1;
    return adds && !read_by_earlier_slot(node, slot) ? SG_GRAD_ADD : SG_GRAD_TEMPORARY;
}

static void schedule_backward_node(const maker *m, int32_t n)
{
    sg_plan *plan = m->plan;
    const sg_node *node = &m->graph->node[n];
    int32_t here = plan->steps;
    push_step(plan, SG_STEP_BACKWARD, n, 0);
    if (!sg_op_is_loss(node->op))
        plan->tensor[node->output].grad_last = here;
    for (int32_t i = 0; i < node->inputs; i++) {
        sg_grad_write write = choose_write(m, node, i);
        plan->node[n].write[i] = write;
        plan->node[n].temporary[i] = SG_NOWHERE;
        if (write == SG_GRAD_STORE)
            plan->tensor[node->input[i]].grad_first = here;
        else if (write == SG_GRAD_TEMPORARY)
            push_step(plan, SG_STEP_ACCUMULATE, n, i);
    }
}

/* Before the first backward step of a part: what of it is computed again. */
static void schedule_again(sg_plan *plan, int32_t part)
{
    for (int32_t n = 0; n < plan->graph->nodes; n++) {
        sg_plan_node *at = &plan->node[n];
        if (at->part != part || at->again < 0)
            continue;
        at->again = plan->steps;
        plan->tensor[plan->graph->node[n].output].again_first = plan->steps;
        plan->again_flops += node_flops(plan, n);
        push_step(plan, SG_STEP_AGAIN, n, 0);
    }
}

static void schedule(const maker *m)
{
    sg_plan *plan = m->plan;
    int32_t part = -1;
    for (int32_t n = 0; n < m->graph->nodes; n++)
        push_step(plan, SG_STEP_FORWARD, n, 0);
    plan->forward_steps = plan->steps;
    if (!sg_plan_trains(plan->mode))
        return;
    for (int32_t n = m->graph->nodes - 1; n > 0; n--) {
        if (!m->active[n])
            continue;
        if (plan->node[n].part != part)
            schedule_again(plan, plan->node[n].part);
        part = plan->node[n].part;
        schedule_backward_node(m, n);
    }
}

static void extend(sg_plan_tensor *tensor, int32_t step)
{
    bool again = tensor->again_first >= 0 && step >= tensor->again_first;
    int32_t *last = again ? &tensor->again_last : &tensor->last;
    if (step > *last)
        *last = step;
}

/* Values that one step reads. */
static void extend_values(const sg_plan *plan, int32_t s)
{
    const sg_step *step = &plan->step[s];
    const sg_node *node = &plan->graph->node[step->node];
    int reads = SG_NEEDS_NOTHING;
    if (step->kind == SG_STEP_FORWARD || step->kind == SG_STEP_AGAIN)
        reads = SG_NEEDS_INPUT | SG_NEEDS_OUTPUT;
    else if (step->kind == SG_STEP_BACKWARD)
        reads = sg_op_definition(node->op)->needs(node);
    for (int32_t i = 0; i < node->inputs && (reads & SG_NEEDS_INPUT); i++)
        extend(&plan->tensor[node->input[i]], s);
    if (reads & SG_NEEDS_OUTPUT)
        extend(&plan->tensor[node->output], s);
}

/* The network's output, and in training the logits too, can be read until the end. */
static void find_lifetimes(const sg_plan *plan)
{
    for (int32_t n = 0; n < plan->graph->nodes; n++)
        plan->tensor[plan->graph->node[n].output].first = n;
    for (int32_t s = 0; s < plan->steps; s++)
        extend_values(plan, s);
    const sg_node *last = &plan->graph->node[plan->graph->nodes - 1];
    extend(&plan->tensor[last->output], plan->steps - 1);
    if (sg_op_is_loss(last->op))
        extend(&plan->tensor[last->input[0]], plan->steps - 1);
}

static sg_err place(sg_plan *plan)
{
    sg_region *regions = NULL;
    size_t count;
    sg_err err = sg_plan_regions(plan, &regions, &count);
    if (!err)
        err = sg_plan_place(regions, count, &plan->arena_bytes);
    sg_free(regions);
    if (!err)
        sg_beside_settle(plan);
    return err;
}

/* parts: into which the network is cut to be computed again; 1: nothing is. */
static sg_err make_plan(maker *m, const sg_plan_request *r, int32_t parts)
{
    sg_err err = allocate(m, r->graph, r->type, r->mode);
    if (!err)
        err = infer_shapes(m->plan, r->input);
    if (err)
        return err;
    find_active(m);
    err = sg_recompute_mark(m->plan, m->active, parts);
    if (err)
        return err;
    schedule(m);
    sg_beside_choose(m->plan, r->abilities);
    find_lifetimes(m->plan);
    return place(m->plan);
}

static sg_err create(const sg_plan_request *r, int32_t parts, sg_plan **plan)
{
    maker m = {0};
    *plan = NULL;
    sg_err err = make_plan(&m, r, parts);
    sg_free(m.active);
    if (err)
        sg_plan_close(m.plan);
    else
        *plan = m.plan;
    return err;
}

/* *best becomes the plan for so many parts if that has a smaller arena; NULL: none so far. */
static sg_err try_parts(const sg_plan_request *r, int32_t parts, sg_plan **best)
{
    sg_plan *tried;
    sg_err err = create(r, parts, &tried);
    if (err)
        return err;
    bool better = !*best || tried->arena_bytes < (*best)->arena_bytes;
    sg_plan_close(better ? *best : tried);
    *best = better ? tried : *best;
    return SG_OK;
}

/* The plan with the smallest arena, and of such the one that computes least twice. A tensor among
 * another's channels takes their room as long as it lives, so that copying may need less. */
static sg_err create_smallest(const sg_plan_request *r, sg_plan **plan)
{
    sg_plan_request copying = *r;
    sg_err err = SG_OK;
    *plan = NULL;
    copying.abilities = NULL;
    for (int i = 0; !err && i < SG_RECOMPUTE_TRIALS; i++) {
        err = try_parts(r, sg_recompute_parts[i], plan);
        if (!err && r->abilities)
            err = try_parts(&copying, sg_recompute_parts[i], plan);
    }
    if (err) {
        sg_plan_close(*plan);
        *plan = NULL;
    }
    return err;
}

sg_err sg_plan_make(const sg_plan_request *r, sg_plan **plan)
{
    *plan = NULL;
    sg_err err = sg_graph_check(r->graph);
    if (err)
        return err;
    const sg_node *last = &r->graph->node[r->graph->nodes - 1];
    if (sg_plan_trains(r->mode) && !sg_op_is_loss(last->op))
        return sg_fail(SG_EUSAGE, "%s: a network that is trained must end in a loss", last->name);
    return r->mode == SG_PLAN_RECOMPUTE ? create_smallest(r, plan) : create(r, 1, plan);
}

sg_err sg_plan_create(const sg_graph *graph, sg_shape input, sg_dtype type, sg_plan_mode mode,
                      sg_plan **plan)
{
    const sg_plan_request request = {graph, input, type, mode, NULL};
    return sg_plan_make(&request, plan);
}

void sg_plan_close(sg_plan *plan)
{
    if (!plan)
        return;
    sg_free(plan->tensor);
    sg_free(plan->node);
    sg_free(plan->step);
    sg_free(plan);
}
