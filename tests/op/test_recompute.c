/*
 * Values that are dropped and computed again change nothing but memory: losses, gradients, running
 * statistics and weights of some steps are the same bytes, on every backend.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/size.h"
#include "op/harness.h"
#include "op/session.h"

enum { STEPS = 2, BANDS = 3, CLASSES = 4, SIDE = 32 };

typedef struct {
    const char *network;
    double most; /* share of the bytes that are still needed at 256 x 256 */
} network_case;

static const network_case cases[] = {
    {"unet,width=4,depth=3,dropout=0.2", .52},
    {"unet,width=4,depth=2,up=bilinear,separable=1", .52},
    {"deeplabv3+,encoder=resnet18,width=16,dropout=0.1", .52},
    {"deeplabv3,encoder=resnet50,width=16,pool=-1", .4},
    {"fcn8s,width=16", .52},
};

static void expect_ok(sg_err err)
{
    if (err)
        fail_msg("%s", sg_error_text());
}

static sg_model_options model_of(const char *network)
{
    sg_model_options model = sg_model_defaults();
    expect_ok(sg_model_parse(network, &model));
    model.bands = BANDS;
    model.classes = CLASSES;
    return model;
}

static void expect_same(const op_session *a, const op_session *b)
{
    const sg_param_layout *layout = a->params->layout;
    size_t bytes = layout->trainable_count * sizeof(float);
    assert_memory_equal(a->weights->gradient, b->weights->gradient, bytes);
    assert_memory_equal(a->weights->trainable, b->weights->trainable, bytes);
    assert_memory_equal(a->weights->state, b->weights->state, layout->state_count * sizeof(float));
}

static void train_both(sg_backend *backend, const sg_model_options *model, sg_dtype type)
{
    op_session_options options = {
        .model = model, .input = {2, SIDE, SIDE, BANDS}, .type = type, .rate = 1e-3f};
    const size_t pixels = 2 * SIDE * SIDE;
    float *input = malloc(pixels * BANDS * sizeof *input);
    uint8_t *labels = malloc(pixels);
    op_session whole, lean;
    op_make_batch(options.input, CLASSES, input, labels);
    expect_ok(op_session_open(&whole, backend, &options));
    options.recompute = true;
    expect_ok(op_session_open(&lean, backend, &options));
    for (int32_t i = 0; i < STEPS; i++) {
        double loss[2];
        expect_ok(op_session_step(&whole, input, labels, i, &loss[0]));
        expect_ok(op_session_step(&lean, input, labels, i, &loss[1]));
        assert_memory_equal(&loss[0], &loss[1], sizeof loss[0]);
        expect_same(&whole, &lean);
    }
    op_session_close(&whole);
    op_session_close(&lean);
    free(labels);
    free(input);
}

/* U-Nets and a DeepLab on every backend; the large networks where that is quick. */
static void results_are_the_same_bytes(void **state)
{
    for (size_t b = 0; b < op_backend_count(); b++) {
        sg_backend *backend = NULL;
        expect_ok(op_backend_open(op_backend_names[b], &backend));
        bool slow = strcmp(op_backend_names[b], "reference") == 0;
        for (size_t i = 0; backend->host_memory && i < sizeof cases / sizeof *cases; i++) {
            const sg_model_options model = model_of(cases[i].network);
            if (slow && i > 2)
                continue;
            train_both(backend, &model, SG_F32);
            if (!slow && i < 3 && backend->supports(backend, SG_BF16))
                train_both(backend, &model, SG_BF16);
        }
        sg_backend_close(backend);
    }
}

static size_t arena(const sg_graph *graph, sg_plan_mode mode, double *again)
{
    sg_plan *plan;
    expect_ok(sg_plan_create(graph, (sg_shape){1, 256, 256, BANDS}, SG_F32, mode, &plan));
    size_t bytes = plan->arena_bytes;
    *again = plan->again_flops / plan->flops;
    sg_plan_close(plan);
    return bytes;
}

/* No more than one more forward pass. */
static void memory_falls(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const sg_model_options model = model_of(cases[i].network);
        sg_graph *graph, *with_loss;
        double none, again;
        expect_ok(sg_model_build(&model, &graph));
        expect_ok(sg_graph_with_loss(graph, &with_loss));
        size_t whole = arena(with_loss, SG_PLAN_TRAINING, &none);
        size_t lean = arena(with_loss, SG_PLAN_RECOMPUTE, &again);
        print_message("%s: %zu of %zu bytes, %.0f %% of a forward pass again\n", cases[i].network,
                      lean, whole, 100 * again);
        assert_true(none == 0 && again > 0 && again <= 1);
        assert_true((double)lean <= cases[i].most * (double)whole);
        sg_graph_close(with_loss);
        sg_graph_close(graph);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_the_same_bytes),
        cmocka_unit_test(memory_falls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
