/*
 * The data-parallel step. What each rank count must give is computed beside it, on every rank
 * alone: the whole batch through one executor, with the textbook formulas. Runs on the reference
 * backend, also behind the face of a device with memory of its own, and on the emulated GPU.
 *
 * Tolerance: both sides compute in f32 and differ in the order of sums only. A gradient element is
 * a sum of at most 12 * 16 * 16 = 3072 terms, whose rounding error is about sqrt(3072) * 2^-24 =
 * 3e-6 of their size; STEPS steps carry it on. TOLERANCE leaves a factor of three.
 */
#include "support/mpi_tests.h"

#include <math.h>
#include <stdlib.h>
#include <stdint.h>
#include <string.h>

#include "base/rng.h"
#include "base/size.h"
#include "model/model.h"
#include "mpi/step_backend.h"
#include "nn/fuse.h"
#include "nn/update_pieces.h"
#include "train/step.h"

enum { BATCH = 12, SIDE = 16, BANDS = 3, CLASSES = 4, STEPS = 4, IMAGE = SIDE * SIDE };
static const double TOLERANCE = 1e-5;
static const float class_weight[CLASSES] = {1, 0.5f, 2, 0.25f};

typedef struct {
    int32_t accumulate, sync_norm, device, recompute, several; /* several: terms of the loss */
    float clip_norm;
    int32_t groups;   /* of ranks, whose batch-norm statistics are their own; 0: one */
    int32_t slow;     /* 1: tensors in turn frozen, slowed down and as they are */
    int32_t alone;    /* 1: the reference, whatever is tested */
    size_t bucket;    /* elements of a bucket; 0: 500 */
    int32_t measured; /* 1: as large as is chosen */
} variant;

/* By parameter id. */
static float rate_of(int32_t id)
{
    return .5f * (float)(id % 3);
}

/* A loss of pixels, one of regions over all ranks, one of samples. */
static const sg_loss_term terms[] = {
    {SG_OP_softmax_loss, {.weight = 0.5f, .smoothing = 0.1f}},
    {SG_OP_region_loss, {.weight = 2, .alpha = 0.5f, .beta = 0.5f, .smooth = 1}},
    {SG_OP_lovasz_loss, {.weight = 1}},
};
enum { TERM_COUNT = sizeof terms / sizeof *terms };

typedef struct {
    sg_comm *comm;
    sg_backend *backend;
    sg_graph *graph, *loss, *fused;
    sg_params *params;
    sg_weights *weights;
    float *class_weight; /* the backend's */
} network;

typedef struct {
    float pixels[BATCH * IMAGE * BANDS];
    uint8_t labels[BATCH * IMAGE];
} batch;

/* A batch of images whose classes can be learned; samples have more and more ignored pixels. */
static void make_batch(batch *b, uint64_t step)
{
    for (uint32_t i = 0; i < BATCH * IMAGE; i++) {
        sg_random4 r = sg_random(7, SG_STREAM_SCENE, step, i);
        for (int c = 0; c < BANDS; c++)
            b->pixels[i * BANDS + (uint32_t)c] = sg_uniform(r.v[c]) * 2 - 1;
        b->labels[i] = (uint8_t)sg_below(r.v[0], CLASSES);
        if (sg_below(r.v[3], 2 * BATCH) < i / IMAGE)
            b->labels[i] = SG_IGNORE_LABEL;
    }
}

static void open_network(network *net, sg_comm *comm, const variant *v)
{
    sg_model_options options = sg_model_defaults();
    int32_t has_face;
    memset(net, 0, sizeof *net);
    net->comm = comm;
    options.bands = BANDS;
    options.classes = CLASSES;
    options.depth = 2;
    options.width = 4;
    if (v->alone)
        assert_int_equal(sg_reference_open(&net->backend), SG_OK);
    else if (step_backend_open(comm, &net->backend, &has_face))
        fail_msg("%s", sg_error_text());
    else if (has_face)
        net->backend->host_memory = !v->device;
    assert_int_equal(sg_model_build(&options, &net->graph), SG_OK);
    sg_err err = v->several ? sg_graph_with_losses(net->graph, terms, TERM_COUNT, 1, &net->loss)
                            : sg_graph_with_loss(net->graph, &net->loss);
    assert_int_equal(err, SG_OK);
    assert_int_equal(sg_graph_fuse(net->loss, &net->fused), SG_OK);
    assert_int_equal(sg_params_create(net->graph, &net->params), SG_OK);
    assert_int_equal(sg_params_init(net->graph, net->params, 3), SG_OK);
    assert_int_equal(sg_weights_create(net->backend, net->params, true, &net->weights), SG_OK);
    assert_int_equal(
        net->backend->alloc(net->backend, sizeof class_weight, (void **)&net->class_weight), SG_OK);
    assert_int_equal(
        net->backend->upload(net->backend, net->class_weight, class_weight, sizeof class_weight),
        SG_OK);
}

