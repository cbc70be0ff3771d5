/* segtiles bench net, train: a network's forward pass or training step, against its own 3x3
 * convolutions, the part that cannot be avoided, timed alone in the same run. */
#include "jobs/bench.h"

#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/rng.h"
#include "base/size.h"
#include "jobs/profile.h"
#include "nn/exec.h"
#include "nn/fuse.h"

/* A network on its device, and a batch for it. */
typedef struct {
    const sg_bench_options *options;
    sg_backend *device;  /* as opened */
    sg_backend *backend; /* what runs the network: device, or a profiler over it */
    sg_profile profile;
    sg_dtype type;
    sg_graph *graph;
    sg_params *params;
    sg_weights *weights;
    sg_exec *exec;
    float *input;
    uint8_t *labels, *decays;
    int64_t pixels;
} bench;

/* ---- making ---- */

static sg_err make_graph(bench *b)
{
    sg_graph *plain = NULL, *changed = NULL;
    sg_params *params = NULL;
    sg_err err = sg_model_build(&b->options->model, &plain);
    if (!err)
        err = sg_params_create(plain, &params);
    if (!err)
        err = sg_params_init(plain, params, 1);
    if (!err && b->options->train)
        err = sg_graph_with_loss(plain, &changed);
    if (!err && b->options->train)
        err = sg_graph_fuse(changed, &b->graph);
    else if (!err)
        err = sg_graph_fold(plain, params, &b->graph, &b->params);
    if (!err && b->options->train) {
        b->params = params;
        params = NULL;
    }
    sg_params_close(params);
    sg_graph_close(changed);
    sg_graph_close(plain);
    return err;
}

static sg_err make_batch(bench *b)
{
    const sg_bench_options *o = b->options;
    size_t values;
    b->pixels = (int64_t)o->batch * o->size * o->size;
    sg_err err = sg_size_mul((size_t)b->pixels, (size_t)o->model.bands, &values);
    if (!err)
        err = sg_malloc(values, sizeof *b->input, &b->input);
    if (!err)
        err = sg_malloc((size_t)b->pixels, 1, &b->labels);
    if (!err)
        err = sg_malloc(b->params->layout->trainable_count, 1, &b->decays);
    if (err)
        return err;
    for (size_t i = 0; i < values; i++)
        b->input[i] = sg_uniform(sg_random(1, SG_STREAM_SCENE, i, 0).v[0]) - .5f;
    for (size_t i = 0; i < (size_t)b->pixels; i++)
        b->labels[i] =
            (uint8_t)sg_below(sg_random(1, SG_STREAM_SCENE, i, 1).v[0], (uint32_t)o->model.classes);
    memset(b->decays, 1, b->params->layout->trainable_count);
    return SG_OK;
}

static sg_err open_bench(bench *b, const sg_bench_options *options, const sg_comm *comm)
{
    *b = (bench){.options = options};
    sg_err err = sg_device_open(&options->device, comm, &b->device, &b->type);
    b->backend = b->device;
    if (!err && options->profile)
        err = sg_profile_open(b->device, &b->profile, &b->backend);
    if (!err)
        err = make_graph(b);
    if (!err)
        err = sg_weights_create(b->backend, b->params, options->train, &b->weights);
    if (!err)
        err = make_batch(b);
    sg_shape shape = {options->batch, options->size, options->size, options->model.bands};
    if (!err)
        err = sg_exec_create(b->backend, b->graph, b->weights, shape, b->type,
                             options->train ? SG_PLAN_TRAINING : SG_PLAN_INFERENCE, &b->exec);
    return err;
}

static void close_bench(bench *b)
{
    sg_exec_close(b->exec);
    sg_weights_close(b->weights);
    sg_params_close(b->params);
    sg_graph_close(b->graph);
    sg_free(b->input);
    sg_free(b->labels);
    sg_free(b->decays);
    if (b->backend != b->device)
        sg_backend_close(b->backend);
    sg_backend_close(b->device);
}

/* ---- the network ---- */

static sg_err train_step(bench *b)
{
    sg_run run = {.seed = 1, .loss_scale = 1.0f / (float)b->pixels};
    const sg_update update = {.rule = SG_ADAMW,
                              .rate = 1e-4f,
                              .decay = 1e-2f,
                              .beta1 = .9f,
                              .beta2 = .999f,
                              .epsilon = 1e-8f,
                              .gradient_scale = 1,
                              .step = 1};
    sg_weights *w = b->weights;
    sg_err err = sg_exec_forward(b->exec, b->input, b->labels, &run);
    if (!err)
        err = sg_exec_backward(b->exec, &run, NULL, NULL);
    if (!err)
        err = b->backend->update(b->backend, &update, b->params->layout->trainable_count,
                                 w->trainable, w->gradient, w->m, w->v, b->decays);
    sg_weights_changed(w);
    return err ? err : b->backend->synchronize(b->backend);
}

