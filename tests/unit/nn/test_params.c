/* Parameters: where they lie and how they start. */
#include "runner.h"

#include <math.h>

static int32_t find_param(const sg_graph *graph, const char *name)
{
    for (int32_t id = 0; id < graph->param_count; id++) {
        if (strcmp(graph->param[id].name, name) == 0)
            return id;
    }
    fail_msg("no parameter %s", name);
    return -1;
}

static void moments(const float *values, size_t count, double *mean, double *deviation)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        sum += (double)values[i];
        squares += (double)values[i] * (double)values[i];
    }
    *mean = sum / (double)count;
    *deviation = sqrt(squares / (double)count - *mean * *mean);
}

/* All values lie in +-limit, and spread as a uniform distribution does. */
static void expect_uniform(const sg_graph *graph, const sg_params *params, const char *name,
                           double limit)
{
    int32_t id = find_param(graph, name);
    const float *values = sg_params_values(params, id);
    size_t count = graph->param[id].count;
    double mean, deviation, most = 0;
    moments(values, count, &mean, &deviation);
    for (size_t i = 0; i < count; i++)
        most = fmax(most, fabs((double)values[i]));
    /* of n draws, the mean is off by .58 and the deviation by about .26 limit / sqrt(n): 4 of them
     */
    double slack = limit / sqrt((double)count);
    assert_true(most <= limit);
    assert_true(fabs(mean) < 4 * .58 * slack);
    assert_true(fabs(deviation - limit / sqrt(3)) < 4 * .26 * slack);
}

static void weights_start_as_in_pytorch(void **state)
{
    int32_t t;
    sg_graph *graph = net_new(16, &t);
    sg_params *params;
    t = net_norm(graph, "bn", net_conv(graph, "a", t, 64, 3, 0));
    t = net_window(graph, SG_OP_conv_transpose, "up", t, 2, 48);
    net_done(graph, net_conv(graph, "b", t, 256, 3, 1));
    must(sg_params_create(graph, &params));
    must(sg_params_init(graph, params, 1));
    expect_uniform(graph, params, "a.weight", 1 / sqrt(9 * 16));
    expect_uniform(graph, params, "up.weight", 1 / sqrt(4 * 48));
    expect_uniform(graph, params, "up.bias", 1 / sqrt(4 * 48));
    expect_uniform(graph, params, "b.weight", 1 / sqrt(9 * 48));
    expect_uniform(graph, params, "b.bias", 1 / sqrt(9 * 48));
    static const struct {
        const char *name;
        float value;
    } constants[] = {{"bn.scale", 1}, {"bn.shift", 0}, {"bn.mean", 0}, {"bn.variance", 1}};
    for (size_t k = 0; k < sizeof constants / sizeof *constants; k++) {
        int32_t id = find_param(graph, constants[k].name);
        for (size_t i = 0; i < graph->param[id].count; i++)
            assert_true(sg_params_values(params, id)[i] == constants[k].value);
    }
    sg_params_close(params);
    sg_graph_close(graph);
}

static void the_start_depends_on_the_seed_alone(void **state)
{
    sg_graph *graph = net_unet(), *with;
    sg_params *params[3];
    must(sg_graph_with_loss(graph, &with));
    must(sg_params_create(graph, &params[0]));
    must(sg_params_create(with, &params[1]));
    must(sg_params_create(graph, &params[2]));
    must(sg_params_init(graph, params[0], 7));
    must(sg_params_init(with, params[1], 7));
    must(sg_params_init(graph, params[2], 8));
    size_t bytes = params[0]->layout->trainable_count * sizeof(float);
    assert_memory_equal(params[0]->trainable, params[1]->trainable, bytes);
    assert_memory_not_equal(params[0]->trainable, params[2]->trainable, bytes);
    for (int i = 0; i < 3; i++)
        sg_params_close(params[i]);
    sg_graph_close(graph);
    sg_graph_close(with);
}

static void parameters_do_not_overlap_and_padding_stays_zero(void **state)
{
    sg_graph *graph = net_pyramid();
    sg_params *params;
    must(sg_params_create(graph, &params));
    for (int32_t id = 0; id < graph->param_count; id++) {
        for (size_t i = 0; i < graph->param[id].count; i++) {
            float *value = &sg_params_values(params, id)[i];
            assert_true(*value == 0);
            *value = (float)(id + 1);
        }
    }
    size_t filled = 0, wanted = 0;
    for (size_t i = 0; i < params->layout->trainable_count; i++)
        filled += params->trainable[i] != 0;
    for (size_t i = 0; i < params->layout->state_count; i++)
        filled += params->state[i] != 0;
    for (int32_t id = 0; id < graph->param_count; id++) {
        wanted += graph->param[id].count;
        assert_int_equal(params->is_state[id], !sg_param_is_trainable(&graph->param[id]));
        for (size_t i = 0; i < graph->param[id].count; i++)
            assert_true(sg_params_values(params, id)[i] == (float)(id + 1));
    }
    assert_int_equal(filled, wanted);
    sg_params_close(params);
    sg_graph_close(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_start_as_in_pytorch),
        cmocka_unit_test(the_start_depends_on_the_seed_alone),
        cmocka_unit_test(parameters_do_not_overlap_and_padding_stays_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
