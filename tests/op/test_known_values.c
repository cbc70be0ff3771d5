/*
 * Values worked out by hand, on every backend: what the operators mean, without another program as
 * judge. Numbers are small integers and halves, so results are exact but where said.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "op/harness.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

typedef struct {
    op_case row;
    int32_t predicts; /* 1: prediction, not training */
    uint64_t step;    /* of the training */
    float in[2][24], param[4][24], out[24], grad_in[24], state[2][4];
    float within; /* 0: exact */
} known;

#define WINDOW(k, s, d, p, g, o, b)                                                                \
    .attr.window = {k, k, s, s, d, d, {p, p, p, p}, g, o, 0, 0, 0, b}

/* Gradients are those of the sum of the outputs. Zeros fill what is not named. */
static const known values[] = {
    {.row = {.name = "conv: dilation 2 reads every second pixel",
             .op = SG_OP_conv,
             .inputs = 1,
             .in = {{1, 3, 3, 1}},
             WINDOW(2, 1, 2, 0, 1, 1, 1)},
     .in = {{1, 2, 3, 4, 5, 6, 7, 8, 9}},
     .param = {{1, 10, 100, 1000}, {.5f}},
     .out = {9731.5f},
     .grad_in = {1, 0, 10, 0, 0, 0, 100, 0, 1000}},
    {.row = {.name = "conv: stride 2 with padding, weights are not flipped",
             .op = SG_OP_conv,
             .inputs = 1,
             .in = {{1, 2, 2, 1}},
             WINDOW(3, 2, 1, 1, 1, 1, 0)},
     .in = {{1, 2, 3, 4}},
     .param = {{1, 2, 3, 4, 5, 6, 7, 8, 9}},
     .out = {5 * 1 + 6 * 2 + 8 * 3 + 9 * 4},
     .grad_in = {5, 6, 8, 9}},
    {.row = {.name = "conv: two groups, channels innermost",
             .op = SG_OP_conv,
             .inputs = 1,
             .in = {{1, 1, 1, 4}},
             WINDOW(1, 1, 1, 0, 2, 2, 0)},
     .in = {{1, 2, 3, 4}},
     .param = {{1, 10, 100, 1000}},
     .out = {21, 4300},
     .grad_in = {1, 10, 100, 1000}},
    {.row = {.name = "conv_transpose: each input pixel stamps the kernel",
             .op = SG_OP_conv_transpose,
             .inputs = 1,
             .in = {{1, 1, 2, 1}},
             WINDOW(2, 2, 1, 0, 1, 1, 1)},
     .in = {{1, 2}},
     .param = {{1, 2, 3, 4}, {.5f}},
     .out = {1.5f, 2.5f, 2.5f, 4.5f, 3.5f, 4.5f, 6.5f, 8.5f},
     .grad_in = {10, 10}},
    {.row = {.name = "batch_norm: biased variance inside, unbiased kept",
             .op = SG_OP_batch_norm,
             .inputs = 1,
             .in = {{2, 1, 1, 1}},
             .attr.norm = {1e-12f, .25f}},
     .in = {{2, 6}},
     .param = {{3}, {1}, {8}, {16}},
     .out = {-2, 4}, /* mean 4, biased variance 4, unbiased 8 */
     .state = {{.75f * 8 + .25f * 4}, {.75f * 16 + .25f * 8}},
     .within = 1e-5f},
    {.row = {.name = "batch_norm: late statistics are a mean over a tenth of the steps",
             .op = SG_OP_batch_norm,
             .inputs = 1,
             .in = {{2, 1, 1, 1}},
             .attr.norm = {1e-12f, .25f}},
     .step = 490,
     .in = {{2, 6}},
     .param = {{3}, {1}, {8}, {16}},
     .out = {-2, 4},
     .state = {{.98f * 8 + .02f * 4}, {.98f * 16 + .02f * 8}},
     .within = 1e-5f},
    {.row = {.name = "batch_norm: late statistics are a mean over a hundred steps at most",
             .op = SG_OP_batch_norm,
             .inputs = 1,
             .in = {{2, 1, 1, 1}},
             .attr.norm = {1e-12f, .25f}},
     .step = 100000,
     .in = {{2, 6}},
     .param = {{3}, {1}, {8}, {16}},
     .out = {-2, 4},
     .state = {{.99f * 8 + .01f * 4}, {.99f * 16 + .01f * 8}},
     .within = 1e-5f},
    {.row = {.name = "batch_norm: prediction uses the running statistics",
             .op = SG_OP_batch_norm,
             .inputs = 1,
             .in = {{1, 1, 2, 1}},
             .attr.norm = {1e-12f, .25f}},
     .predicts = 1,
     .in = {{2, 6}},
     .param = {{3}, {1}, {8}, {16}},
     .out = {3 * -6 / 4.0f + 1, 3 * -2 / 4.0f + 1},
     .within = 1e-5f},
    {.row = {.name = "activation: relu6",
             .op = SG_OP_activation,
             .act = SG_ACT_RELU6,
             .inputs = 1,
             .in = {{1, 1, 4, 1}}},
     .in = {{-1, 0, 3, 7}},
     .out = {0, 0, 3, 6},
     .grad_in = {0, 0, 1, 0}},
    {.row = {.name = "activation: leaky",
             .op = SG_OP_activation,
             .act = SG_ACT_LEAKY,
             .inputs = 1,
             .in = {{1, 1, 2, 1}}},
     .in = {{-2, 2}},
     .out = {-.02f, 2},
     .grad_in = {.01f, 1}},
    {.row = {.name = "max_pool: the first of equal values gets the gradient",
             .op = SG_OP_max_pool,
             .inputs = 1,
             .in = {{1, 2, 4, 1}},
             WINDOW(2, 2, 1, 0, 1, 0, 0)},
     .in = {{1, 7, 3, 2, 7, 7, 3, 3}},
     .out = {7, 3},
     .grad_in = {0, 1, 1, 0, 0, 0, 0, 0}},
    {.row = {.name = "max_pool: padding is below every value",
             .op = SG_OP_max_pool,
             .inputs = 1,
             .in = {{1, 1, 1, 1}},
             WINDOW(3, 1, 1, 1, 1, 0, 0)},
     .in = {{-9}},
     .out = {-9},
     .grad_in = {1}},
    {.row = {.name = "avg_pool: padding counts",
             .op = SG_OP_avg_pool,
             .inputs = 1,
             .in = {{1, 1, 2, 1}},
             WINDOW(3, 2, 1, 1, 1, 0, 0)},
     .in = {{9, 18}},
     .out = {3},
     .grad_in = {1 / 9.f, 1 / 9.f},
     .within = 1e-7f},
    {.row = {.name = "avg_pool: padding left out",
             .op = SG_OP_avg_pool,
             .inputs = 1,
             .in = {{1, 1, 2, 1}},
             .attr.window = {3, 3, 2, 2, 1, 1, {1, 1, 1, 1}, 1, 0, 0, 0, 1, 0}},
     .in = {{9, 18}},
     .out = {13.5f},
     .grad_in = {.5f, .5f}},
    {.row = {.name = "global_pool: mean",
             .op = SG_OP_global_pool,
             .inputs = 1,
             .in = {{1, 2, 2, 2}},
             .attr.global = {SG_POOL_MEAN}},
     .in = {{1, 10, 2, 20, 3, 30, 6, 60}},
     .out = {3, 30},
     .grad_in = {.25f, .25f, .25f, .25f, .25f, .25f, .25f, .25f}},
    {.row = {.name = "resize: half-pixel centres",
             .op = SG_OP_resize,
             .inputs = 1,
             .in = {{1, 1, 2, 1}},
             .attr.resize = {0, 1, 2}},
     .in = {{0, 4}},
     .out = {0, 1, 3, 4},
     .grad_in = {2, 2}},
    {.row = {.name = "resize: corners aligned",
             .op = SG_OP_resize,
             .inputs = 2,
             .in = {{1, 1, 2, 1}, {1, 1, 5, 1}},
             .attr.resize = {1, 0, 0}},
     .in = {{0, 4}},
     .out = {0, 1, 2, 3, 4},
     .grad_in = {2.5f, 2.5f}},
    {.row = {.name = "concat: first input first",
             .op = SG_OP_concat,
             .inputs = 2,
             .in = {{1, 1, 2, 1}, {1, 1, 2, 2}}},
     .in = {{1, 2}, {3, 4, 5, 6}},
     .out = {1, 3, 4, 2, 5, 6},
     .grad_in = {1, 1}},
    {.row = {.name = "add: with relu",
             .op = SG_OP_add,
             .act = SG_ACT_RELU,
             .inputs = 2,
             .in = {{1, 1, 2, 1}, {1, 1, 2, 1}}},
     .in = {{1, 2}, {3, -4}},
     .out = {4, 0},
     .grad_in = {1, 0}},
    {.row = {.name = "softmax: log odds", .op = SG_OP_softmax, .inputs = 1, .in = {{1, 1, 1, 2}}},
     .in = {{0, 1.0986123f /* log 3 */}},
     .out = {.25f, .75f},
     .within = 1e-6f},
};

