#include "op/network.h"

#include <string.h>
#include "base/size.h"
#include "nn/fuse.h"
#include "op/session.h"

enum { STEPS = 1, BANDS = 3, CLASSES = 4, BATCH = 1, SIDE = 32 };
enum { PIXELS = BATCH * SIDE * SIDE };

typedef struct {
    const char *network;
    sg_dtype most;          /* the last number format that it is worth the time in */
    int recompute_from, to; /* likewise: without, with, or both */
} network_case;

/* Skips of batch norms, of sums (which the next convolution reads, too), a pyramid. */
static const network_case networks[] = {
    {"unet,width=8,depth=2,dropout=0.1", SG_BF16, 0, 1},
    {"unet,width=16,depth=1,up=bilinear", SG_BF16, 0, 0},
    {"unet,encoder=resnet18,width=8", SG_F32, 0, 0},
    {"deeplabv3+,encoder=resnet18,width=16", SG_F32, 1, 1},
};

typedef struct {
    sg_backend *backend;
    sg_abilities abilities; /* its own: sums are within convolutions on both sides */
    sg_model_options model;
    sg_dtype type;
    bool recompute;
    float input[PIXELS * BANDS], probabilities[2][PIXELS * CLASSES];
    uint8_t labels[PIXELS], classes[PIXELS];
    double loss[2][STEPS];
    uint64_t weights[2]; /* a hash */
    int guests[2];
} trial;

static uint64_t hash(const float *values, size_t count)
{
    uint64_t sum = 14695981039346656037u;
    const uint8_t *bytes = (const uint8_t *)values;
    for (size_t i = 0; i < count * sizeof *values; i++)
        sum = (sum ^ bytes[i]) * 1099511628211u;
    return sum;
}

static int count_guests(const sg_exec *exec)
{
    const sg_plan *plan = sg_exec_plan(exec);
    int guests = 0;
    for (int32_t t = 0; t < plan->graph->tensors; t++)
        guests += plan->tensor[t].host >= 0;
    return guests;
}

static sg_err train(trial *t, int side)
{
    const op_session_options options = {.model = &t->model,
                                        .input = {BATCH, SIDE, SIDE, BANDS},
                                        .type = t->type,
                                        .rate = 1e-3f,
                                        .recompute = t->recompute};
    op_session s;
    sg_err err = op_session_open(&s, t->backend, &options);
    for (int32_t i = 0; !err && i < STEPS; i++)
        err = op_session_step(&s, t->input, t->labels, i, &t->loss[side][i]);
    if (!err)
        err = sg_weights_to_host(s.weights);
    if (!err) {
        t->weights[side] = hash(s.params->trainable, s.params->layout->trainable_count);
        t->guests[side] += count_guests(s.exec);
    }
    op_session_close(&s);
    return err;
}

static sg_err run_folded(trial *t, int side, const sg_graph *graph, sg_params *params)
{
    sg_weights *weights = NULL;
    sg_exec *exec = NULL;
    sg_err err = sg_weights_create(t->backend, params, false, &weights);
    if (!err)
        err = sg_exec_create(t->backend, graph, weights, (sg_shape){BATCH, SIDE, SIDE, BANDS},
                             t->type, SG_PLAN_INFERENCE, &exec);
    if (!err)
        err = sg_exec_forward(exec, t->input, NULL, NULL);
    if (!err)
        err = sg_exec_classify(exec, t->classes, t->probabilities[side]);
    if (!err)
        t->guests[side] += count_guests(exec);
    sg_exec_close(exec);
    sg_weights_close(weights);
    return err;
}

static sg_err predict(trial *t, int side)
{
    sg_graph *plain = NULL, *folded = NULL;
    sg_params *params = NULL, *folded_params = NULL;
    sg_err err = sg_model_build(&t->model, &plain);
    if (!err)
        err = sg_params_create(plain, &params);
    if (!err)
        err = sg_params_init(plain, params, 9);
    if (!err)
        err = sg_graph_fold_for(&t->abilities, plain, params, &folded, &folded_params);
    if (!err)
        err = run_folded(t, side, folded, folded_params);
    sg_params_close(folded_params);
    sg_graph_close(folded);
    sg_params_close(params);
    sg_graph_close(plain);
    return err;
}

static sg_err run(trial *t, int side)
{
    t->guests[side] = 0;
    sg_err err = train(t, side);
    return err ? err : predict(t, side);
}

/* The backend's kernels for the time of a run, able to do with gaps or not. */
static sg_err run_copying(trial *t)
{
    const sg_kernel_def *able[SG_OP_COUNT];
    sg_kernel_def unable[SG_OP_COUNT];
    memcpy(able, t->backend->kernel, sizeof able);
    for (int op = 0; op < SG_OP_COUNT; op++)
        if (able[op]) {
            unable[op] = *able[op];
            unable[op].can = 0;
            t->backend->kernel[op] = &unable[op];
        }
    sg_err err = run(t, 1);
    memcpy(t->backend->kernel, able, sizeof able);
    return err;
}

static sg_err compare(trial *t, const char *network)
{
    sg_err err = run(t, 0);
    if (!err)
        err = run_copying(t);
    if (err)
        return err;
    if (t->guests[1] != 0 || (t->guests[0] == 0) != (t->backend->kernel[SG_OP_concat]->can == 0))
        return sg_fail(SG_EINTERNAL, "%s: %d tensors lie in another, %d where none should", network,
                       t->guests[0], t->guests[1]);
    if (memcmp(t->loss[0], t->loss[1], sizeof t->loss[0]) || t->weights[0] != t->weights[1])
        return sg_fail(SG_EINTERNAL, "%s in %s: side by side it trains to other bits: %.17g, %.17g",
                       network, sg_dtype_name(t->type), t->loss[0][STEPS - 1],
                       t->loss[1][STEPS - 1]);
    if (memcmp(t->probabilities[0], t->probabilities[1], sizeof t->probabilities[0]))
        return sg_fail(SG_EINTERNAL, "%s in %s: side by side it predicts other bits", network,
                       sg_dtype_name(t->type));
    return SG_OK;
}

sg_err op_compare_beside(sg_backend *backend, sg_dtype type)
{
    trial *t = NULL;
    sg_err err = sg_calloc(1, sizeof *t, &t);
    for (size_t i = 0; !err && i < sizeof networks / sizeof *networks; i++) {
        const network_case *c = &networks[i];
        if (type > c->most)
            continue;
        t->backend = backend;
        t->abilities = sg_backend_abilities(backend);
        t->type = type;
        t->model = sg_model_defaults();
        err = sg_model_parse(c->network, &t->model);
        t->model.bands = BANDS;
        t->model.classes = CLASSES;
        op_make_batch((sg_shape){BATCH, SIDE, SIDE, BANDS}, CLASSES, t->input, t->labels);
        for (int recompute = c->recompute_from; !err && recompute <= c->to; recompute++) {
            t->recompute = recompute;
            err = compare(t, c->network);
        }
    }
    sg_free(t);
    return err;
}