static void close_network(network *net)
{
    net->backend->free(net->backend, net->class_weight);
    sg_weights_close(net->weights);
    sg_params_close(net->params);
    sg_graph_close(net->fused);
    sg_graph_close(net->loss);
    sg_graph_close(net->graph);
    sg_backend_close(net->backend);
}

static sg_update optimizer(int64_t step)
{
    return (sg_update){
        .rule = SG_SGD, .rate = 0.05f, .decay = 0.01f, .momentum = 0.9f, .step = step};
}

static const float *rates(void)
{
    static float rate[64];
    for (int32_t i = 0; i < 64; i++)
        rate[i] = rate_of(i);
    return rate;
}

static sg_stepper *open_stepper(network *net, const variant *v)
{
    sg_stepper *stepper = NULL;
    sg_shape input = {BATCH / sg_comm_ranks(net->comm) / v->accumulate, SIDE, SIDE, BANDS};
    const sg_step_options options = {.accumulate = v->accumulate,
                                     .clip_norm = v->clip_norm,
                                     .sync_norm = v->sync_norm,
                                     .recompute = v->recompute,
                                     .bucket_elements = v->measured ? 0
                                                        : v->bucket ? v->bucket
                                                                    : 500,
                                     .rate = v->slow ? rates() : NULL};
    assert_int_equal(sg_stepper_create(&stepper, net->comm, net->backend, net->weights, net->fused,
                                       input, SG_F32, &options),
                     SG_OK);
    return stepper;
}

/* One step by ranks; `mine` stands for this rank's trouble with its batch. */
static sg_err step_by_ranks(sg_stepper *stepper, network *net, const variant *v, const batch *b,
                            int64_t step, sg_err mine, sg_step_result *result)
{
    const int32_t part = BATCH / v->accumulate, n = part / sg_comm_ranks(net->comm);
    sg_update update = optimizer(step + 1);
    sg_err err = mine;
    for (int32_t k = 0; k < v->accumulate; k++) {
        int32_t first = k * part + sg_comm_rank(net->comm) * n;
        sg_run run = {.step = (uint64_t)step,
                      .class_weight = net->class_weight,
                      .first_sample = (uint64_t)first};
        sg_raw_image image[BATCH];
        sg_raw_plain(image, n, b->pixels + first * IMAGE * BANDS, IMAGE * BANDS);
        assert_int_equal(k > 0 ? result->complete : 0, 0);
        err = sg_stepper_run(stepper, err, mine ? NULL : image,
                             mine ? NULL : b->labels + first * IMAGE, &run, &update, result);
    }
    assert_int_equal(result->complete, 1);
    return err;
}

/* The same by one executor: gradients of the summed loss, their mean over weights, clipping. */
static void step_alone(network *net, sg_exec *exec, const variant *v, const batch *b, int64_t step,
                       double *sum, const sg_update_pieces *pieces, sg_step_result *result)
{
    const size_t count = net->params->layout->trainable_count;
    const int32_t part = BATCH / v->accumulate;
    sg_update update = optimizer(step + 1);
    double loss = 0, weight = 0, squares = 0, term[SG_MAX_TERMS] = {0};
    memset(sum, 0, count * sizeof *sum);
    for (int32_t k = 0; k < v->accumulate; k++) {
        sg_run run = {
            .step = (uint64_t)step, .class_weight = class_weight, .loss_scale = 1.0f / 64};
        assert_int_equal(sg_exec_forward(exec, b->pixels + k * part * IMAGE * BANDS,
                                         b->labels + k * part * IMAGE, &run),
                         SG_OK);
        assert_int_equal(sg_exec_backward(exec, &run, NULL, NULL), SG_OK);
        loss += run.loss_sum;
        weight += run.weight_sum;
        for (int t = 0; t < SG_MAX_TERMS; t++)
            term[t] += run.term_sum[t];
        for (size_t i = 0; i < count; i++)
            sum[i] += net->weights->gradient[i];
    }
    for (int32_t id = 0; v->slow && id < net->graph->param_count; id++)
        if (sg_param_is_trainable(&net->graph->param[id]) && rate_of(id) == 0)
            memset(sum + net->params->layout->offset[id], 0,
                   net->graph->param[id].count * sizeof *sum);
    for (size_t i = 0; i < count; i++) {
        net->weights->gradient[i] = (float)(sum[i] * 64 / weight);
        squares += pow(sum[i] * 64 / weight, 2);
    }
    result->loss = loss / weight;
    for (int t = 0; t < SG_MAX_TERMS; t++)
        result->term[t] = term[t] / weight;
    result->norm = sqrt(squares);
    update.gradient_scale = v->clip_norm > 0 && result->norm > v->clip_norm
                                ? (float)(v->clip_norm / (result->norm + 1e-6))
                                : 1;
    assert_int_equal(sg_update_step(pieces, &update, net->weights->trainable,
                                    net->weights->gradient, net->weights->m, net->weights->v),
                     SG_OK);
    sg_weights_changed(net->weights);
}

