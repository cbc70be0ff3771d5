/*
 * Making an executor: everything that a step needs, its pointers too, is made once. And reading its
 * tensors.
 */
#include "nn/exec_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/size.h"
#include "nn/fit.h"
#include "nn/plan_memory.h"

/* The executor's graph may be the weights' own one with a loss or fused activations: the
 * parameters are the same. */
static sg_err check_weights(const sg_graph *graph, const sg_weights *weights)
{
    const sg_param_layout *theirs = weights->host->layout;
    sg_param_layout *ours = NULL;
    sg_err err = sg_param_layout_create(graph, &ours);
    if (err)
        return err;
    bool same = weights->host->count == graph->param_count &&
                ours->trainable_count == theirs->trainable_count &&
                ours->state_count == theirs->state_count;
    for (int32_t id = 0; same && id < graph->param_count; id++)
        same = ours->offset[id] == theirs->offset[id];
    if (!same)
        err = sg_fail(SG_EUSAGE,
                      "the weights are those of another network: %zu and %zu trainable "
                      "numbers",
                      theirs->trainable_count, ours->trainable_count);
    sg_param_layout_close(ours);
    return err;
}

static sg_err check_device(const sg_backend *backend, const sg_graph *graph, sg_dtype type,
                           sg_plan_mode mode, const sg_weights *weights)
{
    if (!backend->supports(backend, type))
        return sg_fail(SG_EUNSUPPORTED, "the device \"%s\" (%s) does not compute in %s",
                       backend->name, backend->device, sg_dtype_name(type));
    if (sg_plan_trains(mode) && !weights->gradient)
        return sg_fail(SG_EUSAGE, "these weights were not made for training");
    sg_err err = check_weights(graph, weights);
    return err ? err : sg_backend_covers(backend, graph, sg_plan_trains(mode));
}

static sg_err make_arrays(sg_exec *exec)
{
    size_t nodes = (size_t)exec->graph->nodes;
    sg_err err = sg_calloc(nodes, sizeof *exec->site, &exec->site);
    if (!err)
        err = sg_calloc(nodes, sizeof *exec->io, &exec->io);
    exec->back = exec->io;
    if (!err && exec->plan->mode == SG_PLAN_RECOMPUTE)
        err = sg_calloc(nodes, sizeof *exec->back, &exec->back);
    if (!err)
        err = sg_calloc(nodes, sizeof *exec->kernel, &exec->kernel);
    if (!err)
        err = sg_calloc(nodes, sizeof *exec->ready, &exec->ready);
    if (!err)
        err = sg_calloc((size_t)exec->plan->tensor[0].shape.n, sizeof *exec->image, &exec->image);
    return err;
}

static sg_err no_memory(const sg_exec *exec)
{
    sg_backend *backend = exec->backend;
    sg_shape in = exec->plan->tensor[0].shape;
    size_t bytes = exec->plan->arena_bytes;
    size_t available = backend->available ? backend->available(backend) : 0;
    available += exec->arena ? bytes : 0;
    /* An eighth is left to the kernels, which want memory, too. */
    const sg_abilities abilities = sg_backend_abilities(backend);
    const sg_plan_request request = {exec->graph, in, exec->plan->type, exec->plan->mode,
                                     &abilities};
    int64_t fits = sg_fitting_batch(&request, available - available / 8, in.n - 1);
    char cure[64] = "use a smaller batch or tile";
    if (fits > 0)
        snprintf(cure, sizeof cure, "a batch of %" PRId64 " would fit", fits);
    else if (available > 0)
        snprintf(cure, sizeof cure, "use a smaller tile");
    return sg_fail(SG_ENOMEM,
                   "no memory for the %zu MiB (%zu bytes) that the network needs for %" PRId64
                   " x %" PRId64 " x %" PRId64 " pixels: %s",
                   bytes >> 20, bytes, in.n, in.h, in.w, cure);
}

static sg_err make_memory(sg_exec *exec)
{
    sg_shape in = exec->plan->tensor[0].shape;
    void *memory = NULL;
    sg_err err = exec->backend->alloc(exec->backend, exec->plan->arena_bytes, &memory);
    if (err == SG_ENOMEM)
        return no_memory(exec);
    if (err)
        return err;
    exec->arena = memory;
    if (exec->backend->host_memory || !sg_plan_trains(exec->plan->mode))
        return SG_OK;
    err = exec->backend->alloc(exec->backend, (size_t)in.n * (size_t)in.h * (size_t)in.w, &memory);
    exec->labels = err ? NULL : memory;
    if (err || !sg_graph_reads_border(exec->graph))
        return err;
    err =
        exec->backend->alloc(exec->backend, (size_t)(in.n * in.h * in.w) * sizeof(float), &memory);
    exec->border = err ? NULL : memory;
    return err;
}