static void expect(const char *what, const float *got, const float *wanted, size_t count,
                   float within)
{
    for (size_t i = 0; got && i < count; i++)
        if (!(fabsf(got[i] - wanted[i]) <= within))
            fail_msg("%s, element %zu: %.9g, should be %.9g", what, i, (double)got[i],
                     (double)wanted[i]);
}

static void set_numbers(op_problem *p, const known *k)
{
    for (int32_t i = 0; i < k->row.inputs; i++)
        memcpy(p->value[i], k->in[i], sg_shape_count(p->in[i]) * sizeof(float));
    for (int32_t i = 0; i < p->node.params; i++)
        memcpy(p->param[i], k->param[i], op_param_count(p, i) * sizeof(float));
    for (size_t i = 0; i < sg_shape_count(p->out); i++)
        p->grad_out[i] = 1;
}

static void check_known(const char *name, const known *k)
{
    sg_backend *backend = NULL;
    op_problem p;
    op_result r;
    op_options options = {.training = !k->predicts, .write = SG_GRAD_STORE};
    options.run.step = k->step;
    assert_int_equal(op_backend_open(name, &backend), SG_OK);
    assert_int_equal(op_problem_create(&k->row, 0, &p), SG_OK);
    set_numbers(&p, k);
    assert_true(sg_shape_count(p.out) <= COUNT(k->out));
    assert_int_equal(op_run(backend, &p, &options, &r), SG_OK);
    print_message("%s, %s\n", name, k->row.name);
    expect("output", r.out, k->out, sg_shape_count(p.out), k->within);
    expect("gradient of the input", r.grad_in[0], k->grad_in, sg_shape_count(p.in[0]), k->within);
    if (!k->predicts && k->row.op == SG_OP_batch_norm) {
        expect("running mean", r.state[2], k->state[0], 1, k->within);
        expect("running variance", r.state[3], k->state[1], 1, k->within);
    }
    op_result_close(&r);
    op_problem_close(&p);
    sg_backend_close(backend);
}