static void assert_near(const float *got, const float *expected, size_t count)
{
    double largest = 0, apart = 0;
    for (size_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs((double)expected[i]));
        apart = fmax(apart, fabs((double)got[i] - (double)expected[i]));
    }
    if (!(apart <= TOLERANCE * largest))
        fail_msg("values differ by %g of %g", apart, largest);
}

static void assert_same_on_all_ranks(sg_comm *comm, const void *bytes, size_t count)
{
    char *all = calloc((size_t)sg_comm_ranks(comm), count);
    sg_comm_all_gather(comm, bytes, count, all);
    for (int rank = 0; rank < sg_comm_ranks(comm); rank++)
        assert_memory_equal(all + (size_t)rank * count, bytes, count);
    free(all);
}

/* Frozen tensors hold their initial bytes, others do not. */
static void check_frozen(const network *net)
{
    sg_params *initial = NULL;
    assert_int_equal(sg_params_create(net->graph, &initial), SG_OK);
    assert_int_equal(sg_params_init(net->graph, initial, 3), SG_OK);
    for (int32_t id = 0; id < net->graph->param_count; id++) {
        size_t bytes = net->graph->param[id].count * sizeof(float);
        if (!sg_param_is_trainable(&net->graph->param[id]))
            continue;
        int same =
            memcmp(sg_params_values(initial, id), sg_params_values(net->params, id), bytes) == 0;
        assert_int_equal(same, rate_of(id) == 0);
    }
    sg_params_close(initial);
}

static void compare_with_one_executor(sg_comm *comm, const variant *v)
{
    network ranks, alone;
    sg_exec *exec = NULL;
    batch *b = malloc(sizeof *b);
    const variant host = {.several = v->several, .alone = 1};
    variant one = *v; /* a group of ranks is a part to one executor */
    one.accumulate = v->groups > 0 ? v->groups : v->accumulate;
    const sg_shape input = {BATCH / one.accumulate, SIDE, SIDE, BANDS};
    open_network(&ranks, comm, v);
    open_network(&alone, comm, &host);
    size_t count = alone.params->layout->trainable_count;
    double *sum = calloc(count, sizeof *sum);
    sg_update_pieces pieces;
    sg_stepper *stepper = open_stepper(&ranks, v);
    assert_int_equal(sg_exec_create(alone.backend, alone.loss, alone.weights, input, SG_F32,
                                    SG_PLAN_TRAINING, &exec),
                     SG_OK);
    assert_int_equal(sg_update_pieces_open(&pieces, alone.backend, alone.graph,
                                           alone.params->layout, v->slow ? rates() : NULL),
                     SG_OK);
    for (int64_t step = 0; step < STEPS; step++) {
        sg_step_result got, expected;
        make_batch(b, (uint64_t)step);
        assert_int_equal(step_by_ranks(stepper, &ranks, v, b, step, SG_OK, &got), SG_OK);
        step_alone(&alone, exec, &one, b, step, sum, &pieces, &expected);
        assert_true(fabs(got.loss - expected.loss) < TOLERANCE * expected.loss);
        assert_true(fabs(got.norm - expected.norm) < 10 * TOLERANCE * expected.norm);
        for (int t = 0; t < SG_MAX_TERMS; t++)
            assert_true(fabs(got.term[t] - expected.term[t]) <= TOLERANCE * expected.term[t]);
        assert_int_equal(got.finite, 1);
        assert_int_equal(got.failures + got.stops, 0);
    }
    assert_true(alone.graph->param_count < 64);
    assert_int_equal(sg_weights_to_host(ranks.weights), SG_OK);
    if (v->slow)
        check_frozen(&ranks);
    assert_near(ranks.params->trainable, alone.params->trainable, count);
    if (v->groups == 0)
        assert_near(ranks.params->state, alone.params->state, alone.params->layout->state_count);
    assert_same_on_all_ranks(comm, ranks.params->state,
                             ranks.params->layout->state_count * sizeof(float));
    assert_same_on_all_ranks(comm, ranks.params->trainable, count * sizeof(float));
    sg_exec_close(exec);
    sg_stepper_close(stepper);
    sg_update_pieces_close(&pieces);
    close_network(&alone);
    close_network(&ranks);
    free(sum);
    free(b);
}

