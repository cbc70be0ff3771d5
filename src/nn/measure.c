#include "nn/measure.h"

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/rng.h"
#include "base/size.h"
#include "nn/fit.h"
#include "nn/fuse.h"
#include "nn/update_pieces.h"

struct sg_measure {
    sg_backend *device, *backend; /* borrowed */
    sg_shape input_shape;
    sg_dtype type;
    bool train, recompute;
    sg_graph *graph; /* with loss and fused, or folded */
    sg_params *params;
    sg_weights *weights;
    sg_exec *exec;
    float *input;        /* plain numbers, where the backend loads no images */
    uint8_t *bytes;      /* else images of a byte a value, as most scenes are */
    sg_raw_image *image; /* [n] of either */
    float *factors;      /* what makes numbers of bytes: [2 * bands] */
    bool flying;         /* a pass whose classes have not come down yet */
    uint64_t ticket;     /* of it */
    uint8_t *labels;     /* host; also where classes go */
    sg_update_pieces pieces;
    int64_t pixels;
};

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double sg_measure_median(double *seconds, int32_t count)
{
    qsort(seconds, (size_t)count, sizeof *seconds, ascending);
    return seconds[count / 2];
}

/* ---- making ---- */

static sg_err make_graph(sg_measure *b, const sg_graph *plain)
{
    sg_graph *changed = NULL;
    sg_params *params = NULL;
    const sg_abilities abilities = sg_backend_abilities(b->device);
    sg_err err = sg_params_create(plain, &params);
    if (!err)
        err = sg_params_init(plain, params, 1);
    if (!err && b->train)
        err = sg_graph_with_loss(plain, &changed);
    if (!err && b->train)
        err = sg_graph_fuse(changed, &b->graph);
    else if (!err)
        err = sg_graph_fold_for(&abilities, plain, params, &b->graph, &b->params);
    if (!err && b->train) {
        b->params = params;
        params = NULL;
    }
    sg_params_close(params);
    sg_graph_close(changed);
    return err;
}

/* Uniform in [-1/2, 1/2), as a network sees it. */
static sg_err make_numbers(sg_measure *b, size_t values)
{
    sg_err err = sg_malloc(values, sizeof *b->input, &b->input);
    for (size_t i = 0; !err && i < values; i++)
        b->input[i] = sg_uniform(sg_random(1, SG_STREAM_SCENE, i, 0).v[0]) - .5f;
    if (!err)
        sg_raw_plain(b->image, (int32_t)b->input_shape.n, b->input,
                     values / (size_t)b->input_shape.n);
    return err;
}

static sg_err make_bytes(sg_measure *b, size_t values)
{
    size_t c = (size_t)b->input_shape.c, one = values / (size_t)b->input_shape.n;
    sg_err err = sg_malloc(values, 1, &b->bytes);
    if (!err)
        err = sg_malloc(2 * c, sizeof *b->factors, &b->factors);
    for (size_t i = 0; !err && i < values; i++)
        b->bytes[i] = (uint8_t)sg_random(1, SG_STREAM_SCENE, i, 0).v[0];
    for (size_t i = 0; !err && i < 2 * c; i++)
        b->factors[i] = i < c ? 127.5f : 1 / 255.f;
    for (size_t i = 0; !err && i < (size_t)b->input_shape.n; i++)
        b->image[i] = (sg_raw_image){.type = SG_RAW_U8,
                                     .values = b->bytes + i * one,
                                     .shift = b->factors,
                                     .scale = b->factors + c};
    return err;
}

static sg_err make_batch(sg_measure *b, uint32_t classes)
{
    size_t values;
    sg_err err = sg_size_mul((size_t)b->pixels, (size_t)b->input_shape.c, &values);
    if (!err)
        err = sg_calloc((size_t)b->input_shape.n, sizeof *b->image, &b->image);
    if (!err)
        err = b->backend->load ? make_bytes(b, values) : make_numbers(b, values);
    if (!err)
        err = sg_malloc((size_t)b->pixels, 1, &b->labels);
    for (size_t i = 0; !err && i < (size_t)b->pixels; i++)
        b->labels[i] = (uint8_t)sg_below(sg_random(1, SG_STREAM_SCENE, i, 1).v[0], classes);
    return err;
}

static sg_plan_mode mode_of(const sg_measure *b)
{
    if (!b->train)
        return SG_PLAN_INFERENCE;
    return b->recompute ? SG_PLAN_RECOMPUTE : SG_PLAN_TRAINING;
}

/* An eighth of what is free is left to the kernels. */
static sg_err choose_batch(sg_measure *b)
{
    enum { MOST = 65536 };
    const sg_abilities abilities = sg_backend_abilities(b->backend);
    const sg_plan_request request = {b->graph, b->input_shape, b->type, mode_of(b), &abilities};
    size_t available = b->device->available ? b->device->available(b->device) : 0;
    if (b->input_shape.n == 0 && available == 0)
        return sg_fail(SG_EUNSUPPORTED,
                       "batch auto: the device \"%s\" does not say how much memory is free; give "
                       "a number",
                       b->device->name);
    if (b->input_shape.n == 0)
        b->input_shape.n = sg_fitting_batch(&request, available - available / 8, MOST);
    b->pixels = b->input_shape.n * b->input_shape.h * b->input_shape.w;
    return b->pixels > 0 ? SG_OK
                         : sg_fail(SG_ENOMEM, "not one tile of %d x %d fits into %zu MiB",
                                   (int)b->input_shape.h, (int)b->input_shape.w, available >> 20);
}