static sg_err predict_batch(bench *b)
{
    sg_err err = sg_exec_forward(b->exec, b->input, NULL, NULL);
    if (!err)
        err = sg_exec_classify(b->exec, b->labels, NULL);
    return err ? err : b->backend->synchronize(b->backend);
}

/* Median seconds of a step; the slowest rank counts. [collective] */
static sg_err time_network(bench *b, sg_comm *comm, double *median, double *least)
{
    double seconds[SG_BENCH_REPEATS];
    sg_err (*step)(bench *) = b->options->train ? train_step : predict_batch;
    sg_err err = step(b); /* the first one touches the memory */
    memset(&b->profile, 0, sizeof b->profile);
    for (int32_t i = 0; i < b->options->repeats; i++) {
        sg_comm_barrier(comm);
        double start = sg_now();
        if (!err)
            err = step(b);
        seconds[i] = sg_now() - start;
        sg_comm_max_f64(comm, &seconds[i], 1);
    }
    *median = sg_bench_median(seconds, b->options->repeats);
    *least = seconds[0];
    return err;
}

/* ---- its 3x3 convolutions alone ---- */

typedef struct {
    void *in, *out, *grad_in, *grad_out, *saved;
    float *weight, *bias, *gradient;
} conv_memory;

static void free_memory(sg_backend *device, conv_memory *m)
{
    void *all[] = {m->in,    m->out,    m->grad_in, m->grad_out,
                   m->saved, m->weight, m->bias,    m->gradient};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i])
            device->free(device, all[i]);
}

/* Small numbers: zeros and denormals would not cost what real values do. */
static sg_err fill(sg_backend *device, size_t bytes, sg_dtype type, void **memory)
{
    size_t count = bytes / sg_dtype_size(type);
    float *values = NULL;
    sg_err err = device->alloc(device, bytes, memory);
    if (!err)
        err = sg_malloc(count, sizeof *values, &values);
    for (size_t i = 0; !err && i < count; i++)
        values[i] = (float)(int)(i * 2654435761u % 2001 - 1000) * 1e-3f;
    if (!err)
        err = device->load_input(device, *memory, type, values, count);
    sg_free(values);
    return err;
}

static sg_err make_memory(sg_backend *device, const sg_site *site, conv_memory *m)
{
    size_t in = sg_shape_count(site->in[0]), out = sg_shape_count(site->out);
    size_t weights = (size_t)site->param_count[0] * sizeof(float);
    void *p[3] = {NULL, NULL, NULL};
    sg_err err = fill(device, in * sg_dtype_size(site->in_type[0]), site->in_type[0], &m->in);
    if (!err)
        err = fill(device, out * sg_dtype_size(site->out_type), site->out_type, &m->out);
    if (!err)
        err = fill(device, in * sg_dtype_size(site->grad_type), site->grad_type, &m->grad_in);
    if (!err)
        err = fill(device, out * sg_dtype_size(site->grad_type), site->grad_type, &m->grad_out);
    if (!err && site->saved_bytes)
        err = device->alloc(device, site->saved_bytes, &m->saved);
    for (int i = 0; !err && i < 3; i++)
        err = fill(device, weights, SG_F32, &p[i]);
    m->weight = p[0];
    m->bias = p[1];
    m->gradient = p[2];
    return err;
}

static sg_site site_of(const bench *b, const sg_node *node)
{
    const sg_plan *plan = sg_exec_plan(b->exec);
    const sg_plan_tensor *in = &plan->tensor[node->input[0]], *out = &plan->tensor[node->output];
    int32_t id = (int32_t)(node - b->graph->node);
    sg_site site = {.node = node,
                    .inputs = 1,
                    .in = {in->shape},
                    .out = out->shape,
                    .in_type = {in->type},
                    .out_type = out->type,
                    .grad_type = b->type,
                    .training = b->options->train,
                    .write = {plan->node[id].write[0]},
                    .saved_bytes = plan->node[id].saved_bytes};
    for (int32_t p = 0; p < node->params; p++)
        site.param_count[p] = (int64_t)b->graph->param[node->param[p]].count;
    return site;
}

