/*
 * Exact tiling needs two numbers per axis. Stride: tiles whose origins are multiples of it see
 * every layer's grid in the same place. Radius: cut the output into cells of one stride, aligned;
 * then an output pixel reads inputs at most `radius` outside of its own cell. Measuring from the
 * cell and not from the pixel is exact, because kept cores are whole cells, and smaller: positions
 * are rounded down when the grid gets coarser, and in an aligned cell that is known exactly.
 *
 * Intervals of integer positions go from the last node to the first. One cell of the output needs
 * [lo, hi] of each tensor, the union over all nodes that read it.
 */
#include "nn/reach.h"

#include <inttypes.h>
#include "base/size.h"

enum { MOST_STRIDE = 1 << 20 };
static const int64_t far = (int64_t)1
                           << 40; /* beyond any raster; keeps the sums from overflowing */

/* One tensor along one axis. */
typedef struct {
    int64_t up,
        step;       /* step / up input pixels a pixel, reduced; step 0: no grid (globally pooled) */
    int64_t lo, hi; /* what one output cell needs; nothing while lo > hi */
} extent;

typedef struct {
    const sg_graph *graph;
    int axis;
    extent *extent; /* per tensor */
    int64_t stride, radius, output_step;
    int32_t unbounded;
} walk;

static int64_t divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

/* A resize to the size of its second input, as one with a scale; 0 when it is not a whole one. */
static int64_t scale_between(extent from, extent to)
{
    int64_t above = from.step * to.up, below = from.up * to.step;
    return below > 0 && above % below == 0 ? above / below : 0;
}

static bool follows_size(const sg_node *node)
{
    return node->op == SG_OP_resize && node->inputs == 2;
}

/* The second input is read pixel by pixel: it lies on the output's grid. */
static bool adds_input(const sg_node *node)
{
    return node->op == SG_OP_conv && node->inputs == 2;
}

static sg_reach reach_of(const walk *w, const sg_node *node)
{
    sg_node copy = *node;
    if (follows_size(node)) {
        int64_t scale = scale_between(w->extent[node->input[0]], w->extent[node->input[1]]);
        if (scale < 1 || scale > INT32_MAX)
            return (sg_reach){.up = 1, .stride = 1, .unbounded = 1};
        copy.inputs = 1;
        copy.attr.resize.scale_h = copy.attr.resize.scale_w = (int32_t)scale;
    }
    sg_reach reach;
    sg_op_definition(node->op)->reach(&copy, w->axis, &reach);
    return reach;
}

static sg_err same_grid(const walk *w, const sg_node *node)
{
    extent first = w->extent[node->input[0]];
    for (int32_t i = 1; i < node->inputs && !adds_input(node); i++) {
        extent other = w->extent[node->input[i]];
        if (other.step != first.step || other.up != first.up)
            return sg_fail(SG_EUSAGE, "%s: its inputs have different strides", node->name);
    }
    return SG_OK;
}

/* The grid of a node's output. */
static sg_err find_grid(walk *w, const sg_node *node)
{
    extent *out = &w->extent[node->output];
    *out = (extent){.up = 1, .step = 1, .lo = 0, .hi = -1};
    if (node->inputs == 0)
        return SG_OK;
    extent in = w->extent[node->input[0]];
    sg_reach reach = reach_of(w, node);
    w->unbounded |= reach.unbounded;
    if (follows_size(node)) {
        in = w->extent[node->input[1]];
        reach.up = reach.stride = 1;
    } else {
        sg_err err = same_grid(w, node);
        if (err)
            return err;
    }
    out->up = in.up * reach.up;
    bool one_pixel = reach.unbounded && !reach.keeps_grid && !follows_size(node);
    out->step = one_pixel ? 0 : in.step * reach.stride;
    int64_t common = divisor(out->step, out->up);
    out->up /= common;
    out->step /= common;
    if (out->up > MOST_STRIDE || out->step > MOST_STRIDE)
        return sg_fail(SG_EUNSUPPORTED, "%s: the strides up to here multiply to over %d",
                       node->name, MOST_STRIDE);
    return SG_OK;
}

static sg_err find_stride(walk *w)
{
    w->stride = 1;
    for (int32_t t = 0; t < w->graph->tensors; t++) {
        int64_t step = w->extent[t].step;
        if (step > 0)
            w->stride = w->stride / divisor(w->stride, step) * step;
        if (w->stride > MOST_STRIDE)
            return sg_fail(SG_EUNSUPPORTED,
                           "the network's strides have no common multiple up to %d", MOST_STRIDE);
    }
    return SG_OK;
}

