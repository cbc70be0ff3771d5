/*
 * A GPU that is lost, and a partner of NCCL that is: in the step in which it happens or the next
 * one all ranks know, and one of them says which GPU of which node. SEGTILES_FAKE_NCCL_BREAKS says
 * that it is the partner.
 */
#include "support/mpi_tests.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/rng.h"
#include "model/model.h"
#include "mpi/step_backend.h"
#include "nn/fuse.h"
#include "train/step.h"

enum { SIDE = 16, BANDS = 3, CLASSES = 4, IMAGE = SIDE * SIDE, STEPS = 8, BREAKS = 3 };

typedef struct {
    sg_backend *backend;
    sg_graph *graph, *loss, *fused;
    sg_params *params;
    sg_weights *weights;
    sg_stepper *stepper;
} session;

static void must(sg_err err)
{
    if (err)
        fail_msg("%s", sg_error_text());
}

static session open_session(sg_comm *comm)
{
    session s = {0};
    int32_t has_face;
    sg_model_options options = sg_model_defaults();
    const sg_step_options step = {.accumulate = 1, .sync_norm = 1, .bucket_elements = 512};
    options.bands = BANDS;
    options.classes = CLASSES;
    options.depth = 1;
    options.width = 4;
    must(step_backend_open(comm, &s.backend, &has_face));
    must(sg_model_build(&options, &s.graph));
    must(sg_graph_with_loss(s.graph, &s.loss));
    must(sg_graph_fuse(s.loss, &s.fused));
    must(sg_params_create(s.graph, &s.params));
    must(sg_params_init(s.graph, s.params, 3));
    must(sg_weights_create(s.backend, s.params, true, &s.weights));
    must(sg_stepper_create(&s.stepper, comm, s.backend, s.weights, s.fused,
                           (sg_shape){1, SIDE, SIDE, BANDS}, SG_F32, &step));
    return s;
}

static void close_session(session *s)
{
    sg_stepper_close(s->stepper);
    sg_weights_close(s->weights);
    sg_params_close(s->params);
    sg_graph_close(s->fused);
    sg_graph_close(s->loss);
    sg_graph_close(s->graph);
    sg_backend_close(s->backend);
}

static sg_err run_step(session *s, sg_err mine, int64_t step, sg_step_result *result)
{
    static float pixels[IMAGE * BANDS];
    static uint8_t labels[IMAGE];
    sg_run run = {.step = (uint64_t)step};
    sg_update update = {.rule = SG_SGD, .rate = 0.01f, .momentum = 0.9f, .step = step + 1};
    for (uint32_t i = 0; i < IMAGE; i++) {
        sg_random4 r = sg_random(7, SG_STREAM_SCENE, (uint64_t)step, i);
        for (int c = 0; c < BANDS; c++)
            pixels[i * BANDS + (uint32_t)c] = sg_uniform(r.v[c]);
        labels[i] = (uint8_t)sg_below(r.v[3], CLASSES);
    }
    sg_raw_image image;
    sg_raw_plain(&image, 1, pixels, IMAGE * BANDS);
    return sg_stepper_run(s->stepper, mine, &image, labels, &run, &update, result);
}

/* Steps until all ranks know; the number of the last one. */
static int64_t train_to_the_end(session *s, bool loses, sg_err *err)
{
    sg_step_result result = {0};
    int64_t step = 0;
    *err = SG_OK;
    for (; step < STEPS && result.failures == 0; step++) {
        if (loses && step == BREAKS)
            setenv("SEGTILES_EMULATED_LOST", "20", 1); /* in the middle of the step */
        *err = run_step(s, *err, step, &result);
    }
    return step;
}

static void a_loss_ends_all_ranks_with_one_line(void **state)
{
    sg_comm *comm = *state;
    const bool partner = getenv("SEGTILES_FAKE_NCCL_BREAKS") != NULL;
    const int ranks = sg_comm_ranks(comm), bad = partner ? 0 : ranks - 1;
    const bool loses = !partner && sg_comm_rank(comm) == bad;
    const double start = sg_now();
    char text[512] = "", node[64] = "";
    sg_err err;
    session s = open_session(comm);
    int64_t end = train_to_the_end(&s, loses, &err);
    gethostname(node, sizeof node - 1);
    snprintf(text, sizeof text, "%s", sg_error_text());
    int64_t own = err != SG_OK && err != SG_EPEER;
    assert_true(err);
    assert_true(sg_now() - start < 20);
    if (sg_comm_rank(comm) == bad && partner)
        assert_non_null(strstr(text, "NCCL: remote process exited"));
    if (loses) {
        assert_in_range(end, BREAKS + 1, BREAKS + 2);
        assert_non_null(strstr(text, "GPU "));
        assert_non_null(strstr(text, node));
        assert_non_null(strstr(text, "is lost: uncorrectable ECC error"));
    }
    sg_comm_sum_i64(comm, &own, 1);
    assert_int_equal(own, 1);
    close_session(&s);
}

int main(void)
{
    struct CMUnitTest tests[] = {cmocka_unit_test(a_loss_ends_all_ranks_with_one_line)};
    return SG_RUN_MPI_TESTS(tests);
}