static sg_err make_all(sg_measure *b, const sg_graph *plain)
{
    sg_err err = make_graph(b, plain);
    if (!err)
        err = sg_weights_create(b->backend, b->params, b->train, &b->weights);
    if (!err)
        err = choose_batch(b);
    if (!err)
        err = make_batch(b, (uint32_t)sg_graph_output_channels(plain));
    if (!err && b->train)
        err = sg_update_pieces_open(&b->pieces, b->backend, plain, b->params->layout, NULL);
    return err ? err
               : sg_exec_create(b->backend, b->graph, b->weights, b->input_shape, b->type,
                                mode_of(b), &b->exec);
}

sg_err sg_measure_open(const sg_measure_options *options, sg_measure **measure)
{
    sg_measure *b = NULL;
    *measure = NULL;
    sg_err err = sg_calloc(1, sizeof *b, &b);
    if (err)
        return err;
    b->device = options->device;
    b->backend = options->backend;
    b->input_shape = options->input;
    b->type = options->type;
    b->train = options->train;
    b->recompute = options->recompute;
    err = make_all(b, options->graph);
    if (!err && b->train) /* in one go */
        sg_exec_tell_every(b->exec, b->params->layout->trainable_count);
    if (err)
        sg_measure_close(b);
    else
        *measure = b;
    return err;
}

void sg_measure_close(sg_measure *b)
{
    if (!b)
        return;
    sg_exec_close(b->exec);
    sg_weights_close(b->weights);
    sg_params_close(b->params);
    sg_graph_close(b->graph);
    sg_update_pieces_close(&b->pieces);
    sg_free(b->input);
    sg_free(b->bytes);
    sg_free(b->image);
    sg_free(b->factors);
    sg_free(b->labels);
    sg_free(b);
}

int64_t sg_measure_batch(const sg_measure *b)
{
    return b->input_shape.n;
}

/* In training output, input gradient and weight gradient. */
static double passes(const sg_measure *b)
{
    return b->train ? 3 : 1;
}

double sg_measure_flops(const sg_measure *b)
{
    return passes(b) * sg_exec_plan(b->exec)->flops;
}

size_t sg_measure_bytes(const sg_measure *b)
{
    return sg_exec_plan(b->exec)->arena_bytes;
}

/* ---- the network ---- */

/* As in training: the next batch goes up meanwhile. */
static void send_next(void *user, size_t ready)
{
    sg_measure *b = user;
    if (ready == b->params->layout->trainable_count)
        sg_exec_send(b->exec, b->image, (int32_t)b->input_shape.n, b->labels);
}

static sg_err train_step(sg_measure *b)
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
    sg_err err =
        sg_exec_forward_images(b->exec, b->image, (int32_t)b->input_shape.n, b->labels, &run);
    if (!err)
        err = sg_exec_backward(b->exec, &run, send_next, b);
    if (!err)
        err = sg_update_step(&b->pieces, &update, w->trainable, w->gradient, w->m, w->v);
    sg_weights_changed(w);
    return err ? err : b->backend->synchronize(b->backend);
}

/* As in prediction: where the device keeps two passes in flight, the classes of the last one are
 * taken while this one is computed. */
static sg_err predict_batch(sg_measure *b)
{
    bool ahead = sg_exec_in_flight(b->exec) > 1, before = b->flying;
    uint64_t ticket = b->ticket;
    sg_err err = sg_exec_forward_images(b->exec, b->image, (int32_t)b->input_shape.n, NULL, NULL);
    if (!err)
        err = sg_exec_classify_begin(b->exec, false, &b->ticket);
    b->flying = ahead && !err;
    if (!err && (!ahead || before))
        err = sg_exec_classify_end(b->exec, ahead ? ticket : b->ticket, b->labels, NULL);
    return err;
}

sg_err sg_measure_step(sg_measure *b)
{
    return b->train ? train_step(b) : predict_batch(b);
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

static sg_site site_of(const sg_measure *b, const sg_node *node)
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
                    .training = b->train,
                    .write = {plan->node[id].write[0]},
                    .saved_bytes = plan->node[id].saved_bytes,
                    .in_pitch = {in->shape.c},
                    .grad_pitch = {in->shape.c},
                    .out_pitch = out->shape.c};
    for (int32_t p = 0; p < node->params; p++)
        site.param_count[p] = (int64_t)b->graph->param[node->param[p]].count;
    return site;
}

/* Seconds of a node's forward pass, and backward pass in training: the best of some. */
static sg_err time_conv(const sg_measure *b, const sg_node *node, int32_t repeats, double *seconds)
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
    for (int32_t i = 0; !err && i < repeats; i++) {
        double start = sg_now();
        err = def->forward(kernel, &site, &io);
        if (!err && b->train)
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

sg_err sg_measure_convs(sg_measure *b, int32_t repeats, double *seconds, double *flops)
{
    sg_err err = SG_OK;
    *seconds = *flops = 0;
    for (int32_t n = 1; !err && n < b->graph->nodes; n++) {
        const sg_node *node = &b->graph->node[n];
        if (!is_3x3(node))
            continue;
        sg_site site = site_of(b, node);
        *flops += passes(b) * sg_op_definition(node->op)->flops(node, site.in, site.out);
        err = time_conv(b, node, repeats, seconds);
    }
    return err;
}