static void widen(extent *e, int64_t lo, int64_t hi)
{
    if (e->lo > e->hi) {
        e->lo = lo;
        e->hi = hi;
        return;
    }
    e->lo = sg_min64(e->lo, lo);
    e->hi = sg_max64(e->hi, hi);
}

/* What a node's inputs must hold for its output's interval. */
static void spread(const walk *w, const sg_node *node)
{
    extent out = w->extent[node->output];
    sg_reach reach = reach_of(w, node);
    int64_t lo = floor_div(out.lo * reach.stride, reach.up) + reach.lo;
    int64_t hi = floor_div(out.hi * reach.stride, reach.up) + reach.hi;
    int32_t read = follows_size(node) || adds_input(node) ? 1 : node->inputs;
    if (adds_input(node))
        widen(&w->extent[node->input[1]], out.lo, out.hi);
    for (int32_t i = 0; i < read; i++)
        widen(&w->extent[node->input[i]], sg_max64(lo, -far), sg_min64(hi, far));
}

static void find_radius(walk *w, int32_t last)
{
    extent *out = &w->extent[w->graph->node[last].output];
    *out = (extent){out->up, out->step, 0, w->stride / out->step - 1};
    for (int32_t n = last; n > 0; n--) {
        const sg_node *node = &w->graph->node[n];
        if (w->extent[node->output].lo <= w->extent[node->output].hi)
            spread(w, node);
    }
    extent in = w->extent[0];
    if (in.lo <= in.hi)
        w->radius = sg_max64(0, sg_max64(-in.lo, in.hi - (w->stride - 1)));
}

/* The last loss is one of the network's own output. */
static int32_t output_node(const sg_graph *graph)
{
    const sg_node *last = &graph->node[graph->nodes - 1];
    return sg_op_is_loss(last->op) ? graph->tensor[last->input[0]].maker : graph->nodes - 1;
}

static void find_margin(const sg_graph *graph, sg_network_reach *reach)
{
    const sg_node *node = &graph->node[output_node(graph)];
    if (node->op != SG_OP_crop)
        return;
    const sg_pad *pad = &node->attr.crop.pad;
    reach->margin = *pad;
    reach->widest_margin =
        sg_max64(sg_max64(pad->top, pad->bottom), sg_max64(pad->left, pad->right));
}

static sg_err walk_axis(walk *w)
{
    int32_t last = output_node(w->graph);
    sg_err err = SG_OK;
    for (int32_t n = 0; !err && n <= last; n++)
        err = find_grid(w, &w->graph->node[n]);
    if (err)
        return err;
    extent out = w->extent[w->graph->node[last].output];
    if (out.up != 1)
        return sg_fail(SG_EUNSUPPORTED, "%s: the output has more pixels than the input",
                       w->graph->node[last].name);
    err = find_stride(w);
    w->output_step = sg_max64(1, out.step);
    if (!err && !w->unbounded)
        find_radius(w, last);
    return err;
}

sg_err sg_graph_reach(const sg_graph *graph, sg_network_reach *reach)
{
    *reach = (sg_network_reach){0};
    sg_err err = sg_graph_check(graph);
    walk axis[2] = {{.graph = graph, .axis = 0}, {.graph = graph, .axis = 1}};
    for (int a = 0; !err && a < 2; a++) {
        err = sg_calloc((size_t)graph->tensors, sizeof *axis[a].extent, &axis[a].extent);
        if (!err)
            err = walk_axis(&axis[a]);
        sg_free(axis[a].extent);
    }
    if (err)
        return err;
    if (axis[0].output_step != axis[1].output_step)
        return sg_fail(SG_EUNSUPPORTED,
                       "the output's pixels are not square: %" PRId64 " input rows by %" PRId64
                       " columns",
                       axis[0].output_step, axis[1].output_step);
    int64_t common = divisor(axis[0].stride, axis[1].stride);
    reach->stride = axis[0].stride / common * axis[1].stride;
    reach->unbounded = axis[0].unbounded || axis[1].unbounded;
    reach->radius = reach->unbounded ? 0 : sg_max64(axis[0].radius, axis[1].radius);
    reach->halo = sg_round_up(reach->radius, reach->stride);
    reach->output_step = axis[0].output_step;
    find_margin(graph, reach);
    return SG_OK;
}
