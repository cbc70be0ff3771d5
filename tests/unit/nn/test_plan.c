/*
 * Plans over many networks and sizes. Beside sg_plan_check there is a second opinion here: the
 * schedule is run on an arena of names. Every byte range remembers what was last written to it, and
 * a step may only read what it expects to find. It uses the operators' needs and the offsets alone,
 * none of the plan's lifetimes. A tensor among another's channels is a set of ranges, one a pixel.
 */
#include "nets.h"

#include <math.h>
#include <stdlib.h>
#include "nn/plan.h"
#include "base/size.h"
#include "nn/plan_memory.h"

/* Convolutions of four channels, one after another. */
static sg_graph *net_chain(int32_t layers)
{
    sg_graph *graph;
    int32_t at;
    must(sg_graph_create(&graph));
    must(sg_graph_input(graph, 4, &at));
    for (int32_t i = 0; i < layers; i++) {
        char name[16];
        snprintf(name, sizeof name, "conv%d", (int)i);
        must(sg_graph_conv(graph, name, at, 4, 3, 1, 1, 1, &at));
    }
    must(sg_graph_freeze(graph));
    return graph;
}

typedef enum { VALUE, GRADIENT, SAVED, TEMPORARY } what;

typedef struct {
    size_t offset;
    size_t bytes, pitch, pixels; /* of a pixel, and from one to the next; 1 pixel: all in one */
    int what, id, slot;
    int parts; /* of a gradient: how many were summed */
    int host;  /* the tensor whose channels these are, or -1 */
} content;

typedef struct {
    const sg_plan *plan;
    content *content; /* newest last; what is written over is taken out */
    int count;
    bool again[SG_MAX_NODES]; /* per node: it has run forward a second time */
} arena;

static size_t tensor_bytes(const sg_plan *plan, int32_t t, sg_dtype type)
{
    sg_shape s = plan->tensor[t].shape;
    return (size_t)(s.n * s.h * s.w * s.c) * (type == SG_F32 ? 4u : 2u);
}

/* Whether [begin, end) has a byte of c. */
static bool meets(const content *c, size_t begin, size_t end)
{
    if (end <= c->offset)
        return false;
    size_t from = begin > c->offset ? begin - c->offset : 0;
    size_t pixel = c->pixels > 1 ? from / c->pitch : 0;
    for (size_t p = pixel; p < pixel + 2 && p < c->pixels; p++) {
        size_t at = c->offset + p * c->pitch;
        if (at < end && begin < at + c->bytes)
            return true;
    }
    return false;
}

static bool overlap(const content *a, const content *b)
{
    const content *few = a->pixels < b->pixels ? a : b, *many = few == a ? b : a;
    for (size_t p = 0; p < few->pixels; p++) {
        size_t at = few->offset + p * few->pitch;
        if (meets(many, at, at + few->bytes))
            return true;
    }
    return false;
}

/* What a write leaves alone though it lies there: joining writes the host's value around those of
 * its guests, and its backward step makes the host's gradient theirs. */
static bool stays(const content *other, const content *written)
{
    if (other->what != written->what)
        return false;
    return written->what == VALUE ? other->host == written->id : written->host == other->id;
}

static void write_content(arena *a, content c)
{
    assert_true(c.offset != SG_NOWHERE && c.offset % (c.host < 0 ? SG_ARENA_ALIGN : 16) == 0);
    assert_true(c.offset + (c.pixels - 1) * c.pitch + c.bytes <= a->plan->arena_bytes);
    int kept = 0;
    for (int i = 0; i < a->count; i++) {
        content other = a->content[i];
        if (stays(&other, &c) || !overlap(&other, &c))
            a->content[kept++] = other;
    }
    a->content[kept++] = c;
    a->count = kept;
}

/* The first life of what is computed twice. */
static void forget(arena *a, content c)
{
    int kept = 0;
    for (int i = 0; i < a->count; i++) {
        content other = a->content[i];
        if (other.what != c.what || other.id != c.id)
            a->content[kept++] = other;
    }
    a->count = kept;
}

