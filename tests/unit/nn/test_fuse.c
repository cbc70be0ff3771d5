/* Rewritten networks compute what the original ones compute. */
#include "runner.h"

#include <math.h>
#include "nn/fuse.h"
#include "nn/reach.h"

static int count_op(const sg_graph *graph, sg_op op)
{
    int count = 0;
    for (int32_t n = 0; n < graph->nodes; n++)
        count += graph->node[n].op == op;
    return count;
}

/* Both kinds of convolution with and without bias, batch norms that can and cannot be folded, an
 * activation that another node bypasses, dropout in every position. */
static sg_graph *net_mixed(void)
{
    int32_t in, t;
    sg_graph *g = net_new(3, &in);
    t = net_act(g, "a.silu", net_norm(g, "a.bn", net_conv(g, "a", in, 4, 3, 1)), SG_ACT_SILU);
    int32_t skip = t;
    t = net_window(g, SG_OP_max_pool, "pool", t, 2, 0);
    t = net_dropout(g, "drop1", net_conv(g, "b", t, 4, 3, 0), .5f);
    t = net_act(g, "b.leaky", net_norm(g, "b.bn", t), SG_ACT_LEAKY);
    t = net_window(g, SG_OP_conv_transpose, "up", t, 2, 4);
    t = net_act(g, "up.relu", net_norm(g, "up.bn", t), SG_ACT_RELU6);
    int32_t twice = net_conv(g, "c", t, 4, 3, 0); /* read twice: stays as it is */
    t = net_norm(g, "c.bn", twice);
    t = net_act(g, "sum.relu", net_join(g, SG_OP_add, "sum", t, twice), SG_ACT_RELU);
    t = net_norm(g, "late.bn", net_act(g, "late.sigmoid", t, SG_ACT_SIGMOID)); /* no convolution */
    t = net_dropout(g, "drop2", net_join(g, SG_OP_concat, "join", t, skip), .1f);
    return net_done(g, t);
}

static void compare(const float *a, const float *b, size_t count, float tolerance)
{
    float most = 1;
    for (size_t i = 0; i < count; i++)
        most = fmaxf(most, fabsf(a[i]));
    for (size_t i = 0; i < count; i++) {
        if (!(fabsf(a[i] - b[i]) <= tolerance * most))
            fail_msg("element %zu: %g and %g", i, (double)a[i], (double)b[i]);
    }
}

/* Folding changes no reach either. */
static void check_reach(const sg_graph *graph, const sg_graph *folded)
{
    sg_network_reach before, after;
    sg_err err = sg_graph_reach(graph, &before);
    assert_int_equal(sg_graph_reach(folded, &after), err);
    if (!err)
        assert_memory_equal(&before, &after, sizeof before);
}

/* Sums left in the folded graph. sums: they may go into convolutions. */
static int check_folding_of(sg_graph *graph, bool sums)
{
    sg_abilities abilities = {{0}};
    sg_graph *folded;
    sg_params *params, *folded_params;
    abilities.can[SG_OP_conv] = sums ? SG_ADDS_INPUT : 0;
    sg_shape shape = {2, 8, 12, sg_graph_input_channels(graph)};
    must(sg_params_create(graph, &params));
    fill_params(graph, params, 3);
    must(sg_graph_fold_for(&abilities, graph, params, &folded, &folded_params));
    check_reach(graph, folded);
    runner before = runner_open(graph, params, shape, SG_PLAN_INFERENCE);
    runner after = runner_open(folded, folded_params, shape, SG_PLAN_INFERENCE);
    fill_noise(before.input, before.inputs, 4, -1, 1);
    memcpy(after.input, before.input, before.inputs * sizeof(float));
    runner_forward(&before, NULL, NULL);
    runner_forward(&after, NULL, NULL);
    assert_int_equal(before.outputs, after.outputs);
    /* Folding rounds each weight once to f32 and sums up to a few hundred products: 1e-5 of the
     * largest output is some 100 units in the last place. */
    compare(before.output, after.output, before.outputs, 1e-5f);
    assert_int_equal(count_op(folded, SG_OP_dropout), 0);
    int left = count_op(folded, SG_OP_add);
    runner_close(&before);
    runner_close(&after);
    sg_params_close(params);
    sg_params_close(folded_params);
    sg_graph_close(folded);
    return left;
}

static void check_folding(sg_graph *graph)
{
    assert_int_equal(check_folding_of(graph, false), count_op(graph, SG_OP_add));
    check_folding_of(graph, true);
    sg_graph_close(graph);
}

/* A block as in residual networks: the branch's convolution comes before the shortcut's, if that
 * has one, whose stride may be 2. */
