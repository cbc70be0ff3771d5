#include "nn/op/op_common.h"

#include <stdio.h>
#include "base/size.h"

sg_err sg_op_add_param(sg_graph *graph, sg_node *node, sg_param_kind kind, const char *suffix,
                       int32_t dims, const int64_t *dim)
{
    sg_param_info info = {.kind = kind, .node = graph->nodes, .dims = dims, .count = 1};
    SG_ASSERT(node->params < SG_MAX_PARAMS);
    for (int32_t d = 0; d < dims; d++) {
        info.dim[d] = dim[d];
        sg_err err = sg_size_mul(info.count, (size_t)dim[d], &info.count);
        if (err)
            return err;
    }
    snprintf(info.name, sizeof info.name, "%s.%s", node->name, suffix);
    sg_err err =
        sg_grow(&graph->param, &graph->param_capacity, (size_t)graph->param_count + 1, sizeof info);
    if (err)
        return err;
    node->param[node->params++] = graph->param_count;
    graph->param[graph->param_count++] = info;
    return SG_OK;
}

sg_err sg_op_check_range(const sg_node *node, const char *what, int64_t value, int64_t least,
                         int64_t most)
{
    if (value >= least && value <= most)
        return SG_OK;
    return sg_fail(SG_EUSAGE, "%s: %s is %lld, must be in %lld .. %lld", node->name, what,
                   (long long)value, (long long)least, (long long)most);
}

typedef struct {
    const char *what;
    int64_t value, least, most;
} range;

sg_err sg_op_check_window(const sg_node *node)
{
    const sg_window_attr *w = &node->attr.window;
    const range ranges[] = {
        {"kernel height", w->kernel_h, 1, SG_MAX_KERNEL},
        {"kernel width", w->kernel_w, 1, SG_MAX_KERNEL},
        {"vertical stride", w->stride_h, 1, SG_MAX_KERNEL},
        {"horizontal stride", w->stride_w, 1, SG_MAX_KERNEL},
        {"vertical dilation", w->dilation_h, 1, SG_MAX_SPREAD},
        {"horizontal dilation", w->dilation_w, 1, SG_MAX_SPREAD},
        {"top padding", w->pad.top, 0, SG_MAX_SPREAD},
        {"bottom padding", w->pad.bottom, 0, SG_MAX_SPREAD},
        {"left padding", w->pad.left, 0, SG_MAX_SPREAD},
        {"right padding", w->pad.right, 0, SG_MAX_SPREAD},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        const range *r = &ranges[i];
        sg_err err = sg_op_check_range(node, r->what, r->value, r->least, r->most);
        if (err)
            return err;
    }
    return SG_OK;
}

sg_err sg_op_check_pool(const sg_node *node)
{
    sg_err err = sg_op_check_window(node);
    if (err)
        return err;
    const sg_window_attr *w = &node->attr.window;
    int64_t height = (int64_t)w->dilation_h * (w->kernel_h - 1) + 1;
    int64_t width = (int64_t)w->dilation_w * (w->kernel_w - 1) + 1;
    const range ranges[] = {
        {"top padding", w->pad.top, 0, height - 1},
        {"bottom padding", w->pad.bottom, 0, height - 1},
        {"left padding", w->pad.left, 0, width - 1},
        {"right padding", w->pad.right, 0, width - 1},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        const range *r = &ranges[i];
        err = sg_op_check_range(node, r->what, r->value, r->least, r->most);
        if (err)
            return err;
    }
    return SG_OK;
}

sg_err sg_op_check_act(const sg_node *node)
{
    return sg_op_check_range(node, "activation", node->act, SG_ACT_NONE, SG_ACT_COUNT - 1);
}

sg_err sg_op_check_no_act(const sg_node *node)
{
    if (node->act == SG_ACT_NONE)
        return SG_OK;
    return sg_fail(SG_EUSAGE, "%s: this operator takes no activation", node->name);
}

sg_err sg_op_check_epsilon(const sg_node *node, float epsilon)
{
    if (epsilon > 0 && epsilon < 1)
        return SG_OK;
    return sg_fail(SG_EUSAGE, "%s: epsilon is %g, must be in (0, 1)", node->name, (double)epsilon);
}