/* The content must be there whole; returns how many parts it was summed from. */
static int read_content(const arena *a, content c)
{
    for (int i = 0; i < a->count; i++) {
        const content *other = &a->content[i];
        if (other->what == c.what && other->id == c.id && other->slot == c.slot) {
            assert_int_equal(other->offset, c.offset);
            assert_int_equal(other->bytes, c.bytes);
            assert_int_equal(other->pixels, c.pixels);
            return other->parts;
        }
    }
    fail_msg("content %d of %d, slot %d, has been written over", c.what, c.id, c.slot);
    return 0;
}

static content whole(size_t at, size_t bytes, int kind, int id, int slot)
{
    return (content){at, bytes, bytes, 1, kind, id, slot, 1, -1};
}

static content tensor_at(const arena *a, int32_t t, size_t at, sg_dtype type, int kind)
{
    const sg_plan_tensor *tensor = &a->plan->tensor[t];
    content c = whole(at, tensor_bytes(a->plan, t, type), kind, t, 0);
    if (tensor->host < 0)
        return c;
    sg_shape host = a->plan->tensor[tensor->host].shape, own = tensor->shape;
    c.pixels = (size_t)(own.n * own.h * own.w);
    c.bytes /= c.pixels;
    c.pitch = (size_t)host.c * (type == SG_F32 ? 4u : 2u);
    c.host = tensor->host;
    assert_int_equal(tensor->pitch, host.c);
    return c;
}

static content value_of(const arena *a, int32_t t)
{
    const sg_plan_tensor *tensor = &a->plan->tensor[t];
    size_t at = a->again[a->plan->graph->tensor[t].maker] ? tensor->again : tensor->value;
    return tensor_at(a, t, at, tensor->type, VALUE);
}

static content gradient_of(const arena *a, int32_t t, int parts)
{
    content c = tensor_at(a, t, a->plan->tensor[t].gradient, a->plan->type, GRADIENT);
    c.parts = parts;
    return c;
}

static content saved_of(const arena *a, int32_t n)
{
    const sg_plan_node *at = &a->plan->node[n];
    bool anew = a->again[n] && !sg_op_definition(a->plan->graph->node[n].op)->saved_once;
    return whole(anew ? at->saved_again : at->saved, at->saved_bytes, SAVED, n, 0);
}

static content temporary_of(const arena *a, int32_t n, int32_t slot)
{
    int32_t t = a->plan->graph->node[n].input[slot];
    return whole(a->plan->node[n].temporary[slot], tensor_bytes(a->plan, t, a->plan->type),
                 TEMPORARY, n, slot);
}

/* What a step that joins does not copy is there already. */
static void expect_in_place(const arena *a, int32_t n)
{
    const sg_node *node = &a->plan->graph->node[n];
    size_t at = value_of(a, node->output).offset, channel = 0;
    for (int32_t i = 0; i < node->inputs; i++) {
        const sg_plan_tensor *in = &a->plan->tensor[node->input[i]];
        size_t size = in->type == SG_F32 ? 4 : 2;
        if (a->plan->node[n].in_place >> i & 1) {
            assert_int_equal(value_of(a, node->input[i]).offset, at + channel * size);
            assert_int_equal(in->host, node->output);
            assert_int_equal(node->op, SG_OP_concat);
        }
        channel += (size_t)in->shape.c;
    }
}

static void run_forward(arena *a, int32_t n)
{
    const sg_node *node = &a->plan->graph->node[n];
    expect_in_place(a, n);
    for (int32_t i = 0; i < node->inputs; i++)
        read_content(a, value_of(a, node->input[i]));
    write_content(a, value_of(a, node->output));
    if (a->plan->node[n].saved_bytes > 0)
        write_content(a, saved_of(a, n));
    for (int32_t i = 0; i < node->inputs; i++) /* it is not written over while being read */
        read_content(a, value_of(a, node->input[i]));
}

