/* Graphs: what they accept, and their text form against damage of every kind. */
#include "nets.h"

#include <stdlib.h>
#include "nn/plan.h"
#include "nn/reach.h"

static void same_graph(const sg_graph *a, const sg_graph *b)
{
    assert_int_equal(a->nodes, b->nodes);
    assert_int_equal(a->param_count, b->param_count);
    for (int32_t n = 0; n < a->nodes; n++)
        assert_memory_equal(&a->node[n], &b->node[n], sizeof(sg_node));
    for (int32_t t = 0; t < a->tensors; t++)
        assert_int_equal(a->tensor[t].channels, b->tensor[t].channels);
    for (int32_t p = 0; p < a->param_count; p++) {
        assert_string_equal(a->param[p].name, b->param[p].name);
        assert_int_equal(a->param[p].count, b->param[p].count);
        assert_int_equal(a->param[p].kind, b->param[p].kind);
    }
}

static void a_graph_comes_back_from_its_text(void **state)
{
    for (uint64_t i = 0; i < NETS + 100; i++) {
        sg_graph *graph = i < NETS ? net_number((int)i) : net_of_seed(i), *back;
        sg_text text = {0}, again = {0};
        must(sg_graph_write(graph, &text));
        must(sg_graph_read(text.data, &back));
        same_graph(graph, back);
        assert_int_equal(back->frozen, 1);
        must(sg_graph_write(back, &again));
        assert_string_equal(text.data, again.data);
        sg_text_clear(&text);
        sg_text_clear(&again);
        sg_graph_close(graph);
        sg_graph_close(back);
    }
}

static void the_loss_is_added_to_a_copy(void **state)
{
    sg_graph *graph = net_unet(), *with, *twice;
    must(sg_graph_with_loss(graph, &with));
    assert_int_equal(with->nodes, graph->nodes + 1);
    assert_int_equal(sg_graph_output_channels(graph), 3);
    assert_int_equal(sg_graph_output_channels(with), 3);
    assert_int_equal(sg_graph_input_channels(with), 2);
    must_fail(sg_graph_with_loss(with, &twice), SG_EUSAGE, "loss");
    assert_null(twice);
    sg_graph_close(graph);
    sg_graph_close(with);
}

static void losses_are_added_side_by_side(void **state)
{
    const sg_loss_term terms[] = {
        {SG_OP_softmax_loss, {.weight = 1, .border = 1}},
        {SG_OP_region_loss, {.weight = .25f, .alpha = .3f, .beta = .7f, .smooth = 1}},
        {SG_OP_lovasz_loss, {.weight = 2}}};
    const sg_loss_term none = {SG_OP_add, {.weight = 1}};
    sg_graph *graph = net_unet(), *with, *back, *refused;
    sg_text text = {0};
    must(sg_graph_with_losses(graph, terms, 3, 1, &with));
    assert_int_equal(with->nodes, graph->nodes + 3);
    assert_int_equal(sg_graph_output_channels(with), 3);
    for (int32_t k = 0; k < 3; k++) {
        const sg_node *node = &with->node[graph->nodes + k];
        assert_int_equal(node->input[0], graph->nodes - 1);
        assert_int_equal(node->attr.loss.term, k);
    }
    assert_true(sg_graph_sums_regions(with) && sg_graph_reads_border(with));
    assert_false(sg_graph_sums_regions(graph) || sg_graph_reads_border(graph));
    must(sg_graph_write(with, &text));
    must(sg_graph_read(text.data, &back));
    same_graph(with, back);
    must_fail(sg_graph_with_losses(graph, terms, 0, 1, &refused), SG_EUSAGE, "0 terms");
    must_fail(sg_graph_with_losses(graph, &none, 1, 1, &refused), SG_EUSAGE, "no loss");
    sg_text_clear(&text);
    sg_graph_close(back);
    sg_graph_close(with);
    sg_graph_close(graph);
}