static void make_site(const sg_exec *exec, int32_t n)
{
    const sg_plan *plan = exec->plan;
    const sg_node *node = &exec->graph->node[n];
    sg_site *site = &exec->site[n];
    site->node = node;
    site->inputs = node->inputs;
    for (int32_t i = 0; i < node->inputs; i++) {
        site->in[i] = plan->tensor[node->input[i]].shape;
        site->in_type[i] = plan->tensor[node->input[i]].type;
        site->write[i] = plan->node[n].write[i];
        site->in_pitch[i] = site->grad_pitch[i] = plan->tensor[node->input[i]].pitch;
        if (site->write[i] == SG_GRAD_TEMPORARY)
            site->grad_pitch[i] = site->in[i].c;
    }
    site->out_pitch = plan->tensor[node->output].pitch;
    site->in_place = plan->node[n].in_place;
    site->out = plan->tensor[node->output].shape;
    site->out_type = plan->tensor[node->output].type;
    site->grad_type = plan->type;
    site->training = sg_plan_trains(plan->mode);
    site->saved_bytes = plan->node[n].saved_bytes;
    for (int32_t p = 0; p < node->params; p++)
        site->param_count[p] = (int64_t)exec->graph->param[node->param[p]].count;
}

static void point_params(const sg_exec *exec, int32_t n)
{
    const sg_weights *weights = exec->weights;
    const sg_node *node = &exec->graph->node[n];
    sg_io *io = &exec->io[n];
    for (int32_t p = 0; p < node->params; p++) {
        int32_t id = node->param[p];
        size_t offset = weights->host->layout->offset[id];
        if (weights->host->is_state[id]) {
            io->state[p] = weights->state + offset;
            io->param[p] = io->state[p];
        } else {
            io->param[p] = weights->trainable + offset;
            io->param_grad[p] = exec->site[n].training ? weights->gradient + offset : NULL;
        }
    }
}

static void make_io(const sg_exec *exec, int32_t n)
{
    const sg_plan *plan = exec->plan;
    const sg_node *node = &exec->graph->node[n];
    sg_io *io = &exec->io[n];
    for (int32_t i = 0; i < node->inputs; i++) {
        const sg_plan_tensor *tensor = &plan->tensor[node->input[i]];
        sg_grad_write write = plan->node[n].write[i];
        io->in[i] = sg_exec_at(exec, tensor->value);
        if (write == SG_GRAD_TEMPORARY)
            io->grad_in[i] = sg_exec_at(exec, plan->node[n].temporary[i]);
        else if (write != SG_GRAD_NONE)
            io->grad_in[i] = sg_exec_at(exec, tensor->gradient);
    }
    io->out = sg_exec_at(exec, plan->tensor[node->output].value);
    io->grad_out = sg_exec_at(exec, plan->tensor[node->output].gradient);
    io->saved = sg_exec_at(exec, plan->node[n].saved);
    point_params(exec, n);
}

static void *at_again(const sg_exec *exec, const sg_plan_tensor *tensor)
{
    return sg_exec_at(exec, tensor->again == SG_NOWHERE ? tensor->value : tensor->again);
}

/* As io, with values where they are computed the second time. */
static void make_back(const sg_exec *exec, int32_t n)
{
    const sg_plan *plan = exec->plan;
    const sg_node *node = &exec->graph->node[n];
    sg_io *back = &exec->back[n];
    *back = exec->io[n];
    back->again = 1;
    for (int32_t i = 0; i < node->inputs; i++)
        back->in[i] = at_again(exec, &plan->tensor[node->input[i]]);
    back->out = at_again(exec, &plan->tensor[node->output]);
    if (plan->node[n].saved_again != SG_NOWHERE)
        back->saved = sg_exec_at(exec, plan->node[n].saved_again);
}

/* The backward pass goes through the nodes in the order of the parameter buffer. */
static void find_ready(const sg_exec *exec)
{
    const sg_param_layout *layout = exec->weights->host->layout;
    for (int32_t k = 0; k < layout->order_count; k++) {
        int32_t id = layout->order[k];
        size_t end = k + 1 < layout->order_count ? layout->offset[layout->order[k + 1]]
                                                 : layout->trainable_count;
        exec->ready[exec->graph->param[id].node] = end;
    }
}

static sg_err prepare(sg_exec *exec)
{
    sg_err err = SG_OK;
    for (int32_t n = 0; n < exec->graph->nodes; n++) {
        make_site(exec, n);
        make_io(exec, n);
        if (exec->back != exec->io)
            make_back(exec, n);
    }
    find_ready(exec);
    for (int32_t n = 0; !err && n < exec->graph->nodes; n++) {
        if (n > 0 && sg_exec_kernel(exec, n)->prepare)
            err = sg_exec_kernel(exec, n)->prepare(exec->backend, &exec->site[n], &exec->kernel[n]);
        if (!err)
            exec->prepared = n + 1;
    }
    return err;
}