/* As run_forward, but what is saved once is read. */
static void run_again(arena *a, int32_t n)
{
    const sg_node *node = &a->plan->graph->node[n];
    bool once = sg_op_definition(node->op)->saved_once;
    assert_false(a->again[n]);
    a->again[n] = true;
    for (int32_t i = 0; i < node->inputs; i++)
        read_content(a, value_of(a, node->input[i]));
    expect_in_place(a, n);
    forget(a, value_of(a, node->output));
    write_content(a, value_of(a, node->output));
    if (a->plan->node[n].saved_bytes > 0 && once)
        read_content(a, saved_of(a, n));
    else if (a->plan->node[n].saved_bytes > 0) {
        forget(a, saved_of(a, n));
        write_content(a, saved_of(a, n));
    }
    for (int32_t i = 0; i < node->inputs; i++)
        read_content(a, value_of(a, node->input[i]));
}

static bool is_active(const sg_graph *g, int32_t n)
{
    const sg_node *node = &g->node[n];
    for (int32_t p = 0; p < node->params; p++) {
        if (sg_param_is_trainable(&g->param[node->param[p]]))
            return true;
    }
    for (int32_t i = 0; i < node->inputs; i++) {
        if (is_active(g, g->tensor[node->input[i]].maker))
            return true;
    }
    return false;
}

/* How often active nodes read t. */
static int parts_wanted(const sg_graph *g, int32_t t)
{
    int parts = 0;
    for (int32_t n = 0; n < g->nodes; n++) {
        for (int32_t i = 0; i < g->node[n].inputs; i++)
            parts += g->node[n].input[i] == t;
    }
    return parts;
}

static void write_gradient(arena *a, int32_t n, int32_t slot)
{
    int32_t t = a->plan->graph->node[n].input[slot];
    sg_grad_write write = a->plan->node[n].write[slot];
    for (int32_t k = 0; k < slot; k++) /* an operator may fill its destinations in any order */
        assert_true(a->plan->graph->node[n].input[k] != t || write == SG_GRAD_TEMPORARY ||
                    write == SG_GRAD_NONE);
    bool wanted = is_active(a->plan->graph, a->plan->graph->tensor[t].maker);
    assert_int_equal(write != SG_GRAD_NONE, wanted);
    if (write == SG_GRAD_STORE)
        write_content(a, gradient_of(a, t, 1));
    else if (write == SG_GRAD_ADD)
        write_content(a, gradient_of(a, t, 1 + read_content(a, gradient_of(a, t, 0))));
    else if (write == SG_GRAD_TEMPORARY)
        write_content(a, temporary_of(a, n, slot));
}

static void read_for_backward(const arena *a, int32_t n)
{
    const sg_graph *g = a->plan->graph;
    const sg_node *node = &g->node[n];
    int needs = sg_op_definition(node->op)->needs(node);
    for (int32_t i = 0; i < node->inputs && (needs & SG_NEEDS_INPUT); i++)
        read_content(a, value_of(a, node->input[i]));
    if (needs & SG_NEEDS_OUTPUT)
        read_content(a, value_of(a, node->output));
    if (a->plan->node[n].saved_bytes > 0)
        read_content(a, saved_of(a, n));
    if (n < g->nodes - 1) {
        int parts = read_content(a, gradient_of(a, node->output, 0));
        assert_int_equal(parts, parts_wanted(g, node->output));
    }
}

static void run_backward(arena *a, int32_t n)
{
    const sg_node *node = &a->plan->graph->node[n];
    read_for_backward(a, n);
    for (int32_t i = 0; i < node->inputs; i++)
        write_gradient(a, n, i);
    read_for_backward(a, n);       /* still there after all that it writes */
    if (a->plan->node[n].in_place) /* it has become the inputs' */
        forget(a, gradient_of(a, node->output, 0));
}