static sg_graph *net_block(int32_t stride, bool shortcut, bool twice)
{
    int32_t in, t, other;
    sg_graph *g = net_new(3, &in);
    in = net_layer(g, "stem", in, 4);
    must(sg_graph_conv(g, "a", in, 4, 3, stride, 1, 0, &t));
    t = net_act(g, "a.relu", net_norm(g, "a.bn", t), SG_ACT_RELU);
    t = net_norm(g, "b.bn", net_conv(g, "b", t, 4, 3, 0));
    other = in;
    if (shortcut) {
        must(sg_graph_conv(g, "short", in, 4, 1, stride, 0, 0, &other));
        other = net_norm(g, "short.bn", other);
    }
    int32_t sum = net_act(g, "relu", net_join(g, SG_OP_add, "sum", t, other), SG_ACT_RELU);
    if (twice) /* both terms are read again */
        sum = net_join(g, SG_OP_concat, "join", net_join(g, SG_OP_concat, "both", t, other), sum);
    return net_done(g, sum);
}

static void a_sum_goes_into_the_later_convolution(void **state)
{
    for (int k = 0; k < 2; k++) {
        sg_graph *plain = net_block(1, k, false), *kept = net_block(1, k, true);
        assert_int_equal(check_folding_of(plain, true), 0);
        assert_int_equal(check_folding_of(plain, false), 1);
        assert_int_equal(check_folding_of(kept, true), 1);
        sg_graph_close(plain);
        sg_graph_close(kept);
    }
    sg_graph *halved = net_block(2, true, false);
    assert_int_equal(check_folding_of(halved, true), 0);
    sg_graph_close(halved);
}

static void folding_changes_no_result(void **state)
{
    for (int i = 0; i < NETS; i++)
        check_folding(net_number(i));
    check_folding(net_mixed());
    for (uint64_t seed = 0; seed < 60; seed++)
        check_folding(net_of_seed(seed));
}

static void folding_a_fused_network_changes_no_result(void **state)
{
    sg_graph *graph = net_mixed(), *fused;
    must(sg_graph_fuse(graph, &fused));
    check_folding(fused);
    sg_graph_close(graph);
}

static const sg_node *node_named(const sg_graph *graph, const char *name)
{
    for (int32_t n = 0; n < graph->nodes; n++) {
        if (strcmp(graph->node[n].name, name) == 0)
            return &graph->node[n];
    }
    return NULL;
}

static void folding_takes_what_it_may_and_no_more(void **state)
{
    sg_graph *graph = net_mixed(), *folded;
    sg_params *params, *folded_params;
    must(sg_params_create(graph, &params));
    must(sg_params_init(graph, params, 1));
    must(sg_graph_fold(graph, params, &folded, &folded_params));
    assert_int_equal(count_op(folded, SG_OP_batch_norm), 2); /* c.bn and late.bn */
    assert_int_equal(count_op(folded, SG_OP_activation), 1); /* late.sigmoid: sum has its relu */
    assert_non_null(node_named(folded, "c.bn"));
    assert_non_null(node_named(folded, "late.bn"));
    assert_int_equal(node_named(folded, "a")->act, SG_ACT_SILU);
    assert_int_equal(node_named(folded, "b")->act, SG_ACT_LEAKY);
    assert_int_equal(node_named(folded, "b")->attr.window.bias, 1);
    assert_int_equal(node_named(folded, "up")->act, SG_ACT_RELU6);
    assert_int_equal(node_named(folded, "c")->attr.window.bias, 0);
    assert_int_equal(node_named(folded, "sum")->act, SG_ACT_RELU);
    assert_int_equal(node_named(folded, "head")->out_f32, 1);
    assert_int_equal(folded->frozen, 1);
    sg_params *other, *nothing;
    sg_graph *plain = net_plain(), *none;
    must(sg_params_create(plain, &other));
    must_fail(sg_graph_fold(graph, other, &none, &nothing), SG_EUSAGE, "28");
    sg_params_close(other);
    sg_graph_close(plain);
    sg_params_close(params);
    sg_params_close(folded_params);
    sg_graph_close(folded);
    sg_graph_close(graph);
}

/* Folding leaves out what only an auxiliary head has, and fuses past the place where it began. */
static void auxiliary_heads_are_for_training_alone(void **state)
{
    int32_t in;
    sg_graph *graph = net_new(2, &in), *folded;
    sg_params *params, *folded_params;
    int32_t deep = net_conv(graph, "deep", in, 4, 3, 0);
    int32_t side = net_norm(graph, "side.bn", net_conv(graph, "side", deep, 3, 1, 1));
    int32_t norm = net_norm(graph, "deep.bn", deep);
    net_conv(graph, "head", net_act(graph, "deep.relu", norm, SG_ACT_RELU), 3, 1, 1);
    graph->node[side].aux = 1;
    must(sg_graph_freeze(graph));
    must(sg_params_create(graph, &params));
    must(sg_params_init(graph, params, 1));
    must(sg_graph_fold(graph, params, &folded, &folded_params));
    assert_int_equal(folded->nodes, 3); /* input, deep with its norm and activation, head */
    assert_int_equal(node_named(folded, "deep")->act, SG_ACT_RELU);
    assert_null(node_named(folded, "side"));
    assert_int_equal(folded->param_count, 4);
    sg_params_close(params);
    sg_params_close(folded_params);
    sg_graph_close(folded);
    sg_graph_close(graph);
}