sg_err sg_op_check_same_size(const sg_node *node, const sg_shape *in)
{
    for (int32_t i = 1; i < node->inputs; i++) {
        if (in[i].n != in[0].n || in[i].h != in[0].h || in[i].w != in[0].w)
            return sg_fail(SG_EUSAGE,
                           "%s: inputs 0 and %d have sizes %lld x %lld x %lld and %lld x %lld x "
                           "%lld, which must be equal",
                           node->name, (int)i, (long long)in[0].n, (long long)in[0].h,
                           (long long)in[0].w, (long long)in[i].n, (long long)in[i].h,
                           (long long)in[i].w);
    }
    return SG_OK;
}

sg_err sg_op_shape_of_input(const sg_node *node, const sg_shape *in, sg_shape *out)
{
    *out = in[0];
    return SG_OK;
}

sg_err sg_op_window_shape(const sg_node *node, const sg_shape *in, int64_t channels, sg_shape *out)
{
    const sg_window_attr *w = &node->attr.window;
    int64_t rows = (int64_t)w->pad.top + w->pad.bottom;
    int64_t columns = (int64_t)w->pad.left + w->pad.right;
    int64_t height = (int64_t)w->dilation_h * (w->kernel_h - 1) + 1;
    int64_t width = (int64_t)w->dilation_w * (w->kernel_w - 1) + 1;
    if (in[0].h + rows < height || in[0].w + columns < width)
        return sg_fail(SG_EUSAGE,
                       "%s: an input of %lld x %lld is smaller than its %lld x %lld window",
                       node->name, (long long)in[0].h, (long long)in[0].w, (long long)height,
                       (long long)width);
    out->n = in[0].n;
    out->h = sg_window_output(in[0].h, rows, w->kernel_h, w->stride_h, w->dilation_h);
    out->w = sg_window_output(in[0].w, columns, w->kernel_w, w->stride_w, w->dilation_w);
    out->c = channels;
    return SG_OK;
}

void sg_op_window_reach(const sg_node *node, int axis, sg_reach *reach)
{
    const sg_window_attr *w = &node->attr.window;
    int64_t kernel = axis == 0 ? w->kernel_h : w->kernel_w;
    int64_t dilation = axis == 0 ? w->dilation_h : w->dilation_w;
    int64_t before = axis == 0 ? w->pad.top : w->pad.left;
    *reach = (sg_reach){.up = 1,
                        .stride = axis == 0 ? w->stride_h : w->stride_w,
                        .lo = -before,
                        .hi = dilation * (kernel - 1) - before};
}

void sg_op_pixel_reach(const sg_node *node, int axis, sg_reach *reach)
{
    *reach = (sg_reach){.up = 1, .stride = 1};
}

void sg_op_unbounded_reach(const sg_node *node, int axis, sg_reach *reach)
{
    *reach = (sg_reach){.up = 1, .stride = 1, .unbounded = 1};
}

void sg_op_everywhere_reach(const sg_node *node, int axis, sg_reach *reach)
{
    *reach = (sg_reach){.up = 1, .stride = 1, .unbounded = 1, .keeps_grid = 1};
}

int sg_op_needs_nothing(const sg_node *node)
{
    return SG_NEEDS_NOTHING;
}

int sg_op_needs_input(const sg_node *node)
{
    return SG_NEEDS_INPUT;
}

int sg_op_needs_output(const sg_node *node)
{
    return SG_NEEDS_OUTPUT;
}

void sg_gradient_put(const sg_site *site, const sg_io *io, int input, size_t index, float value)
{
    void *gradient = io->grad_in[input];
    if (site->write[input] == SG_GRAD_ADD)
        value += sg_load(gradient, site->grad_type, index);
    sg_store(gradient, site->grad_type, index, value);
}

bool sg_gradient_wanted(const sg_site *site, int input)
{
    return site->write[input] != SG_GRAD_NONE;
}

void sg_gradient_gather(const sg_site *site, const sg_io *io, sg_gather_fn gather)
{
    const sg_shape in = site->in[0];
    size_t at = 0;
    if (!sg_gradient_wanted(site, 0))
        return;
    for (int64_t n = 0; n < in.n; n++)
        for (int64_t row = 0; row < in.h; row++)
            for (int64_t column = 0; column < in.w; column++)
                for (int64_t c = 0; c < in.c; c++)
                    sg_gradient_put(site, io, 0, at++, gather(site, io, n, row, column, c));
}

sg_err sg_op_prepare_nothing(sg_backend *backend, const sg_site *site, void **kernel)
{
    *kernel = NULL;
    return SG_OK;
}