static void results_are_those_worked_out_by_hand(void **state)
{
    for (size_t b = 0; b < op_backend_count(); b++)
        for (size_t i = 0; i < COUNT(values); i++)
            check_known(op_backend_names[b], &values[i]);
}

/* Two classes, logits 0 and log 3: shares 1/4 and 3/4. Weights 2 and 5, the third pixel ignored. */
static void loss_is_weighted_and_skips_ignored_pixels(void **state)
{
    static const float logits[] = {0, 1.0986123f, 0, 1.0986123f, 3, 4};
    static const float gradient[] = {2 * (.25f - 1), 2 * .75f, 5 * .25f, 5 * (.75f - 1), 0, 0};
    static const uint8_t labels[] = {0, 1, SG_IGNORE_LABEL};
    const op_case row = {.name = "softmax_loss: by hand",
                         .op = SG_OP_softmax_loss,
                         .attr.loss.weight = 1,
                         .inputs = 1,
                         .in = {{1, 1, 3, 2}},
                         .labels = OP_LABELS_WEIGHTED};
    for (size_t b = 0; b < op_backend_count(); b++) {
        sg_backend *backend = NULL;
        op_problem p;
        op_result r;
        op_options options = {.training = 1, .write = SG_GRAD_STORE};
        assert_int_equal(op_backend_open(op_backend_names[b], &backend), SG_OK);
        assert_int_equal(op_problem_create(&row, 0, &p), SG_OK);
        memcpy(p.value[0], logits, sizeof logits);
        memcpy(p.labels, labels, sizeof labels);
        p.class_weight[0] = 2;
        p.class_weight[1] = 5;
        p.loss_scale = 1;
        assert_int_equal(op_run(backend, &p, &options, &r), SG_OK);
        assert_true(r.weight_sum == 7);
        assert_true(fabs(r.loss_sum - (2 * log(4) + 5 * log(4.0 / 3))) < 1e-6);
        expect("gradient", r.grad_in[0], gradient, COUNT(gradient), 1e-6f);
        op_result_close(&r);
        op_problem_close(&p);
        sg_backend_close(backend);
    }
}