static sg_err open_exec(sg_exec *exec, sg_shape input, sg_dtype type, sg_plan_mode mode)
{
    const sg_abilities abilities = sg_backend_abilities(exec->backend);
    const sg_plan_request request = {exec->graph, input, type, mode, &abilities};
    sg_err err = check_device(exec->backend, exec->graph, type, mode, exec->weights);
    if (!err)
        err = sg_plan_make(&request, &exec->plan);
    if (!err)
        err = make_arrays(exec);
    if (!err)
        err = make_memory(exec);
    if (!err) {
        err = prepare(exec);
        if (err == SG_ENOMEM && exec->backend->available)
            err = no_memory(exec);
    }
    exec->version = exec->weights->version - 1; /* so that the first run refreshes */
    return err;
}

sg_err sg_exec_create(sg_backend *backend, const sg_graph *graph, sg_weights *weights,
                      sg_shape input, sg_dtype type, sg_plan_mode mode, sg_exec **exec)
{
    *exec = NULL;
    sg_exec *made = NULL;
    sg_err err = sg_calloc(1, sizeof *made, &made);
    if (err)
        return err;
    made->backend = backend;
    made->graph = graph;
    made->weights = weights;
    err = open_exec(made, input, type, mode);
    if (err)
        sg_exec_close(made);
    else
        *exec = made;
    return err;
}

void sg_exec_close(sg_exec *exec)
{
    if (!exec)
        return;
    for (int32_t n = 1; n < exec->prepared; n++) {
        if (sg_exec_kernel(exec, n)->release && exec->kernel[n])
            sg_exec_kernel(exec, n)->release(exec->kernel[n]);
    }
    sg_exec_forget(exec);
    if (exec->arena)
        exec->backend->free(exec->backend, exec->arena);
    if (exec->labels)
        exec->backend->free(exec->backend, exec->labels);
    if (exec->border)
        exec->backend->free(exec->backend, exec->border);
    sg_plan_close(exec->plan);
    sg_free(exec->site);
    if (exec->back != exec->io)
        sg_free(exec->back);
    sg_free(exec->io);
    sg_free(exec->kernel);
    sg_free(exec->ready);
    sg_free(exec->image);
    sg_free(exec->sections.cut);
    sg_free(exec->sections.ready);
    sg_free(exec->sections.recording);
    sg_free(exec);
}

const sg_plan *sg_exec_plan(const sg_exec *exec)
{
    return exec->plan;
}

/* Whether nothing that lived after step `last` lies over [offset, offset + bytes). */
static sg_err check_intact(const sg_exec *exec, size_t offset, size_t bytes, int32_t last)
{
    sg_region *region = NULL;
    size_t count;
    sg_err err = sg_plan_regions(exec->plan, &region, &count);
    for (size_t i = 0; !err && i < count; i++) {
        bool later = region[i].first > last && region[i].first < exec->steps_done;
        bool over =
            *region[i].offset < offset + bytes && offset < *region[i].offset + region[i].bytes;
        if (later && over)
            err = sg_fail(SG_EUSAGE,
                          "the tensor has been overwritten: the plan keeps it only to "
                          "step %d of %d",
                          (int)last, (int)exec->steps_done);
    }
    sg_free(region);
    return err;
}

static sg_err read_numbers(sg_exec *exec, const sg_plan_tensor *t, size_t offset, sg_dtype type,
                           int32_t last, float *out)
{
    size_t c = (size_t)t->shape.c, pitch = (size_t)t->pitch, pixels = sg_shape_count(t->shape) / c;
    size_t bytes = ((pixels - 1) * pitch + c) * sg_dtype_size(type);
    void *raw = NULL;
    sg_err err = check_intact(exec, offset, bytes, last);
    if (!err)
        err = sg_malloc(bytes, 1, &raw);
    if (!err)
        err = exec->backend->download(exec->backend, raw, sg_exec_at(exec, offset), bytes);
    for (size_t i = 0; !err && i < pixels * c; i++)
        out[i] = sg_load(raw, type, i / c * pitch + i % c);
    sg_free(raw);
    return err;
}

sg_err sg_exec_read_value(sg_exec *exec, int32_t tensor, float *out)
{
    if (tensor < 0 || tensor >= exec->graph->tensors ||
        exec->plan->tensor[tensor].first >= exec->steps_done)
        return sg_fail(SG_EUSAGE, "tensor %d has no value yet", (int)tensor);
    const sg_plan_tensor *t = &exec->plan->tensor[tensor];
    return read_numbers(exec, t, t->value, t->type, t->last, out);
}

sg_err sg_exec_read_gradient(sg_exec *exec, int32_t tensor, float *out)
{
    if (tensor < 0 || tensor >= exec->graph->tensors ||
        exec->plan->tensor[tensor].gradient == SG_NOWHERE ||
        exec->plan->tensor[tensor].grad_first >= exec->steps_done)
        return sg_fail(SG_EUSAGE, "tensor %d has no gradient", (int)tensor);
    const sg_plan_tensor *t = &exec->plan->tensor[tensor];
    int32_t maker = exec->graph->tensor[tensor].maker;
    if (exec->plan->node[maker].in_place)
        return sg_fail(SG_EUSAGE, "tensor %d: its gradient has become its inputs'", (int)tensor);
    return read_numbers(exec, t, t->gradient, exec->plan->type, t->grad_last, out);
}