static void ranks_give_what_one_executor_gives(void **state)
{
    compare_with_one_executor(*state, &(variant){.accumulate = 1, .sync_norm = 1});
}

static void accumulated_parts_give_what_one_executor_gives(void **state)
{
    if (sg_comm_ranks(*state) % 4 == 0) /* 12 samples */
        return;
    compare_with_one_executor(*state, &(variant){.accumulate = 2, .sync_norm = 1});
}

static void the_mean_gradient_is_clipped(void **state)
{
    compare_with_one_executor(*state,
                              &(variant){.accumulate = 1, .sync_norm = 1, .clip_norm = 0.25f});
}

static void slowed_and_frozen_layers(void **state)
{
    compare_with_one_executor(
        *state, &(variant){.accumulate = 1, .sync_norm = 1, .clip_norm = 0.25f, .slow = 1});
}

static void values_that_are_computed_again_give_the_same(void **state)
{
    compare_with_one_executor(*state, &(variant){.accumulate = 1, .sync_norm = 1, .recompute = 1});
    compare_with_one_executor(
        *state, &(variant){.accumulate = 1, .sync_norm = 1, .recompute = 1, .several = 1});
}

static void a_device_with_its_own_memory_gives_the_same(void **state)
{
    int32_t parts = sg_comm_ranks(*state) % 4 == 0 ? 1 : 2;
    compare_with_one_executor(*state, &(variant){.accumulate = parts, .sync_norm = 1, .device = 1});
}

static void losses_of_regions_are_those_of_all_ranks(void **state)
{
    int32_t parts = sg_comm_ranks(*state) % 4 == 0 ? 1 : 2;
    compare_with_one_executor(*state, &(variant){.accumulate = 1, .sync_norm = 1, .several = 1});
    compare_with_one_executor(
        *state, &(variant){.accumulate = parts, .sync_norm = 1, .several = 1, .device = 1});
}

/* Groups of two, which are all where there are no more ranks; those of a node, which are all here.
 */
static void groups_of_ranks_share_statistics(void **state)
{
    int ranks = sg_comm_ranks(*state);
    variant pairs = {.accumulate = 1, .sync_norm = 2, .groups = ranks == 4 ? 2 : 0};
    if (ranks != 3)
        compare_with_one_executor(*state, &pairs);
    compare_with_one_executor(*state,
                              &(variant){.accumulate = 1, .sync_norm = SG_SYNC_NODE, .several = 1});
}

static void groups_that_do_not_come_out_even_are_refused(void **state)
{
    const variant v = {.accumulate = 1};
    const sg_step_options options = {.accumulate = 1, .sync_norm = 2};
    sg_shape input = {1, SIDE, SIDE, BANDS};
    sg_stepper *stepper = NULL;
    network net;
    if (sg_comm_ranks(*state) != 3)
        return;
    open_network(&net, *state, &v);
    assert_int_equal(sg_stepper_create(&stepper, net.comm, net.backend, net.weights, net.fused,
                                       input, SG_F32, &options),
                     SG_EUSAGE);
    assert_null(stepper);
    assert_non_null(strstr(sg_error_text(), "groups of 2 ranks"));
    close_network(&net);
}

/* What some steps make of the weights; NULL where sums are another library's, whose order may
 * depend on sizes (so that buckets are not measured there). */
