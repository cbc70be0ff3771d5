/*
 * Running: a loop over the steps of the plan. Where the backend repeats work, what is the same in
 * every pass is recorded in pieces: the refresh of the kernels, the forward pass, and the sections
 * of the backward pass between which the caller is told what is final. The optimizer is not among
 * them: its one launch waits for sums over ranks and for the norm of the gradient.
 */
#include "nn/exec_private.h"

#include <string.h>
#include "base/size.h"

typedef struct {
    sg_exec *exec;
    int32_t from, to; /* steps of the plan */
} section;

/* run: what the work reads of the run, or NULL. */
static sg_err repeat(sg_exec *exec, void **recording, sg_err (*work)(void *), void *context,
                     const sg_run *run)
{
    sg_backend *backend = exec->backend;
    return backend->repeat ? backend->repeat(backend, recording, work, context, run)
                           : work(context);
}

static void forget(const sg_exec *exec, void **recording)
{
    if (*recording)
        exec->backend->forget(exec->backend, *recording);
    *recording = NULL;
}

static void forget_sections(sg_exec *exec)
{
    for (int32_t k = 0; k < exec->sections.count; k++)
        forget(exec, &exec->sections.recording[k]);
    exec->sections.count = 0;
}

void sg_exec_forget(sg_exec *exec)
{
    forget(exec, &exec->refreshing);
    forget(exec, &exec->recording);
    forget_sections(exec);
}

/* A recording holds pointers and numbers of the run that it was made in. */
static void forget_other_runs(sg_exec *exec, const sg_run *run)
{
    sg_exec_fixed now;
    memset(&now, 0, sizeof now);
    if (run) {
        now.class_weight = run->class_weight;
        now.border = exec->io[0].border;
        now.loss_scale = run->loss_scale;
        memcpy(&now.reduce, &run->reduce, sizeof now.reduce);
        memcpy(&now.reduce_loss, &run->reduce_loss, sizeof now.reduce_loss);
    }
    if (memcmp(&now, &exec->fixed, sizeof now) == 0)
        return;
    forget(exec, &exec->recording);
    forget_sections(exec);
    exec->fixed = now;
}

/* ---- forward ---- */

static sg_err refresh_nodes(void *context)
{
    sg_exec *exec = context;
    sg_err err = SG_OK;
    for (int32_t n = 1; !err && n < exec->graph->nodes; n++) {
        const sg_kernel_def *kernel = sg_exec_kernel(exec, n);
        if (kernel->refresh && exec->graph->node[n].params > 0)
            err = kernel->refresh(exec->kernel[n], &exec->site[n], &exec->io[n]);
    }
    return err;
}

static sg_err refresh(sg_exec *exec)
{
    if (exec->version == exec->weights->version)
        return SG_OK;
    sg_err err = repeat(exec, &exec->refreshing, refresh_nodes, exec, NULL);
    if (!err)
        exec->version = exec->weights->version;
    return err;
}

/* Forward step n runs node n; node 0 is the input, loaded before. */
static sg_err forward_nodes(void *context)
{
    sg_exec *exec = context;
    sg_err err = SG_OK;
    for (int32_t n = 1; !err && n < exec->plan->forward_steps; n++)
        err = sg_exec_kernel(exec, n)->forward(exec->kernel[n], &exec->site[n], &exec->io[n]);
    return err;
}

sg_err sg_exec_forward_images(sg_exec *exec, const sg_raw_image *image, int32_t n,
                              const uint8_t *labels, sg_run *run)
{
    exec->steps_done = 0;
    if (sg_plan_trains(exec->plan->mode) && (!labels || !run))
        return sg_fail(SG_EUSAGE, "a training step needs labels");
    SG_ASSERT(n >= 1 && n <= exec->plan->tensor[0].shape.n);
    sg_err err = refresh(exec);
    if (!err)
        err = sg_exec_load(exec, image, n, labels, run);
    forget_other_runs(exec, run);
    if (!err)
        err = repeat(exec, &exec->recording, forward_nodes, exec, run);
    if (!err)
        exec->steps_done = exec->plan->forward_steps;
    return err;
}

sg_err sg_exec_forward(sg_exec *exec, const float *input, const uint8_t *labels, sg_run *run)
{
    sg_shape in = exec->plan->tensor[0].shape;
    sg_raw_plain(exec->image, (int32_t)in.n, input, sg_shape_count(in) / (size_t)in.n);
    return sg_exec_forward_images(exec, exec->image, (int32_t)in.n, labels, run);
}

/* ---- backward ---- */