/* Two heads before the last one, each with all terms, whose weights are multiplied. */
static void auxiliary_heads_have_the_same_losses(void **state)
{
    const sg_loss_term terms[] = {
        {SG_OP_softmax_loss, {.weight = 1}},
        {SG_OP_region_loss, {.weight = .5f, .alpha = .5f, .beta = .5f, .smooth = 1}}};
    int32_t in;
    sg_graph *graph = net_new(2, &in), *with, *back;
    sg_text text = {0};
    int32_t deep = net_conv(graph, "deep", in, 4, 3, 0);
    int32_t side = net_conv(graph, "side", deep, 3, 1, 1),
            next = net_conv(graph, "next", deep, 4, 3, 0);
    int32_t other = net_conv(graph, "other", next, 3, 1, 1);
    net_conv(graph, "head", next, 3, 1, 1);
    must_fail(sg_graph_freeze(graph), SG_EUSAGE, "side: no later node");
    graph->node[side].aux = 2;
    must_fail(sg_graph_freeze(graph), SG_EUSAGE, "side: it cannot be");
    graph->node[side].aux = graph->node[other].aux = 1;
    must(sg_graph_freeze(graph));
    must(sg_graph_with_losses(graph, terms, 2, .25f, &with));
    assert_int_equal(with->nodes, graph->nodes + 6);
    for (int32_t k = 0; k < 6; k++) {
        const sg_node *node = &with->node[graph->nodes + k];
        const int32_t read[] = {side, other, graph->nodes - 1};
        assert_int_equal(node->op, terms[k % 2].op);
        assert_int_equal(node->input[0], read[k / 2]);
        assert_int_equal(node->attr.loss.term, k < 4 ? 2 : k % 2);
        assert_true(node->attr.loss.weight == terms[k % 2].attr.weight * (k < 4 ? .25f : 1));
    }
    must(sg_graph_write(with, &text));
    must(sg_graph_read(text.data, &back));
    same_graph(with, back);
    sg_text_clear(&text);
    sg_graph_close(back);
    sg_graph_close(with);
    sg_graph_close(graph);
}

static void a_frozen_graph_refuses_nodes(void **state)
{
    sg_graph *graph = net_plain(), *copy;
    int32_t t = 0;
    must_fail(sg_graph_conv(graph, "late", 0, 3, 3, 1, 1, 0, &t), SG_EUSAGE, "late");
    must(sg_graph_copy(graph, &copy));
    same_graph(graph, copy);
    sg_graph_close(graph);
    sg_graph_close(copy);
}

static void wrong_nodes_are_refused(void **state)
{
    int32_t in, t;
    sg_graph *g = net_new(2, &in);
    net_conv(g, "a", in, 3, 3, 0);
    must_fail(sg_graph_conv(g, "a", in, 3, 3, 1, 1, 0, &t), SG_EUSAGE, "two nodes");
    must_fail(sg_graph_conv(g, "", in, 3, 3, 1, 1, 0, &t), SG_EUSAGE, "name");
    must_fail(sg_graph_conv(g, "a b", in, 3, 3, 1, 1, 0, &t), SG_EUSAGE, "a b");
    must_fail(sg_graph_conv(g, "b", 7, 3, 3, 1, 1, 0, &t), SG_EUSAGE, "tensor 7");
    must_fail(sg_graph_conv(g, "b", -1, 3, 3, 1, 1, 0, &t), SG_EUSAGE, "tensor -1");
    must_fail(sg_graph_conv(g, "b", in, 0, 3, 1, 1, 0, &t), SG_EUSAGE, "b:");
    must_fail(sg_graph_conv(g, "b", in, 3, 3, 0, 1, 0, &t), SG_EUSAGE, "b:");
    must_fail(sg_graph_input(g, 3, &t), SG_EUSAGE, "input");
    must_fail(sg_graph_add(g, SG_OP_concat, "b", NULL, &in, 99, &t), SG_EUSAGE, "99");
    must_fail(sg_graph_activation(g, "b", in, (sg_act)77, &t), SG_EUSAGE, "77");
    char long_name[SG_NAME_MAX + 1];
    memset(long_name, 'x', SG_NAME_MAX);
    long_name[SG_NAME_MAX] = 0;
    must_fail(sg_graph_conv(g, long_name, in, 3, 3, 1, 1, 0, &t), SG_EUSAGE, "longer");
    assert_int_equal(g->nodes, 2);
    assert_int_equal(g->param_count, 1);
    net_conv(g, "dead", in, 3, 3, 0);
    net_conv(g, "end", 1, 3, 3, 0);
    must_fail(sg_graph_freeze(g), SG_EUSAGE, "dead");
    assert_int_equal(g->frozen, 0);
    sg_graph_close(g);
}