static void run_accumulate(arena *a, int32_t n, int32_t slot)
{
    int32_t t = a->plan->graph->node[n].input[slot];
    int parts = read_content(a, gradient_of(a, t, 0));
    read_content(a, temporary_of(a, n, slot));
    write_content(a, gradient_of(a, t, parts + 1));
}

/* What must be readable when all is done. */
static void read_results(const arena *a)
{
    const sg_graph *g = a->plan->graph;
    const sg_node *last = &g->node[g->nodes - 1];
    read_content(a, value_of(a, last->output));
    if (sg_plan_trains(a->plan->mode))
        read_content(a, value_of(a, last->input[0]));
}

static void run_schedule(const sg_plan *plan)
{
    arena a = {.plan = plan};
    int backward[SG_MAX_NODES] = {0};
    a.content = calloc((size_t)plan->steps * (SG_MAX_INPUTS + 2), sizeof *a.content);
    for (int32_t s = 0; s < plan->steps; s++) {
        const sg_step *step = &plan->step[s];
        assert_int_equal(step->kind == SG_STEP_FORWARD, s < plan->forward_steps);
        if (step->kind == SG_STEP_FORWARD) {
            assert_int_equal(step->node, s);
            run_forward(&a, step->node);
        } else if (step->kind == SG_STEP_BACKWARD) {
            backward[step->node]++;
            run_backward(&a, step->node);
        } else if (step->kind == SG_STEP_AGAIN) {
            assert_int_equal(backward[step->node], 0);
            run_again(&a, step->node);
        } else {
            run_accumulate(&a, step->node, step->slot);
        }
    }
    for (int32_t n = 0; n < plan->graph->nodes; n++)
        assert_int_equal(backward[n], sg_plan_trains(plan->mode) && is_active(plan->graph, n));
    read_results(&a);
    free(a.content);
}

/* The most bytes that live at one step: no placement can be smaller. */
static size_t least_arena(const sg_plan *plan)
{
    sg_region *region;
    size_t count, most = 0;
    must(sg_plan_regions(plan, &region, &count));
    for (int32_t s = 0; s < plan->steps; s++) {
        size_t sum = 0;
        for (size_t i = 0; i < count; i++)
            sum += region[i].first <= s && s <= region[i].last ? region[i].bytes : 0;
        most = sum > most ? sum : most;
    }
    sg_free(region);
    return most;
}

static size_t check_request(const sg_plan_request *request, int *in_place)
{
    sg_plan *plan;
    must(sg_plan_make(request, &plan));
    must(sg_plan_check(plan));
    run_schedule(plan);
    size_t least = least_arena(plan);
    assert_true(plan->arena_bytes >= least && plan->arena_bytes <= least + least / 2);
    assert_true(plan->flops > 0);
    assert_true(plan->again_flops <= plan->flops);
    size_t bytes = plan->arena_bytes;
    for (int32_t n = 0; n < plan->graph->nodes; n++)
        for (int i = 0; i < SG_MAX_INPUTS; i++)
            *in_place += plan->node[n].in_place >> i & 1;
    sg_plan_close(plan);
    return bytes;
}

static size_t check_plan(const sg_graph *graph, sg_shape input, sg_dtype type, sg_plan_mode mode)
{
    const sg_plan_request request = {graph, input, type, mode, NULL};
    int in_place = 0;
    size_t bytes = check_request(&request, &in_place);
    assert_int_equal(in_place, 0);
    return bytes;
}

static void every_plan_keeps_what_later_steps_read(void **state)
{
    for (uint64_t i = 0; i < NETS + 300; i++) {
        sg_graph *graph = i < NETS ? net_number((int)i) : net_of_seed(i), *with;
        must(sg_graph_with_loss(graph, &with));
        for (int k = 0; k < 4; k++) {
            sg_shape input = {1 + k, 4 << (k % 3), 64 >> k, sg_graph_input_channels(graph)};
            sg_dtype type = k % 2 ? SG_BF16 : SG_F32;
            check_plan(graph, input, type, SG_PLAN_INFERENCE);
            size_t whole = check_plan(with, input, type, SG_PLAN_TRAINING);
            assert_true(check_plan(with, input, type, SG_PLAN_RECOMPUTE) <= whole);
        }
        sg_graph_close(graph);
        sg_graph_close(with);
    }
}