/* In bf16 where the backend has it: 1 + 2^-8 lies between two numbers and goes to the even one. */
static void input_is_rounded_to_even(void **state)
{
    static const float in[] = {1 + 0x1p-8f, 1 + 0x3p-8f, -2, 1e30f};
    static const float bf16[] = {1, 1 + 0x1p-6f, -2};
    for (size_t b = 0; b < op_backend_count(); b++) {
        sg_backend *backend = NULL;
        void *memory = NULL;
        uint16_t raw[4];
        assert_int_equal(op_backend_open(op_backend_names[b], &backend), SG_OK);
        if (backend->supports(backend, SG_BF16)) {
            assert_int_equal(backend->alloc(backend, 64, &memory), SG_OK);
            assert_int_equal(backend->load_input(backend, memory, SG_BF16, in, 4), SG_OK);
            assert_int_equal(backend->download(backend, raw, memory, sizeof raw), SG_OK);
            for (int i = 0; i < 3; i++)
                assert_true(sg_bf16_to_f32(raw[i]) == bf16[i]);
            backend->free(backend, memory);
        }
        sg_backend_close(backend);
    }
}

static void classes_are_the_largest_logits(void **state)
{
    static const float logits[] = {1, 3, 2, /* plain */ 5,       5, 4,   /* a tie */ -1, -2, -1,
                                   0, 0, 0, /* all equal */ 100, 0, -100};
    static const uint8_t wanted[] = {1, 0, 0, 0, 0};
    enum { PIXELS = 5, CLASSES = 3 };
    for (size_t b = 0; b < op_backend_count(); b++) {
        sg_backend *backend = NULL;
        void *memory = NULL;
        uint8_t classes[PIXELS];
        float share[PIXELS * CLASSES];
        assert_int_equal(op_backend_open(op_backend_names[b], &backend), SG_OK);
        assert_int_equal(backend->alloc(backend, sizeof logits, &memory), SG_OK);
        assert_int_equal(backend->upload(backend, memory, logits, sizeof logits), SG_OK);
        assert_int_equal(
            backend->classify(backend, memory, SG_F32, PIXELS, CLASSES, classes, share), SG_OK);
        assert_memory_equal(classes, wanted, sizeof wanted);
        for (int i = 0; i < PIXELS; i++)
            assert_true(fabsf(share[3 * i] + share[3 * i + 1] + share[3 * i + 2] - 1) < 1e-6f);
        assert_true(fabs(share[1] - exp(2) / (1 + exp(1) + exp(2))) < 1e-6);
        assert_true(fabsf(share[9] - 1 / 3.0f) < 1e-6f);
        assert_true(share[12] == 1);
        memset(classes, 9, sizeof classes);
        assert_int_equal(backend->classify(backend, memory, SG_F32, PIXELS, CLASSES, classes, NULL),
                         SG_OK);
        assert_memory_equal(classes, wanted, sizeof wanted);
        backend->free(backend, memory);
        sg_backend_close(backend);
    }
}

static void parts_are_accumulated(void **state)
{
    static const float a[] = {1, -2, .5f, 1e10f}, c[] = {3, 2, .25f, 1};
    for (size_t b = 0; b < op_backend_count(); b++) {
        sg_backend *backend = NULL;
        void *sum = NULL, *part = NULL;
        float got[4];
        assert_int_equal(op_backend_open(op_backend_names[b], &backend), SG_OK);
        assert_int_equal(backend->alloc(backend, 64, &sum), SG_OK);
        assert_int_equal(backend->alloc(backend, 64, &part), SG_OK);
        assert_int_equal(backend->upload(backend, sum, a, sizeof a), SG_OK);
        assert_int_equal(backend->upload(backend, part, c, sizeof c), SG_OK);
        assert_int_equal(backend->accumulate(backend, sum, part, SG_F32, 4), SG_OK);
        assert_int_equal(backend->download(backend, got, sum, sizeof got), SG_OK);
        for (int i = 0; i < 4; i++)
            assert_true(got[i] == a[i] + c[i]);
        backend->free(backend, sum);
        backend->free(backend, part);
        sg_backend_close(backend);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_those_worked_out_by_hand),
        cmocka_unit_test(loss_is_weighted_and_skips_ignored_pixels),
        cmocka_unit_test(input_is_rounded_to_even),
        cmocka_unit_test(classes_are_the_largest_logits),
        cmocka_unit_test(parts_are_accumulated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