static void damage_is_named_with_its_line(void **state)
{
    static const struct {
        const char *text, *word;
    } cases[] = {
        {"", "first line"},
        {"hello\n", "first line"},
        {"segtiles-graph 1\n", "without its last line"},
        {"segtiles-graph 1\nend 0\n", "line 2"},
        {"segtiles-graph 1\ninput input out_channels=2\nend 1\n", "line 3"},
        {"segtiles-graph 1\nconv a inputs=0\n", "line 2"},
        {"segtiles-graph 1\nblur a inputs=0\n", "blur"},
        {"segtiles-graph 1\ninput input out_channels=-2\n", "-2"},
        {"segtiles-graph 1\ninput input out_channels=9999999999\n", "9999999999"},
        {"segtiles-graph 1\ninput input out_channels=2x\n", "2x"},
        {"segtiles-graph 1\ninput input colour=2\n", "colour"},
        {"segtiles-graph 1\ninput input out_channels=2\nactivation a inputs=0,\n", "inputs"},
        {"segtiles-graph 1\ninput input out_channels=2\nactivation a inputs=1\n", "tensor 1"},
        {"segtiles-graph 1\ninput input out_channels=2\nactivation a inputs=0 act=zelu\n", "zelu"},
        {"segtiles-graph 1\ninput input out_channels=2\ndropout a inputs=0 rate=nan\n", "nan"},
        {"segtiles-graph 1\ninput input out_channels=2\ndropout a inputs=0 rate=1e99\n", "1e99"},
        {"segtiles-graph 1\ninput input out_channels=2\nconv a inputs=0,0 kernel_h=1 kernel_w=1 "
         "stride_h=1 stride_w=1 dilation_h=1 dilation_w=1 groups=1 out_channels=2\nend 2\n",
         "two inputs"},
        {"segtiles-graph 1\ninput input out_channels=2\nactivation a inputs=0 act=relu\nend 3\n",
         "line 4"},
        {"segtiles-graph 1\ninput input out_channels=2\nactivation a inputs=0 act=relu\nend 2\nx",
         "line 4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sg_graph *graph;
        must_fail(sg_graph_read(cases[i].text, &graph), SG_EINPUT, cases[i].word);
        assert_null(graph);
    }
}

/* Whatever the text, reading either refuses it or gives a graph that holds its invariants. */
static void read_hostile(const char *text, int *accepted)
{
    sg_graph *graph;
    sg_err err = sg_graph_read(text, &graph);
    if (err) {
        assert_true(err == SG_EINPUT || err == SG_ENOMEM);
        assert_true(strlen(sg_error_text()) > 0);
        assert_null(graph);
        return;
    }
    must(sg_graph_check(graph));
    ++*accepted;
    sg_network_reach reach; /* what is done with it next must hold out too */
    sg_plan *plan;
    err = sg_graph_reach(graph, &reach);
    assert_true(err == SG_OK || err == SG_EUSAGE || err == SG_EUNSUPPORTED);
    sg_shape input = {1, 32, 32, sg_graph_input_channels(graph)};
    err = sg_plan_create(graph, input, SG_F32, SG_PLAN_INFERENCE, &plan);
    assert_true(err == SG_OK || err == SG_EUSAGE || err == SG_ENOMEM);
    sg_plan_close(plan);
    sg_graph_close(graph);
}

static void mutate(char *text, size_t length, uint64_t *random)
{
    static const char pieces[] = "0123456789=,. \n-e_xconvrelu";
    for (uint32_t k = 1 + net_random(random, 4); k > 0; k--) {
        size_t at = net_random(random, (uint32_t)length);
        switch (net_random(random, 4)) {
        case 0: /* one character */
            text[at] = pieces[net_random(random, sizeof pieces - 1)];
            break;
        case 1: /* any byte */
            text[at] = (char)(1 + net_random(random, 255));
            break;
        case 2: { /* a piece from elsewhere */
            size_t from = net_random(random, (uint32_t)length);
            size_t most = length - (at > from ? at : from);
            memmove(text + at, text + from, net_random(random, (uint32_t)most + 1));
            break;
        }
        default: /* the end cut off */
            if (net_random(random, 4) == 0)
                text[at] = 0;
        }
    }
}

static void hostile_text_is_refused_or_read_whole(void **state)
{
    int accepted = 0;
    uint64_t random = 20;
    for (int i = 0; i < NETS; i++) {
        sg_graph *graph = net_number(i);
        sg_text text = {0};
        must(sg_graph_write(graph, &text));
        char *copy = malloc(text.length + 1);
        for (size_t cut = 0; cut < text.length; cut++) {
            memcpy(copy, text.data, text.length + 1);
            copy[cut] = 0;
            int before = accepted;
            read_hostile(copy, &accepted);
            /* Only the line end after the last line may go. */
            assert_int_equal(accepted - before, cut == text.length - 1);
        }
        for (int k = 0; k < 6000; k++) {
            memcpy(copy, text.data, text.length + 1);
            mutate(copy, text.length, &random);
            read_hostile(copy, &accepted);
        }
        free(copy);
        sg_text_clear(&text);
        sg_graph_close(graph);
    }
    assert_true(accepted > NETS); /* some mutations are harmless: another name, another number */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_graph_comes_back_from_its_text),
        cmocka_unit_test(the_loss_is_added_to_a_copy),
        cmocka_unit_test(losses_are_added_side_by_side),
        cmocka_unit_test(auxiliary_heads_have_the_same_losses),
        cmocka_unit_test(a_frozen_graph_refuses_nodes),
        cmocka_unit_test(wrong_nodes_are_refused),
        cmocka_unit_test(damage_is_named_with_its_line),
        cmocka_unit_test(hostile_text_is_refused_or_read_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