/* Seconds of a node's forward pass, and backward pass in training: the best of some. */
static sg_err time_conv(const bench *b, const sg_node *node, double *seconds)
{
    sg_backend *device = b->device;
    const sg_kernel_def *def = device->kernel[node->op];
    sg_site site = site_of(b, node);
    conv_memory m = {0};
    void *kernel = NULL;
    sg_err err = make_memory(device, &site, &m);
    sg_io io = {.in = {m.in},
                .out = m.out,
                .grad_out = m.grad_out,
                .grad_in = {m.grad_in},
                .param = {m.weight, m.bias},
                .param_grad = {m.gradient, m.bias},
                .saved = m.saved};
    if (!err)
        err = def->prepare(device, &site, &kernel);
    if (!err && def->refresh)
        err = def->refresh(kernel, &site, &io);
    double best = 1e30;
    for (int32_t i = 0; !err && i < b->options->repeats + 2; i++) {
        double start = sg_now();
        err = def->forward(kernel, &site, &io);
        if (!err && b->options->train)
            err = def->backward(kernel, &site, &io);
        if (!err)
            err = device->synchronize(device);
        double took = sg_now() - start;
        best = took < best ? took : best;
    }
    if (kernel && def->release)
        def->release(kernel);
    free_memory(device, &m);
    *seconds += best;
    return err;
}

static bool is_3x3(const sg_node *node)
{
    const sg_window_attr *w = &node->attr.window;
    return node->op == SG_OP_conv && w->kernel_h == 3 && w->kernel_w == 3;
}

/* All 3x3 convolutions: seconds and floating-point operations of their forward passes. */
static sg_err time_convs(const bench *b, double *seconds, double *flops)
{
    sg_err err = SG_OK;
    for (int32_t n = 1; !err && n < b->graph->nodes; n++) {
        const sg_node *node = &b->graph->node[n];
        if (!is_3x3(node))
            continue;
        sg_site site = site_of(b, node);
        *flops += sg_op_definition(node->op)->flops(node, site.in, site.out);
        err = time_conv(b, node, seconds);
    }
    return err;
}

/* ---- telling ---- */

static void show_entry(const bench *b, const char *what, const char *pass,
                       const sg_profile_entry *entry)
{
    if (entry->calls)
        printf("  %-14s %-9s %9.2f ms\n", what, pass, 1e3 * entry->seconds / b->options->repeats);
}

static void show_profile(const bench *b)
{
    const sg_profile *p = &b->profile;
    printf("per step:\n");
    for (int op = 0; op < SG_OP_COUNT; op++) {
        show_entry(b, sg_op_name((sg_op)op), "forward", &p->forward[op]);
        show_entry(b, sg_op_name((sg_op)op), "backward", &p->backward[op]);
        show_entry(b, sg_op_name((sg_op)op), "refresh", &p->refresh[op]);
    }
    show_entry(b, "load input", "", &p->load_input);
    show_entry(b, "accumulate", "", &p->accumulate);
    show_entry(b, "classify", "", &p->classify);
    show_entry(b, "update", "", &p->update);
}

static void show(const bench *b, int ranks, double median, double least, double convs,
                 double conv_flops)
{
    const sg_bench_options *o = b->options;
    double mpx = 1e-6 * (double)b->pixels * ranks;
    double passes = o->train ? 3 : 1; /* output, input gradient, weight gradient */
    double flops = passes * sg_exec_plan(b->exec)->flops * ranks;
    printf("%s: %s", o->train ? "train" : "net", o->net ? o->net : o->model.net);
    if (!o->net)
        printf(" of width %d, depth %d", (int)o->model.width, (int)o->model.depth);
    printf(", %d bands, %d classes; %d x %d x %d, %s\n", (int)o->model.bands, (int)o->model.classes,
           (int)o->batch, (int)o->size, (int)o->size, sg_dtype_name(b->type));
    printf("device: %s (%s), %d rank%s\n", b->device->name, b->device->device, ranks,
           ranks == 1 ? "" : "s");
    printf("whole %s: %.2f ms (best %.2f), %.3f Mpx/s, %.0f GFLOP/s\n",
           o->train ? "step" : "forward pass", 1e3 * median, 1e3 * least, mpx / median,
           1e-9 * flops / median);
    if (convs > 0)
        printf("its 3x3 convolutions alone: %.2f ms, %.3f Mpx/s, %.0f GFLOP/s; the whole runs at "
               "%.0f %% of their speed (best %.0f %%)\n",
               1e3 * convs, mpx / convs, 1e-9 * passes * conv_flops * ranks / convs,
               100 * convs / median, 100 * convs / least);
    if (o->profile)
        show_profile(b);
}

sg_err sg_bench_network(const sg_bench_options *options, sg_comm *comm)
{
    bench b;
    double median = 0, least = 0, convs = 0, conv_flops = 0;
    sg_err err = sg_comm_agree(comm, open_bench(&b, options, comm));
    if (!err)
        err = sg_comm_agree(comm, time_network(&b, comm, &median, &least));
    if (!err)
        err = sg_comm_agree(comm, time_convs(&b, &convs, &conv_flops));
    if (!err && sg_comm_rank(comm) == 0)
        show(&b, sg_comm_ranks(comm), median, least, convs, conv_flops);
    close_bench(&b);
    return err;
}