/* Loss, gradients and running statistics of one training step. */
typedef struct {
    double loss;
    float *gradient, *state;
} step_result;

static step_result train_once(const sg_graph *graph, sg_params *params, sg_shape shape)
{
    runner r = runner_open(graph, params, shape, SG_PLAN_TRAINING);
    uint8_t labels[8 * 8 * 4];
    for (size_t i = 0; i < sizeof labels; i++)
        labels[i] = (uint8_t)(3 * noise(1, i));
    fill_noise(r.input, r.inputs, 6, -1, 1);
    sg_run run = {.seed = 1, .step = 2, .loss_scale = 1};
    runner_forward(&r, labels, &run);
    must(sg_exec_backward(r.exec, &run, NULL, NULL));
    step_result result = {.loss = run.loss_sum};
    size_t trainable = params->layout->trainable_count, statistics = params->layout->state_count;
    must(sg_malloc(trainable, sizeof(float), &result.gradient));
    must(sg_malloc(statistics, sizeof(float), &result.state));
    memcpy(result.gradient, r.weights->gradient, trainable * sizeof(float));
    memcpy(result.state, params->state, statistics * sizeof(float));
    runner_close(&r);
    return result;
}

static void check_fusing(sg_graph *graph)
{
    sg_graph *with, *fused;
    sg_params *params[2];
    must(sg_graph_with_loss(graph, &with));
    must(sg_graph_fuse(with, &fused));
    assert_true(fused->nodes <= with->nodes);
    assert_int_equal(fused->param_count, with->param_count);
    for (int32_t id = 0; id < fused->param_count; id++)
        assert_string_equal(fused->param[id].name, with->param[id].name);
    sg_shape shape = {4, 8, 8, sg_graph_input_channels(graph)};
    step_result result[2];
    for (int i = 0; i < 2; i++) {
        must(sg_params_create(with, &params[i]));
        fill_params(with, params[i], 3);
        result[i] = train_once(i ? fused : with, params[i], shape);
    }
    size_t trainable = params[0]->layout->trainable_count;
    /* The same sums in the same order; only a slope taken from the output, not the input, may round
     * otherwise. */
    assert_true(fabs(result[0].loss - result[1].loss) <= 1e-6 * fabs(result[0].loss));
    compare(result[0].gradient, result[1].gradient, trainable, 1e-5f);
    compare(result[0].state, result[1].state, params[0]->layout->state_count, 1e-6f);
    for (int i = 0; i < 2; i++) {
        sg_free(result[i].gradient);
        sg_free(result[i].state);
        sg_params_close(params[i]);
    }
    sg_graph_close(fused);
    sg_graph_close(with);
    sg_graph_close(graph);
}

/* Without dropout, whose mask depends on the node's place. */
static sg_graph *net_acts(void)
{
    int32_t in, t;
    sg_graph *g = net_new(2, &in);
    t = net_act(g, "a.silu", net_conv(g, "a", in, 4, 3, 1), SG_ACT_SILU);
    t = net_act(g, "b.leaky", net_norm(g, "b", t), SG_ACT_LEAKY);
    t = net_act(g, "up.sigmoid",
                net_window(g, SG_OP_conv_transpose, "up",
                           net_window(g, SG_OP_max_pool, "pool", t, 2, 0), 2, 4),
                SG_ACT_SIGMOID);
    t = net_norm(g, "c", t);
    t = net_act(g, "sum.relu6", net_join(g, SG_OP_add, "sum", t, t), SG_ACT_RELU6);
    return net_done(g, t);
}

static void fusing_changes_no_training_step(void **state)
{
    check_fusing(net_plain());
    check_fusing(net_unet());
    check_fusing(net_residual());
    check_fusing(net_acts());
    sg_graph *graph = net_acts(), *fused;
    must(sg_graph_fuse(graph, &fused));
    assert_int_equal(count_op(fused, SG_OP_activation), 0);
    sg_graph_close(graph);
    sg_graph_close(fused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folding_changes_no_result),
        cmocka_unit_test(a_sum_goes_into_the_later_convolution),
        cmocka_unit_test(folding_a_fused_network_changes_no_result),
        cmocka_unit_test(folding_takes_what_it_may_and_no_more),
        cmocka_unit_test(auxiliary_heads_are_for_training_alone),
        cmocka_unit_test(fusing_changes_no_training_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