/* Of a backend that can do with gaps: everywhere, or where the seed says. */
static sg_abilities abilities_of(uint64_t seed)
{
    sg_abilities abilities;
    for (int op = 0; op < SG_OP_COUNT; op++) {
        uint32_t bits = net_random(&seed, 8);
        abilities.can[op] = seed % 3 ? SG_PITCHED_IN | SG_PITCHED_OUT : (uint8_t)(bits & 3);
    }
    abilities.can[SG_OP_input] = 0;
    return abilities;
}

static void tensors_side_by_side_keep_what_later_steps_read(void **state)
{
    int in_place[3] = {0};
    for (uint64_t i = 0; i < 600; i++) {
        sg_graph *graph = net_of_width(i, i % 4 ? 8 : 4), *with;
        const sg_abilities abilities = abilities_of(i);
        must(sg_graph_with_loss(graph, &with));
        for (int mode = SG_PLAN_INFERENCE; mode <= SG_PLAN_RECOMPUTE; mode++) {
            const sg_plan_request request = {mode == SG_PLAN_INFERENCE ? graph : with,
                                             {1 + (int)(i % 2), 4, 8, 2},
                                             i % 5 ? SG_BF16 : SG_F32,
                                             (sg_plan_mode)mode,
                                             &abilities};
            size_t bytes = check_request(&request, &in_place[mode]);
            if (mode == SG_PLAN_RECOMPUTE) /* which is there for memory alone */
                assert_true(bytes <= check_plan(with, request.input, request.type, request.mode));
        }
        sg_graph_close(graph);
        sg_graph_close(with);
    }
    for (int mode = 0; mode < 3; mode++)
        assert_true(in_place[mode] > 100);
}

/* How many inputs of its concatenation a U-Net does not copy. */
static int beside_in_unet(int32_t width, sg_plan_mode mode, const sg_abilities *abilities, bool f32)
{
    sg_graph *graph = net_wide_unet(width), *with;
    int in_place = 0;
    for (int32_t n = 0; n < graph->nodes; n++)
        graph->node[n].out_f32 |= f32 && graph->node[n].op == SG_OP_conv_transpose;
    must(sg_graph_with_loss(graph, &with));
    const sg_plan_request request = {
        sg_plan_trains(mode) ? with : graph, {2, 8, 8, 2}, SG_BF16, mode, abilities};
    check_request(&request, &in_place);
    sg_graph_close(graph);
    sg_graph_close(with);
    return in_place;
}

/* One operator that cannot do with gaps keeps what it makes or reads from lying there. */
static void a_unet_copies_what_an_operator_cannot_have(void **state)
{
    sg_abilities all;
    memset(&all, SG_PITCHED_IN | SG_PITCHED_OUT, sizeof all);
    for (sg_plan_mode mode = SG_PLAN_INFERENCE; mode <= SG_PLAN_TRAINING; mode++) {
        assert_int_equal(beside_in_unet(16, mode, &all, false), 2);
        assert_int_equal(beside_in_unet(12, mode, &all, false), 0); /* words of 8 */
        assert_int_equal(beside_in_unet(16, mode, &all, true), 1);  /* one is of another format */
        assert_int_equal(beside_in_unet(16, mode, NULL, false), 0);
        sg_abilities some = all;
        some.can[SG_OP_max_pool] = SG_PITCHED_OUT; /* it reads the skip */
        assert_int_equal(beside_in_unet(16, mode, &some, false), 1);
        some.can[SG_OP_conv_transpose] = SG_PITCHED_IN; /* it makes the other */
        assert_int_equal(beside_in_unet(16, mode, &some, false), 0);
        some = all;
        some.can[SG_OP_concat] = SG_PITCHED_OUT;
        assert_int_equal(beside_in_unet(16, mode, &some, false), 0);
    }
}

