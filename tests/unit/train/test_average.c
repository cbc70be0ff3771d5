/* The mean of weights over steps, against its formula. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "train/average.h"

enum { STEPS = 7 };

typedef struct {
    sg_backend *backend;
    sg_graph *graph;
    sg_params *params;
    sg_weights *weights;
} network;

static void open_network(network *n)
{
    const sg_attr norm = {.norm = {1e-5f, 0.1f}};
    int32_t t;
    assert_int_equal(sg_reference_open(&n->backend), SG_OK);
    assert_int_equal(sg_graph_create(&n->graph), SG_OK);
    assert_int_equal(sg_graph_input(n->graph, 2, &t), SG_OK);
    assert_int_equal(sg_graph_conv(n->graph, "conv", t, 3, 3, 1, 1, 0, &t), SG_OK);
    assert_int_equal(sg_graph_add(n->graph, SG_OP_batch_norm, "norm", &norm, &t, 1, &t), SG_OK);
    assert_int_equal(sg_graph_freeze(n->graph), SG_OK);
    assert_int_equal(sg_params_create(n->graph, &n->params), SG_OK);
    assert_int_equal(sg_weights_create(n->backend, n->params, true, &n->weights), SG_OK);
}

static void close_network(network *n)
{
    sg_weights_close(n->weights);
    sg_params_close(n->params);
    sg_graph_close(n->graph);
    sg_backend_close(n->backend);
}

/* A number that differs for each step and element. */
static double value(int step, size_t i)
{
    return sin(3 * step + 1.7 * (double)i) + step;
}

static void set_step(network *n, int step)
{
    const sg_param_layout *layout = n->params->layout;
    for (size_t i = 0; i < layout->trainable_count; i++)
        n->params->trainable[i] = (float)value(step, i);
    for (size_t i = 0; i < layout->state_count; i++)
        n->params->state[i] = (float)value(-step, i);
}

static double mean_by_formula(double decay, int steps, int sign, size_t i)
{
    double sum = 0, weight = 0;
    for (int s = 1; s <= steps; s++) {
        double share = (1 - decay) * pow(decay, steps - s);
        sum += share * value(sign * s, i);
        weight += share;
    }
    return sum / weight;
}

static void assert_mean(const sg_average *average, double decay, int steps)
{
    const sg_params *p = average->params;
    for (size_t i = 0; i < p->layout->trainable_count; i++) /* a few roundings of f32 a step */
        assert_true(fabs((double)p->trainable[i] - mean_by_formula(decay, steps, 1, i)) < 1e-5);
    for (size_t i = 0; i < p->layout->state_count; i++)
        assert_true(fabs((double)p->state[i] - mean_by_formula(decay, steps, -1, i)) < 1e-5);
}

static void the_mean_is_that_of_its_formula_after_every_step(void **state)
{
    static const double decays[] = {0.5, 0.9, 0.999};
    network n;
    open_network(&n);
    for (size_t d = 0; d < sizeof decays / sizeof *decays; d++) {
        sg_average average;
        assert_int_equal(sg_average_open(&average, n.backend, n.graph, decays[d]), SG_OK);
        average.params->trainable[0] = NAN; /* what was there before the first step */
        for (int step = 1; step <= STEPS; step++) {
            uint64_t version = average.weights->version;
            set_step(&n, step);
            assert_int_equal(sg_average_add(&average, n.weights), SG_OK);
            assert_true(average.weights->version != version);
            assert_mean(&average, decays[d], step);
        }
        sg_average_close(&average);
    }
    close_network(&n);
}

static void a_restored_mean_goes_on_as_if_it_had_not_ended(void **state)
{
    sg_average whole, first, second;
    network n;
    open_network(&n);
    assert_int_equal(sg_average_open(&whole, n.backend, n.graph, 0.8), SG_OK);
    assert_int_equal(sg_average_open(&first, n.backend, n.graph, 0.8), SG_OK);
    assert_int_equal(sg_average_open(&second, n.backend, n.graph, 0.8), SG_OK);
    for (int step = 1; step <= STEPS; step++) {
        set_step(&n, step);
        assert_int_equal(sg_average_add(&whole, n.weights), SG_OK);
        assert_int_equal(sg_average_add(step <= 3 ? &first : &second, n.weights), SG_OK);
        if (step == 3)
            assert_int_equal(sg_average_restore(&second, first.params, first.steps), SG_OK);
    }
    assert_memory_equal(whole.params->trainable, second.params->trainable,
                        whole.params->layout->trainable_count * sizeof(float));
    assert_memory_equal(whole.params->state, second.params->state,
                        whole.params->layout->state_count * sizeof(float));
    sg_average_close(&whole);
    sg_average_close(&first);
    sg_average_close(&second);
    close_network(&n);
}

static void without_a_decay_there_is_none(void **state)
{
    sg_average average;
    network n;
    open_network(&n);
    assert_int_equal(sg_average_open(&average, n.backend, n.graph, 0), SG_OK);
    assert_true(!average.params && !average.weights && average.steps == 0);
    sg_average_close(&average);
    close_network(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mean_is_that_of_its_formula_after_every_step),
        cmocka_unit_test(a_restored_mean_goes_on_as_if_it_had_not_ended),
        cmocka_unit_test(without_a_decay_there_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