static float *trained(sg_comm *comm, const variant *v, size_t *bytes)
{
    network net;
    sg_exchange_report sums;
    batch *b = malloc(sizeof *b);
    open_network(&net, comm, v);
    sg_stepper *stepper = open_stepper(&net, v);
    for (int64_t step = 0; step < STEPS / 2; step++) {
        sg_step_result result;
        make_batch(b, (uint64_t)step);
        assert_int_equal(step_by_ranks(stepper, &net, v, b, step, SG_OK, &result), SG_OK);
    }
    *bytes = net.params->layout->trainable_count * sizeof(float);
    sg_stepper_sums(stepper, &sums);
    float *weights = sums.fixed_order ? malloc(*bytes) : NULL;
    assert_int_equal(sg_weights_to_host(net.weights), SG_OK);
    if (weights)
        memcpy(weights, net.params->trainable, *bytes);
    sg_stepper_close(stepper);
    close_network(&net);
    free(b);
    return weights;
}

/* The bits of the result depend neither on buckets nor on what was measured to choose them. */
static void buckets_do_not_show(void **state)
{
    sg_comm *comm = *state;
    const variant one = {.accumulate = 1, .sync_norm = 1, .device = 1, .bucket = 500};
    variant other[] = {one, one, one};
    size_t bytes;
    other[0].bucket = 48;
    other[1].bucket = 2000;
    other[2].measured = 1;
    sg_comm_pretend_nodes(comm, 1); /* or nothing is measured */
    float *wanted = trained(comm, &one, &bytes);
    for (size_t i = 0; wanted && i < sizeof other / sizeof *other; i++) {
        float *got = trained(comm, &other[i], &bytes);
        assert_memory_equal(got, wanted, bytes);
        free(got);
    }
    free(wanted);
    sg_comm_pretend_nodes(comm, sg_comm_ranks(comm));
}

/* Without sync_norm the ranks' statistics differ in training; what is kept must not. */
static void running_statistics_stay_equal_on_all_ranks(void **state)
{
    const variant v = {.accumulate = 1};
    network net;
    batch *b = malloc(sizeof *b);
    open_network(&net, *state, &v);
    sg_stepper *stepper = open_stepper(&net, &v);
    for (int64_t step = 0; step < 2; step++) {
        sg_step_result result;
        make_batch(b, (uint64_t)step);
        assert_int_equal(step_by_ranks(stepper, &net, &v, b, step, SG_OK, &result), SG_OK);
        assert_int_equal(sg_weights_to_host(net.weights), SG_OK);
        assert_same_on_all_ranks(*state, net.params->state,
                                 net.params->layout->state_count * sizeof(float));
        assert_same_on_all_ranks(*state, &result.loss, sizeof result.loss);
    }
    sg_stepper_close(stepper);
    close_network(&net);
    free(b);
}

/* Run a step that must not change the weights; what it returned. */
static sg_err step_in_vain(sg_stepper *stepper, network *net, const variant *v, const batch *b,
                           int64_t step, sg_err mine, sg_step_result *result)
{
    size_t bytes = net->params->layout->trainable_count * sizeof(float);
    float *before = malloc(bytes);
    assert_int_equal(sg_weights_to_host(net->weights), SG_OK);
    memcpy(before, net->params->trainable, bytes);
    sg_err err = step_by_ranks(stepper, net, v, b, step, mine, result);
    assert_int_equal(sg_weights_to_host(net->weights), SG_OK);
    assert_memory_equal(before, net->params->trainable, bytes);
    free(before);
    return err;
}

static void a_failure_on_any_rank_is_known_to_all(void **state, variant v)
{
    const int rank = sg_comm_rank(*state), ranks = sg_comm_ranks(*state);
    network net;
    batch *b = malloc(sizeof *b);
    open_network(&net, *state, &v);
    sg_stepper *stepper = open_stepper(&net, &v);
    make_batch(b, 0);
    for (int bad = 0; bad < ranks; bad++) {
        sg_step_result result;
        sg_err mine = rank == bad ? sg_fail(SG_EINPUT, "scene %d cannot be read", bad) : SG_OK;
        sg_err err = step_in_vain(stepper, &net, &v, b, 0, mine, &result);
        assert_int_equal(result.failures, 1);
        assert_int_equal(err, rank == bad ? SG_EINPUT : SG_EPEER);
        if (rank == bad)
            assert_non_null(strstr(sg_error_text(), "cannot be read"));
        assert_int_equal(step_by_ranks(stepper, &net, &v, b, 0, SG_OK, &result), SG_OK);
        assert_int_equal(result.failures, 0);
    }
    sg_stepper_close(stepper);
    close_network(&net);
    free(b);
}

