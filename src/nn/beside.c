#include "nn/beside.h"

#include "base/size.h"

typedef struct {
    sg_plan *plan;
    const sg_abilities *abilities;
} chooser;

static bool can(const chooser *c, int32_t node, int bit)
{
    return c->abilities->can[c->plan->graph->node[node].op] & bit;
}

static bool reads(const sg_node *node, int32_t tensor)
{
    for (int32_t i = 0; i < node->inputs; i++)
        if (node->input[i] == tensor)
            return true;
    return false;
}

static bool all_readers_can(const chooser *c, int32_t tensor)
{
    const sg_graph *graph = c->plan->graph;
    for (int32_t n = 0; n < graph->nodes; n++)
        if (reads(&graph->node[n], tensor) && !can(c, n, SG_PITCHED_IN))
            return false;
    return true;
}

static bool fills_words(int64_t channels)
{
    return channels % SG_BESIDE_CHANNELS == 0;
}

/* A value that is dropped goes with its host's; the host's gradient is the first part of a guest's,
 * or it has none. */
static bool lives_alike(const sg_plan *plan, int32_t n, int32_t slot)
{
    int32_t maker = plan->graph->tensor[plan->graph->node[n].input[slot]].maker;
    sg_grad_write write = plan->node[n].write[slot];
    return (plan->node[maker].again >= 0) == (plan->node[n].again >= 0) &&
           (!sg_plan_trains(plan->mode) || write == SG_GRAD_STORE || write == SG_GRAD_NONE);
}

/* channel: the first one of this input in the output of n. */
static bool may_be_guest(const chooser *c, int32_t n, int32_t slot, int64_t channel)
{
    const sg_plan *plan = c->plan;
    const sg_node *node = &plan->graph->node[n];
    int32_t t = node->input[slot], maker = plan->graph->tensor[t].maker;
    const sg_plan_tensor *guest = &plan->tensor[t], *host = &plan->tensor[node->output];
    return guest->host < 0 && plan->node[maker].in_place == 0 && guest->type == host->type &&
           fills_words(channel) && fills_words(guest->shape.c) && fills_words(host->shape.c) &&
           can(c, maker, SG_PITCHED_OUT) && all_readers_can(c, t) && lives_alike(plan, n, slot);
}

static void join(const chooser *c, int32_t n)
{
    sg_plan *plan = c->plan;
    const sg_node *node = &plan->graph->node[n];
    const sg_plan_tensor *out = &plan->tensor[node->output];
    int64_t channel = 0;
    for (int32_t i = 0; i < node->inputs; i++) {
        sg_plan_tensor *in = &plan->tensor[node->input[i]];
        if (may_be_guest(c, n, i, channel)) {
            in->host = node->output;
            in->channel = channel;
            in->pitch = out->shape.c;
            plan->node[n].in_place |= 1u << i;
        }
        channel += in->shape.c;
    }
}

void sg_beside_choose(sg_plan *plan, const sg_abilities *abilities)
{
    const chooser c = {plan, abilities};
    for (int32_t t = 0; t < plan->graph->tensors; t++) {
        plan->tensor[t].host = -1;
        plan->tensor[t].pitch = plan->tensor[t].shape.c;
    }
    for (int32_t n = 0; abilities && n < plan->graph->nodes; n++)
        if (sg_op_definition(plan->graph->node[n].op)->joins && can(&c, n, SG_PITCHED_IN))
            join(&c, n);
}

static void widen(int32_t first, int32_t last, int32_t *all_first, int32_t *all_last)
{
    if (first >= 0 && (*all_first < 0 || first < *all_first))
        *all_first = first;
    if (last > *all_last)
        *all_last = last;
}

sg_beside_life sg_beside_life_of(const sg_plan *plan, int32_t tensor)
{
    const sg_plan_tensor *own = &plan->tensor[tensor];
    const sg_node *maker = &plan->graph->node[plan->graph->tensor[tensor].maker];
    sg_beside_life life = {own->first,      own->last,       own->again_first,
                           own->again_last, own->grad_first, own->grad_last};
    for (int32_t i = 0; i < maker->inputs; i++) {
        const sg_plan_tensor *guest = &plan->tensor[maker->input[i]];
        if (guest->host != tensor)
            continue;
        widen(guest->first, guest->last, &life.first, &life.last);
        widen(guest->again_first, guest->again_last, &life.again_first, &life.again_last);
        widen(guest->grad_first, guest->grad_last, &life.grad_first, &life.grad_last);
    }
    return life;
}

static size_t within(const sg_plan_tensor *guest, size_t host, sg_dtype type)
{
    return host + (size_t)guest->channel * sg_dtype_size(type);
}

void sg_beside_settle(const sg_plan *plan)
{
    for (int32_t t = 0; t < plan->graph->tensors; t++) {
        sg_plan_tensor *guest = &plan->tensor[t];
        if (guest->host < 0)
            continue;
        const sg_plan_tensor *host = &plan->tensor[guest->host];
        guest->value = within(guest, host->value, guest->type);
        if (guest->again_first >= 0)
            guest->again = within(guest, host->again, guest->type);
        if (guest->grad_first >= 0)
            guest->gradient = within(guest, host->gradient, plan->type);
    }
}

static bool settled(const sg_plan *plan, int32_t t)
{
    const sg_plan_tensor *guest = &plan->tensor[t], *host = &plan->tensor[guest->host];
    return guest->value == within(guest, host->value, guest->type) &&
           (guest->again_first < 0) == (host->again_first < 0) &&
           (guest->again_first < 0 || guest->again == within(guest, host->again, guest->type)) &&
           (guest->grad_first < 0 ||
            (host->grad_last >= guest->grad_first &&
             guest->gradient == within(guest, host->gradient, plan->type))) &&
           guest->pitch == host->shape.c && guest->type == host->type &&
           guest->channel + guest->shape.c <= host->shape.c;
}

/* Where input i of node n lies, if it is a guest of the output, is what it is joined to. */
static sg_err check_join(const sg_plan *plan, int32_t n)
{
    const sg_node *node = &plan->graph->node[n];
    int64_t channel = 0;
    for (int32_t i = 0; i < node->inputs; i++) {
        const sg_plan_tensor *in = &plan->tensor[node->input[i]];
        bool place = in->host == node->output && in->channel == channel;
        if ((plan->node[n].in_place >> i & 1) != place)
            return sg_fail(SG_EINTERNAL, "plan, %s: input %d does not lie where it is joined",
                           node->name, (int)i);
        channel += in->shape.c;
    }
    return SG_OK;
}

sg_err sg_beside_check(const sg_plan *plan)
{
    sg_err err = SG_OK;
    for (int32_t t = 0; t < plan->graph->tensors; t++) {
        const sg_plan_tensor *tensor = &plan->tensor[t];
        bool well = tensor->host < 0 ? tensor->pitch == tensor->shape.c
                                     : plan->tensor[tensor->host].host < 0 && settled(plan, t);
        if (!well)
            return sg_fail(SG_EINTERNAL, "plan: tensor %d does not lie in its host", (int)t);
    }
    for (int32_t n = 0; !err && n < plan->graph->nodes; n++)
        err = check_join(plan, n);
    return err;
}