static sg_err accumulate(const sg_exec *exec, const sg_step *step)
{
    int32_t t = exec->graph->node[step->node].input[step->slot];
    const sg_plan_tensor *tensor = &exec->plan->tensor[t];
    sg_backend *backend = exec->backend;
    size_t count = sg_shape_count(tensor->shape);
    int64_t c = tensor->shape.c;
    void *sum = sg_exec_at(exec, tensor->gradient);
    const void *part = exec->io[step->node].grad_in[step->slot];
    if (tensor->pitch == c)
        return backend->accumulate(backend, sum, part, exec->plan->type, count);
    const sg_pitched_sum work = {sum, part, exec->plan->type, count / (size_t)c, c, tensor->pitch};
    return backend->accumulate_pitched(backend, &work);
}

static sg_err run_step(sg_exec *exec, const sg_step *step)
{
    int32_t n = step->node;
    const sg_kernel_def *kernel = sg_exec_kernel(exec, n);
    if (step->kind == SG_STEP_ACCUMULATE)
        return accumulate(exec, step);
    return step->kind == SG_STEP_AGAIN
               ? kernel->forward(exec->kernel[n], &exec->site[n], &exec->back[n])
               : kernel->backward(exec->kernel[n], &exec->site[n], &exec->back[n]);
}

static sg_err run_section(void *context)
{
    const section *part = context;
    sg_err err = SG_OK;
    for (int32_t s = part->from; !err && s < part->to; s++)
        err = run_step(part->exec, &part->exec->plan->step[s]);
    return err;
}

void sg_exec_tell_every(sg_exec *exec, size_t elements)
{
    forget_sections(exec);
    exec->tell_every = elements;
}

/* Elements that are final after a step, where it ends one more multiple of tell_every; else 0. */
static size_t told_after(const sg_exec *exec, const sg_step *step, size_t before)
{
    size_t ready = step->kind == SG_STEP_BACKWARD ? exec->ready[step->node] : 0;
    size_t every = exec->tell_every;
    bool whole = ready == exec->weights->host->layout->trainable_count;
    return every == 0 || whole || ready / every > before / every ? ready : 0;
}

static sg_err make_sections(sg_exec *exec)
{
    sg_exec_sections *all = &exec->sections;
    size_t steps = (size_t)(exec->plan->steps - exec->plan->forward_steps);
    if (all->cut)
        return SG_OK;
    sg_err err = sg_calloc(steps + 1, sizeof *all->cut, &all->cut);
    if (!err)
        err = sg_calloc(steps, sizeof *all->ready, &all->ready);
    return err ? err : sg_calloc(steps, sizeof *all->recording, &all->recording);
}

/* One section alone where nobody is told. */
static sg_err cut_sections(sg_exec *exec, bool told)
{
    const sg_plan *plan = exec->plan;
    sg_exec_sections *all = &exec->sections;
    sg_err err = make_sections(exec);
    if (err || (all->count > 0 && all->told == told))
        return err;
    forget_sections(exec);
    all->told = told;
    all->cut[0] = plan->forward_steps;
    size_t before = 0;
    for (int32_t s = plan->forward_steps; s < plan->steps; s++) {
        size_t ready = told ? told_after(exec, &plan->step[s], before) : 0;
        if (ready == 0 && s + 1 < plan->steps)
            continue;
        before = ready > 0 ? ready : before;
        all->ready[all->count++] = ready;
        all->cut[all->count] = s + 1;
    }
    return SG_OK;
}

/* What the host is to know of the pass. */
static sg_err report(const sg_exec *exec)
{
    sg_err err = SG_OK;
    for (int32_t n = 1; !err && n < exec->graph->nodes; n++) {
        const sg_kernel_def *kernel = sg_exec_kernel(exec, n);
        if (kernel->report)
            err = kernel->report(exec->kernel[n], &exec->site[n], &exec->io[n]);
    }
    return err ? err : exec->backend->synchronize(exec->backend);
}

sg_err sg_exec_backward(sg_exec *exec, sg_run *run, sg_ready_fn ready, void *user)
{
    const sg_plan *plan = exec->plan;
    if (!sg_plan_trains(plan->mode) || exec->steps_done != plan->forward_steps)
        return sg_fail(SG_EUSAGE, "a backward pass must follow a forward pass of a training plan");
    for (int32_t n = 0; n < exec->graph->nodes; n++)
        exec->back[n].run = run;
    sg_err err = cut_sections(exec, ready != NULL);
    for (int32_t k = 0; !err && k < exec->sections.count; k++) {
        section part = {exec, exec->sections.cut[k], exec->sections.cut[k + 1]};
        err = repeat(exec, &exec->sections.recording[k], run_section, &part, run);
        if (!err && ready && exec->sections.ready[k] > 0)
            ready(user, exec->sections.ready[k]);
    }
    if (!err)
        err = report(exec);
    exec->steps_done = err ? 0 : plan->steps;
    return err;
}