static void a_failure_on_any_rank_is_known_to_all_in_the_same_step(void **state)
{
    int32_t parts = sg_comm_ranks(*state) == 4 ? 1 : 2;
    a_failure_on_any_rank_is_known_to_all(state, (variant){.accumulate = parts, .sync_norm = 1});
    a_failure_on_any_rank_is_known_to_all(state, (variant){.accumulate = 1, .several = 1});
    if (sg_comm_ranks(*state) != 3)
        a_failure_on_any_rank_is_known_to_all(
            state, (variant){.accumulate = 1, .sync_norm = 2, .several = 1});
}

/* A backward pass of a convolution that fails when told to. */
static struct {
    sg_kernel_def def;
    const sg_kernel_def *whole;
    int calls_left; /* 0: works */
} faulty;

static sg_err faulty_backward(void *kernel, const sg_site *site, const sg_io *io)
{
    if (faulty.calls_left > 0 && --faulty.calls_left == 0)
        return sg_fail(SG_EINTERNAL, "a kernel failed");
    return faulty.whole->backward(kernel, site, io);
}

/* In the middle of the pass the others wait in batch-norm sums and gradient buckets. */
static void a_failure_inside_the_backward_pass_hangs_nobody(void **state)
{
    const int rank = sg_comm_rank(*state), ranks = sg_comm_ranks(*state);
    const variant v = {.accumulate = 1, .sync_norm = 1};
    network net;
    sg_step_result result;
    batch *b = malloc(sizeof *b);
    open_network(&net, *state, &v);
    faulty.whole = net.backend->kernel[SG_OP_conv];
    faulty.def = *faulty.whole;
    faulty.def.backward = faulty_backward;
    net.backend->kernel[SG_OP_conv] = &faulty.def;
    net.backend->repeat = NULL; /* a recorded pass would not ask it */
    sg_stepper *stepper = open_stepper(&net, &v);
    make_batch(b, 0);
    assert_int_equal(step_by_ranks(stepper, &net, &v, b, 0, SG_OK, &result), SG_OK);
    for (int bad = 0; bad < ranks; bad++) {
        faulty.calls_left = rank == bad ? 4 : 0;
        sg_err err = step_in_vain(stepper, &net, &v, b, 1, SG_OK, &result);
        assert_int_equal(err, rank == bad ? SG_EINTERNAL : SG_EPEER);
        assert_int_equal(result.failures, 1);
    }
    faulty.calls_left = 0;
    assert_int_equal(step_by_ranks(stepper, &net, &v, b, 1, SG_OK, &result), SG_OK);
    sg_stepper_close(stepper);
    close_network(&net);
    free(b);
}

static void a_loss_that_is_no_number_updates_nothing_anywhere(void **state)
{
    const variant v = {.accumulate = 1, .sync_norm = 0};
    network net;
    sg_step_result result;
    batch *b = malloc(sizeof *b);
    open_network(&net, *state, &v);
    sg_stepper *stepper = open_stepper(&net, &v);
    make_batch(b, 0);
    b->pixels[BATCH * IMAGE * BANDS - 1] = NAN; /* of the last rank */
    assert_int_equal(step_in_vain(stepper, &net, &v, b, 0, SG_OK, &result), SG_OK);
    assert_int_equal(result.finite, 0);
    assert_int_equal(result.failures, 0);
    sg_stepper_close(stepper);
    close_network(&net);
    free(b);
}

static void a_batch_without_labels_updates_nothing(void **state)
{
    const variant v = {.accumulate = 1, .sync_norm = 1, .several = 1};
    network net;
    sg_step_result result;
    batch *b = malloc(sizeof *b);
    open_network(&net, *state, &v);
    sg_stepper *stepper = open_stepper(&net, &v);
    make_batch(b, 0);
    memset(b->labels, SG_IGNORE_LABEL, sizeof b->labels);
    assert_int_equal(step_in_vain(stepper, &net, &v, b, 0, SG_OK, &result), SG_OK);
    assert_int_equal(result.finite, 1);
    assert_true(result.loss == 0);
    sg_stepper_close(stepper);
    close_network(&net);
    free(b);
}