/* A guest that is put elsewhere is noticed. */
static void the_check_finds_damage_to_guests(void **state)
{
    sg_graph *plain = net_wide_unet(8), *graph;
    sg_abilities all;
    sg_plan *plan;
    int guests = 0;
    memset(&all, SG_PITCHED_IN | SG_PITCHED_OUT, sizeof all);
    must(sg_graph_with_loss(plain, &graph));
    const sg_plan_request request = {graph, {1, 8, 8, 2}, SG_F32, SG_PLAN_TRAINING, &all};
    must(sg_plan_make(&request, &plan));
    must(sg_plan_check(plan));
    for (int32_t t = 0; t < graph->tensors; t++) {
        sg_plan_tensor *tensor = &plan->tensor[t], good = *tensor;
        if (good.host < 0)
            continue;
        guests++;
        tensor->value += 32;
        must_fail(sg_plan_check(plan), SG_EINTERNAL, "host");
        *tensor = good;
        tensor->gradient += 32;
        must_fail(sg_plan_check(plan), SG_EINTERNAL, "host");
        *tensor = good;
        tensor->pitch = good.shape.c;
        must_fail(sg_plan_check(plan), SG_EINTERNAL, "host");
        *tensor = good;
        tensor->host = -1;
        must_fail(sg_plan_check(plan), SG_EINTERNAL, "plan");
        *tensor = good;
        plan->node[graph->tensor[good.host].maker].in_place ^= 1;
        must_fail(sg_plan_check(plan), SG_EINTERNAL, "joined");
        plan->node[graph->tensor[good.host].maker].in_place ^= 1;
    }
    assert_int_equal(guests, 2);
    sg_plan_close(plan);
    sg_graph_close(graph);
    sg_graph_close(plain);
}

static void sizes_that_do_not_fit_are_named(void **state)
{
    sg_graph *graph = net_unet();
    sg_plan *plan;
    sg_shape odd = {1, 7, 8, 2}, bands = {1, 8, 8, 3}, none = {1, 0, 8, 2};
    sg_shape huge = {INT32_MAX, INT32_MAX, INT32_MAX, 2};
    must_fail(sg_plan_create(graph, odd, SG_F32, SG_PLAN_INFERENCE, &plan), SG_EUSAGE, "join");
    must_fail(sg_plan_create(graph, bands, SG_F32, SG_PLAN_INFERENCE, &plan), SG_EUSAGE, "3");
    must_fail(sg_plan_create(graph, none, SG_F32, SG_PLAN_INFERENCE, &plan), SG_EUSAGE, "");
    must_fail(sg_plan_create(graph, huge, SG_F32, SG_PLAN_INFERENCE, &plan), SG_ENOMEM, "");
    must_fail(sg_plan_create(graph, odd, SG_F32, SG_PLAN_TRAINING, &plan), SG_EUSAGE, "loss");
    assert_null(plan);
    sg_graph_close(graph);
}

static sg_plan *training_plan(sg_graph *(*make)(void), sg_graph **with)
{
    sg_plan *plan;
    sg_graph *graph = make();
    must(sg_graph_with_loss(graph, with));
    sg_graph_close(graph);
    must(sg_plan_create(*with, (sg_shape){2, 8, 8, sg_graph_input_channels(*with)}, SG_F32,
                        SG_PLAN_TRAINING, &plan));
    return plan;
}

