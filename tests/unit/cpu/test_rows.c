/* Row arithmetic of the CPU backend: conversions, functions, and independence of threads. */
#include "site.h"

#include <math.h>
#include "cpu/rows.h"

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Every upper half with lower halves around the rounding points: NaN, infinities and denormals are
 * among them. */
static void bf16_rounds_as_the_reference_does(void **state)
{
    static const uint32_t lower[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
    float value[6], back[6];
    uint16_t half[6];
    for (uint32_t upper = 0; upper < 65536; upper++) {
        for (int i = 0; i < 6; i++)
            value[i] = from_bits(upper << 16 | lower[i]);
        sg_row_convert_down(value, 6, half);
        sg_row_convert_up(half, 6, back);
        for (int i = 0; i < 6; i++) {
            float wanted = sg_bf16_to_f32(half[i]);
            assert_int_equal(half[i], sg_f32_to_bf16(value[i]));
            assert_memory_equal(&back[i], &wanted, sizeof wanted);
        }
    }
}

static void exp_is_accurate_over_its_range(void **state)
{
    enum { COUNT = 200000 };
    float *row = make_zeros(COUNT);
    for (int i = 0; i < COUNT; i++)
        row[i] = -87.3f + 175.6f * (float)i / COUNT;
    sg_row_exp(row, COUNT);
    for (int i = 0; i < COUNT; i++) {
        double x = (double)(-87.3f + 175.6f * (float)i / COUNT);
        assert_true(fabs(row[i] / exp(x) - 1) < 2e-7);
    }
    float special[] = {-88, -INFINITY, 0, NAN, 1000};
    sg_row_exp(special, 5);
    assert_true(special[0] == 0 && special[1] == 0 && special[2] == 1);
    assert_true(isnan(special[3]) && isfinite(special[4]));
    sg_free(row);
}

static void log_is_accurate_for_sums_of_powers(void **state)
{
    enum { COUNT = 100000 };
    float *row = make_zeros(COUNT);
    for (int i = 0; i < COUNT; i++)
        row[i] = 1 + 254.0f * (float)i / COUNT;
    sg_row_log(row, COUNT);
    for (int i = 0; i < COUNT; i++) {
        double wanted = log((double)(1 + 254.0f * (float)i / COUNT));
        assert_true(fabs(row[i] - wanted) <= 2e-7 * fmax(1, wanted));
    }
    assert_true(row[0] == 0);
    sg_free(row);
}

static void function_of_an_element_does_not_depend_on_its_place(void **state)
{
    for (int32_t act = SG_ACT_NONE; act < SG_ACT_COUNT; act++)
        for (size_t count = 1; count < 40; count++) {
            float row[40], one[1];
            for (size_t i = 0; i < count; i++)
                row[i] = .7f;
            one[0] = .7f;
            sg_row_act(act, row, count);
            sg_row_act(act, one, 1);
            for (size_t i = 0; i < count; i++)
                assert_memory_equal(&row[i], one, sizeof *one);
        }
}

/* ---- operators whose sums run over pixels ---- */

typedef struct {
    float *out, *grad_in, *param_grad, *state;
    double loss;
} outcome;

enum { CHANNELS = 18, PIXELS = 3 * 41 * 57, SAVED = 1 << 20 };

static const sg_shape shape = {3, 41, 57, CHANNELS};

static void run_norm(int threads, outcome *o)
{
    sg_backend *backend = NULL;
    sg_node node = {.op = SG_OP_batch_norm, .act = SG_ACT_RELU, .params = 4};
    node.attr.norm = (sg_norm_attr){1e-5f, .1f};
    sg_site site = {.node = &node, .inputs = 1, .in = {shape}, .out = shape, .training = 1};
    site.write[0] = SG_GRAD_STORE;
    size_t count = sg_shape_count(shape);
    float *in = make_numbers(count, 21), *grad_out = make_numbers(count, 22);
    float *scale = make_numbers(CHANNELS, 23), *shift = make_numbers(CHANNELS, 24);
    void *saved = make_zeros(SAVED / sizeof(float));
    sg_run run = {0};
    sg_io io = {.in = {in},
                .out = o->out,
                .grad_out = grad_out,
                .grad_in = {o->grad_in},
                .param = {scale, shift, o->state, o->state + CHANNELS},
                .param_grad = {o->param_grad, o->param_grad + CHANNELS},
                .state = {NULL, NULL, o->state, o->state + CHANNELS},
                .saved = saved,
                .run = &run};
    expect_ok(sg_cpu_open(&backend, threads));
    run_site(backend, &site, &io);
    sg_backend_close(backend);
    sg_free(in);
    sg_free(grad_out);
    sg_free(scale);
    sg_free(shift);
    sg_free(saved);
}

static void run_loss(int threads, outcome *o)
{
    sg_backend *backend = NULL;
    sg_node node = {.op = SG_OP_softmax_loss, .out_f32 = 1, .attr.loss.weight = 1};
    sg_site site = {.node = &node, .inputs = 1, .in = {shape}, .out = {1, 1, 1, 1}, .training = 1};
    site.write[0] = SG_GRAD_STORE;
    float *in = make_numbers(sg_shape_count(shape), 25);
    uint8_t *labels = NULL;
    expect_ok(sg_malloc(PIXELS, 1, &labels));
    for (size_t i = 0; i < PIXELS; i++)
        labels[i] = i % 11 == 0 ? SG_IGNORE_LABEL : (uint8_t)(i % CHANNELS);
    sg_run run = {.loss_scale = 1e-3f};
    sg_io io = {.in = {in}, .out = o->out, .grad_in = {o->grad_in}, .labels = labels, .run = &run};
    expect_ok(sg_cpu_open(&backend, threads));
    run_site(backend, &site, &io);
    o->loss = run.loss_sum;
    sg_backend_close(backend);
    sg_free(labels);
    sg_free(in);
}

static void expect_same_bits(void (*run)(int, outcome *))
{
    size_t count = sg_shape_count(shape);
    outcome o[3];
    for (int t = 0; t < 3; t++) {
        o[t] = (outcome){make_zeros(count), make_zeros(count), make_zeros(2 * CHANNELS),
                         make_zeros(2 * CHANNELS), 0};
        run(t + 1, &o[t]);
        assert_memory_equal(o[t].out, o[0].out, count * sizeof(float));
        assert_memory_equal(o[t].grad_in, o[0].grad_in, count * sizeof(float));
        assert_memory_equal(o[t].param_grad, o[0].param_grad, 2 * CHANNELS * sizeof(float));
        assert_memory_equal(o[t].state, o[0].state, 2 * CHANNELS * sizeof(float));
        assert_true(o[t].loss == o[0].loss);
    }
    assert_true(o[0].grad_in[count - 1] != 0);
    for (int t = 0; t < 3; t++) {
        sg_free(o[t].out);
        sg_free(o[t].grad_in);
        sg_free(o[t].param_grad);
        sg_free(o[t].state);
    }
}

static void batch_norm_does_not_depend_on_threads(void **state)
{
    expect_same_bits(run_norm);
}

static void loss_does_not_depend_on_threads(void **state)
{
    expect_same_bits(run_loss);
}

static void classes_are_the_first_of_the_largest(void **state)
{
    const float logits[] = {1, 3, 3, 0, 0, 0, -1, -INFINITY, 5, NAN, 2, 2, NAN, NAN, NAN};
    const uint8_t wanted[] = {1, 0, 2, 1, 0};
    uint8_t classes[5];
    float probabilities[15];
    sg_backend *backend = NULL;
    expect_ok(sg_cpu_open(&backend, 2));
    expect_ok(backend->classify(backend, logits, SG_F32, 5, 3, classes, probabilities));
    assert_memory_equal(classes, wanted, sizeof wanted);
    assert_true(fabs(probabilities[0] - exp(-2.0) / (2 + exp(-2.0) + 0)) < 1e-6);
    assert_true(fabsf(probabilities[3] - 1.0f / 3) < 1e-6f);
    sg_backend_close(backend);
}

static void impossible_thread_counts_are_refused(void **state)
{
    sg_backend *backend = NULL;
    assert_int_equal(sg_cpu_open(&backend, 0), SG_EUSAGE);
    assert_null(backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bf16_rounds_as_the_reference_does),
        cmocka_unit_test(exp_is_accurate_over_its_range),
        cmocka_unit_test(log_is_accurate_for_sums_of_powers),
        cmocka_unit_test(function_of_an_element_does_not_depend_on_its_place),
        cmocka_unit_test(batch_norm_does_not_depend_on_threads),
        cmocka_unit_test(loss_does_not_depend_on_threads),
        cmocka_unit_test(classes_are_the_first_of_the_largest),
        cmocka_unit_test(impossible_thread_counts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