static void a_wish_to_stop_reaches_all_ranks_in_the_same_step(void **state)
{
    const variant v = {.accumulate = 1, .sync_norm = 1};
    network net;
    sg_step_result result;
    batch *b = malloc(sizeof *b);
    open_network(&net, *state, &v);
    sg_stepper *stepper = open_stepper(&net, &v);
    make_batch(b, 0);
    if (sg_comm_rank(*state) == sg_comm_ranks(*state) - 1)
        sg_stepper_ask_stop(stepper);
    assert_int_equal(step_by_ranks(stepper, &net, &v, b, 0, SG_OK, &result), SG_OK);
    assert_int_equal(result.stops, 1);
    sg_stepper_close(stepper);
    close_network(&net);
    free(b);
}

/* The class with the largest logit, by one executor; where two are nearly as large the order of
 * sums decides. */
static void a_watcher_is_told_what_each_pixel_was_taken_for(void **state)
{
    static batch b;
    static float logits[BATCH * IMAGE * CLASSES];
    static uint8_t classes[BATCH * IMAGE];
    const variant v = {.accumulate = 1, .sync_norm = 1};
    const int32_t n = BATCH / sg_comm_ranks(*state), first = sg_comm_rank(*state) * n;
    network net, alone;
    sg_exec *exec = NULL;
    sg_step_result result;
    sg_run run = {.class_weight = class_weight, .loss_scale = 1};
    int told = 0;
    open_network(&net, *state, &v);
    open_network(&alone, *state, &(variant){.alone = 1});
    make_batch(&b, 0);
    assert_int_equal(sg_exec_create(alone.backend, alone.loss, alone.weights,
                                    (sg_shape){BATCH, SIDE, SIDE, BANDS}, SG_F32, SG_PLAN_TRAINING,
                                    &exec),
                     SG_OK);
    assert_int_equal(sg_exec_forward(exec, b.pixels, b.labels, &run), SG_OK);
    assert_int_equal(
        sg_exec_read_value(exec, alone.loss->node[alone.loss->nodes - 1].input[0], logits), SG_OK);
    sg_stepper *stepper = open_stepper(&net, &v);
    sg_stepper_watch(stepper, classes);
    assert_int_equal(step_by_ranks(stepper, &net, &v, &b, 0, SG_OK, &result), SG_OK);
    for (int32_t i = 0; i < n * IMAGE; i++) {
        const float *logit = logits + (first * IMAGE + i) * CLASSES;
        int best = 0;
        for (int c = 1; c < CLASSES; c++)
            best = logit[c] > logit[best] ? c : best;
        assert_true(classes[i] < CLASSES);
        assert_true(logit[best] - logit[classes[i]] < 1e-4f);
        told += classes[i] == best;
    }
    assert_true(told > n * IMAGE * 99 / 100);
    sg_stepper_close(stepper);
    sg_exec_close(exec);
    close_network(&net);
    close_network(&alone);
}

/* 77 where the backend is not here. */
int main(void)
{
    if (!step_backend_is_here())
        return 77;
    struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_give_what_one_executor_gives),
        cmocka_unit_test(accumulated_parts_give_what_one_executor_gives),
        cmocka_unit_test(the_mean_gradient_is_clipped),
        cmocka_unit_test(slowed_and_frozen_layers),
        cmocka_unit_test(values_that_are_computed_again_give_the_same),
        cmocka_unit_test(a_device_with_its_own_memory_gives_the_same),
        cmocka_unit_test(losses_of_regions_are_those_of_all_ranks),
        cmocka_unit_test(buckets_do_not_show),
        cmocka_unit_test(running_statistics_stay_equal_on_all_ranks),
        cmocka_unit_test(groups_of_ranks_share_statistics),
        cmocka_unit_test(groups_that_do_not_come_out_even_are_refused),
        cmocka_unit_test(a_failure_on_any_rank_is_known_to_all_in_the_same_step),
        cmocka_unit_test(a_failure_inside_the_backward_pass_hangs_nobody),
        cmocka_unit_test(a_loss_that_is_no_number_updates_nothing_anywhere),
        cmocka_unit_test(a_batch_without_labels_updates_nothing),
        cmocka_unit_test(a_wish_to_stop_reaches_all_ranks_in_the_same_step),
        cmocka_unit_test(a_watcher_is_told_what_each_pixel_was_taken_for),
    };
    return SG_RUN_MPI_TESTS(tests);
}