/* Each kind of damage to a plan is noticed. */
static void the_check_finds_damage(void **state)
{
    sg_graph *graph;
    sg_plan *plan = training_plan(net_residual, &graph);
    int found = 0, tried = 0;
    for (int32_t t = 0; t < graph->tensors; t++) {
        sg_plan_tensor good = plan->tensor[t];
        plan->tensor[t].value += 4; /* not aligned */
        must_fail(sg_plan_check(plan), SG_EINTERNAL, "plan");
        plan->tensor[t] = good;
        plan->tensor[t].value = plan->arena_bytes;
        must_fail(sg_plan_check(plan), SG_EINTERNAL, "arena");
        plan->tensor[t] = good;
        for (int32_t u = 0; u < graph->tensors; u++) { /* put onto another tensor */
            const sg_plan_tensor *other = &plan->tensor[u];
            if (u == t || other->last < good.first || good.last < other->first)
                continue;
            plan->tensor[t].value = other->value;
            must_fail(sg_plan_check(plan), SG_EINTERNAL, "range");
            plan->tensor[t] = good;
        }
        if (good.gradient == SG_NOWHERE)
            continue;
        plan->tensor[t].gradient = SG_NOWHERE;
        must_fail(sg_plan_check(plan), SG_EINTERNAL, "plan");
        plan->tensor[t] = good;
    }
    for (int32_t n = 0; n < graph->nodes; n++) {
        for (int32_t i = 0; i < graph->node[n].inputs; i++) {
            sg_grad_write good = plan->node[n].write[i];
            if (good == SG_GRAD_NONE)
                continue;
            plan->node[n].write[i] = good == SG_GRAD_STORE ? SG_GRAD_ADD : SG_GRAD_STORE;
            found += sg_plan_check(plan) != SG_OK;
            tried++;
            plan->node[n].write[i] = good;
        }
    }
    assert_int_equal(found, tried);
    must(sg_plan_check(plan));
    sg_plan_close(plan);
    sg_graph_close(graph);
}

/* So is each kind of damage to what is computed twice. */
static void the_check_finds_damage_to_recomputing(void **state)
{
    sg_graph *plain = net_chain(12), *graph;
    sg_plan *plan;
    int32_t twice = 0;
    must(sg_graph_with_loss(plain, &graph));
    must(sg_plan_create(graph, (sg_shape){1, 16, 16, sg_graph_input_channels(graph)}, SG_F32,
                        SG_PLAN_RECOMPUTE, &plan));
    must(sg_plan_check(plan));
    for (int32_t n = 0; n < graph->nodes; n++) {
        sg_plan_node node = plan->node[n];
        sg_plan_tensor *out = &plan->tensor[graph->node[n].output], tensor = *out;
        if (node.again < 0)
            continue;
        twice++;
        plan->node[n].again = -1;
        must_fail(sg_plan_check(plan), SG_EINTERNAL, "again");
        plan->node[n] = node;
        plan->step[node.again].kind = SG_STEP_ACCUMULATE;
        must_fail(sg_plan_check(plan), SG_EINTERNAL, "plan");
        plan->step[node.again].kind = SG_STEP_AGAIN;
        out->again_first++; /* too late for its own step */
        must_fail(sg_plan_check(plan), SG_EINTERNAL, "plan");
        *out = tensor;
        out->again_last = out->again_first; /* too short for who reads it */
        bool read_later = tensor.again_last > tensor.again_first;
        assert_true(!read_later || sg_plan_check(plan) != SG_OK);
        *out = tensor;
        out->again = SG_NOWHERE;
        must_fail(sg_plan_check(plan), SG_EINTERNAL, "arena");
        *out = tensor;
    }
    assert_true(twice > 4);
    must(sg_plan_check(plan));
    sg_plan_close(plan);
    sg_graph_close(graph);
    sg_graph_close(plain);
}

/* A chain of n equal layers can be trained in memory of the order of sqrt(n). */
static void recomputing_a_chain_takes_its_root(void **state)
{
    for (int32_t layers = 16; layers <= 144; layers *= 3) {
        sg_graph *plain = net_chain(layers), *graph;
        must(sg_graph_with_loss(plain, &graph));
        sg_shape input = {1, 32, 32, sg_graph_input_channels(graph)};
        size_t whole = check_plan(graph, input, SG_F32, SG_PLAN_TRAINING);
        size_t least = check_plan(graph, input, SG_F32, SG_PLAN_RECOMPUTE);
        double value = (double)whole / layers;
        assert_true((double)least < (2 * sqrt(layers) + 6) * value);
        sg_graph_close(graph);
        sg_graph_close(plain);
    }
}

static void operators_that_cannot_add_get_a_temporary(void **state)
{
    sg_graph *graph;
    sg_plan *plan = training_plan(net_residual, &graph);
    int writes[4] = {0}, accumulates = 0;
    for (int32_t n = 0; n < graph->nodes; n++) {
        for (int32_t i = 0; i < graph->node[n].inputs; i++)
            writes[plan->node[n].write[i]]++;
    }
    for (int32_t s = 0; s < plan->steps; s++)
        accumulates += plan->step[s].kind == SG_STEP_ACCUMULATE;
    assert_true(writes[SG_GRAD_NONE] > 0 && writes[SG_GRAD_STORE] > 0);
    assert_true(writes[SG_GRAD_TEMPORARY] > 0);
    assert_int_equal(accumulates, writes[SG_GRAD_TEMPORARY]);
    sg_plan_close(plan);
    sg_graph_close(graph);
}

/* Backward steps finish parameters in the order of the buffer, and every place is used once. */
static void the_layout_follows_the_backward_pass(void **state)
{
    for (uint64_t i = 0; i < NETS + 50; i++) {
        sg_graph *graph = i < NETS ? net_number((int)i) : net_of_seed(i), *with;
        sg_param_layout *layout, *bare;
        sg_plan *plan;
        must(sg_graph_with_loss(graph, &with));
        must(sg_param_layout_create(with, &layout));
        must(sg_param_layout_create(graph, &bare)); /* the loss changes nothing */
        must(sg_plan_create(with, (sg_shape){1, 8, 8, sg_graph_input_channels(with)}, SG_F32,
                            SG_PLAN_TRAINING, &plan));
        int32_t next = 0;
        size_t end = 0;
        for (int32_t s = plan->forward_steps; s < plan->steps; s++) {
            const sg_node *node = &with->node[plan->step[s].node];
            for (int32_t p = 0; plan->step[s].kind == SG_STEP_BACKWARD && p < node->params; p++) {
                const sg_param_info *info = &with->param[node->param[p]];
                if (!sg_param_is_trainable(info))
                    continue;
                assert_int_equal(layout->order[next++], node->param[p]);
                assert_int_equal(layout->offset[node->param[p]], end);
                assert_int_equal(end % 16, 0);
                end += (info->count + 15) / 16 * 16;
            }
        }
        assert_int_equal(next, layout->order_count);
        assert_int_equal(end, layout->trainable_count);
        assert_int_equal(bare->trainable_count, layout->trainable_count);
        assert_int_equal(bare->state_count, layout->state_count);
        assert_memory_equal(bare->offset, layout->offset,
                            (size_t)graph->param_count * sizeof *bare->offset);
        sg_plan_close(plan);
        sg_param_layout_close(layout);
        sg_param_layout_close(bare);
        sg_graph_close(graph);
        sg_graph_close(with);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_plan_keeps_what_later_steps_read),
        cmocka_unit_test(tensors_side_by_side_keep_what_later_steps_read),
        cmocka_unit_test(a_unet_copies_what_an_operator_cannot_have),
        cmocka_unit_test(the_check_finds_damage_to_guests),
        cmocka_unit_test(sizes_that_do_not_fit_are_named),
        cmocka_unit_test(the_check_finds_damage),
        cmocka_unit_test(the_check_finds_damage_to_recomputing),
        cmocka_unit_test(recomputing_a_chain_takes_its_root),
        cmocka_unit_test(operators_that_cannot_add_get_a_temporary),
        cmocka_unit_test(the_layout_follows_the_backward_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
