/* All networks: how they are described, what they weigh, how far they reach. Their arithmetic is
 * held against PyTorch: oracle/networks_torch. */
#include "../nn/brute_reach.h"

#include "model/model.h"
#include "nn/fuse.h"

static sg_graph *build(const char *text)
{
    sg_model_options options = sg_model_defaults();
    sg_graph *graph;
    options.bands = 3;
    options.classes = 2;
    must(sg_model_parse(text, &options));
    must(sg_model_build(&options, &graph));
    return graph;
}

static int64_t encoder_parameters(const char *text)
{
    sg_graph *graph = build(text);
    int64_t count = 0;
    for (int32_t i = 0; i < graph->param_count; i++)
        if (strncmp(graph->param[i].name, "encoder.", 8) == 0 &&
            sg_param_is_trainable(&graph->param[i]))
            count += (int64_t)graph->param[i].count;
    sg_graph_close(graph);
    return count;
}

/* The published networks' counts without their classifiers. */
static void encoders_have_the_published_number_of_parameters(void **state)
{
    assert_int_equal(encoder_parameters("unet,encoder=resnet18"), 11176512);
    assert_int_equal(encoder_parameters("fcn,encoder=resnet34"), 21284672);
    assert_int_equal(encoder_parameters("deeplabv3,encoder=resnet50"), 23508032);
    assert_int_equal(encoder_parameters("deeplabv3+,encoder=resnet101,output_stride=8"), 42500160);
    assert_int_equal(encoder_parameters("pspnet"), 23508032);
    assert_int_equal(encoder_parameters("fcn32s,width=8"), 14723136);
}

static const sg_node *node_named(const sg_graph *graph, const char *name)
{
    for (int32_t n = 0; n < graph->nodes; n++)
        if (strcmp(graph->node[n].name, name) == 0)
            return &graph->node[n];
    fail_msg("no node %s", name);
    return NULL;
}

static void check_window(const sg_graph *graph, const char *name, int32_t stride, int32_t dilation)
{
    const sg_window_attr *w = &node_named(graph, name)->attr.window;
    assert_int_equal(w->stride_h, stride);
    assert_int_equal(w->stride_w, stride);
    assert_int_equal(w->dilation_h, dilation);
    assert_int_equal(w->pad.left, dilation); /* of 3x3 */
}

/* What torchvision does with replace_stride_with_dilation. */
static void an_output_stride_turns_strides_into_dilations(void **state)
{
    sg_graph *graph = build("deeplabv3,output_stride=8");
    check_window(graph, "encoder.layer2.0.conv2", 2, 1);
    check_window(graph, "encoder.layer3.0.conv2", 1, 1);
    check_window(graph, "encoder.layer3.1.conv2", 1, 2);
    check_window(graph, "encoder.layer4.0.conv2", 1, 2);
    check_window(graph, "encoder.layer4.2.conv2", 1, 4);
    check_window(graph, "aspp.conv1", 1, 12);
    check_window(graph, "aspp.conv3", 1, 36);
    sg_graph_close(graph);
    graph = build("deeplabv3+,encoder=resnet18");
    check_window(graph, "encoder.layer3.0.conv1", 2, 1);
    check_window(graph, "encoder.layer4.0.conv1", 1, 1);
    check_window(graph, "encoder.layer4.0.conv2", 1, 1);
    check_window(graph, "encoder.layer4.1.conv1", 1, 2);
    check_window(graph, "aspp.conv2", 1, 12);
    sg_graph_close(graph);
}

typedef struct {
    const char *text;
    int64_t stride;
    bool exact;
} expectation;

static void all_give_full_resolution_and_say_how_far_they_reach(void **state)
{
    static const expectation all[] = {
        {"unet,encoder=resnet18,width=2", 32, true},
        {"unet,width=2,separable=1,up=bilinear", 16, true},
        {"deeplabv3,encoder=resnet18,width=4", 16, true},
        {"deeplabv3,encoder=resnet18,width=4,pool=-1", 16, false},
        {"deeplabv3+,encoder=resnet18,width=4,output_stride=8", 8, true},
        {"pspnet,encoder=resnet18,width=4,pool=96", 96, true},
        {"fcn,encoder=resnet18,width=4", 8, true},
        {"fcn8s,width=4", 32, true},
        {"fcn16s,width=4", 32, true},
        {"fcn32s,width=4", 32, true},
        {"unet,width=2,valid=1,aux=1", 16, true},
        {"unet,width=2,norm=group", 16, false},
        {"pspnet,encoder=resnet18,width=4,pool=96,norm=group,aux=1", 96, false},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        sg_graph *graph = build(all[i].text);
        sg_network_reach reach;
        must(sg_graph_reach(graph, &reach));
        assert_int_equal(reach.stride, all[i].stride);
        assert_int_equal(reach.output_step, 1);
        assert_int_equal(!reach.unbounded, all[i].exact);
        assert_int_equal(graph->node[graph->nodes - 1].out_f32, 1);
        assert_int_equal(sg_graph_output_channels(graph), 2);
        sg_graph_close(graph);
    }
}

/* By brute force, in one dimension; the reach that is computed may be larger where a dilated
 * window's outermost tap falls beside a coarser grid, never smaller, and by at most a stride. */
static void reach_covers_what_brute_force_measures(void **state)
{
    static const char *const texts[] = {
        "deeplabv3+,encoder=resnet18,width=1,rates=1:2:3,pool=48",
        "unet,encoder=resnet18,width=1,up=bilinear", "unet,width=1,depth=3,separable=1,up=bilinear",
        "unet,width=1,depth=2,valid=1", "unet,width=1,depth=3,valid=1,up=bilinear"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        sg_graph *graph = build(texts[i]);
        sg_network_reach reach;
        must(sg_graph_reach(graph, &reach));
        int64_t length = 2 * (reach.halo + reach.stride + blind_end(&reach));
        int64_t measured = measure_reach(graph, 1, length, &reach);
        assert_in_range(measured, reach.radius - reach.stride, reach.radius);
        sg_graph_close(graph);
    }
}

static sg_shape shape_of(const sg_graph *graph, const char *name, int64_t tile)
{
    sg_plan *plan;
    must(sg_plan_create(graph, (sg_shape){1, tile, tile, 3}, SG_F32, SG_PLAN_INFERENCE, &plan));
    sg_shape shape = plan->tensor[node_named(graph, name)->output].shape;
    sg_plan_close(plan);
    return shape;
}

/* Sizes of figure 1 of Ronneberger et al. 2015. */
static void a_valid_unet_has_the_published_sizes(void **state)
{
    static const struct {
        const char *name;
        int64_t size;
    } published[] = {{"align", 572},          {"encoder0.relu1", 570},
                     {"encoder0.relu2", 568}, {"encoder1.relu2", 280},
                     {"encoder2.relu2", 136}, {"encoder3.relu2", 64},
                     {"encoder4.relu2", 28},  {"up3", 56},
                     {"crop3", 56},           {"decoder3.relu2", 52},
                     {"crop2", 104},          {"decoder2.relu2", 100},
                     {"crop1", 200},          {"decoder1.relu2", 196},
                     {"crop0", 392},          {"head", 388},
                     {"frame", 576}};
    sg_graph *graph = build("unet,width=1,valid=1");
    sg_network_reach reach;
    for (size_t i = 0; i < sizeof published / sizeof *published; i++)
        assert_int_equal(shape_of(graph, published[i].name, 576).h, published[i].size);
    must(sg_graph_reach(graph, &reach));
    assert_int_equal(reach.margin.top, 96);
    assert_int_equal(reach.margin.bottom, 92);
    assert_int_equal(reach.widest_margin, 96);
    assert_int_equal(reach.halo, 96); /* no wider than the margin: nothing is computed in vain */
    sg_graph_close(graph);
}

/* As many as published, or as divide the channels. */
static void groups_divide_the_channels(void **state)
{
    sg_graph *graph = build("unet,width=24,depth=2,norm=group");
    assert_int_equal(node_named(graph, "encoder0.bn1")->attr.group_norm.groups, 24);
    assert_int_equal(node_named(graph, "encoder1.bn1")->attr.group_norm.groups, 24);
    assert_int_equal(node_named(graph, "encoder2.bn1")->attr.group_norm.groups, 32);
    sg_graph_close(graph);
    graph = build("unet,width=24,depth=2,norm=group,groups=5");
    assert_int_equal(node_named(graph, "encoder0.bn1")->attr.group_norm.groups, 4);
    for (int32_t n = 0; n < graph->nodes; n++)
        assert_true(graph->node[n].op != SG_OP_batch_norm);
    sg_graph_close(graph);
}

static int32_t count_aux(const char *text)
{
    sg_graph *graph = build(text);
    int32_t count = 0;
    for (int32_t n = 0; n < graph->nodes; n++) {
        count += graph->node[n].aux;
        assert_true(!graph->node[n].aux || graph->node[n].out_f32);
    }
    assert_int_equal(graph->node[graph->nodes - 1].aux, 0);
    sg_graph_close(graph);
    return count;
}

static void auxiliary_heads_are_where_they_are_published(void **state)
{
    assert_int_equal(count_aux("unet,width=2"), 0);
    assert_int_equal(count_aux("unet,width=2,aux=1"), 3);
    assert_int_equal(count_aux("unet,width=2,encoder=resnet18,aux=1"), 4);
    assert_int_equal(count_aux("fcn,encoder=resnet18,aux=1"), 1);
    assert_int_equal(count_aux("deeplabv3,encoder=resnet18,aux=1"), 1);
    assert_int_equal(count_aux("deeplabv3+,encoder=resnet18,aux=1"), 1);
    sg_graph *graph = build("pspnet,aux=1");
    assert_int_equal(node_named(graph, "aux.conv1")->attr.window.out_channels, 256);
    assert_string_equal(graph->node[node_named(graph, "aux.conv1")->input[0]].name,
                        "encoder.layer3.5.relu");
    sg_graph_close(graph);
}

static void a_description_sets_what_it_names(void **state)
{
    sg_model_options o = sg_model_defaults();
    o.depth = 3;
    must(sg_model_parse("deeplabv3+,encoder=resnet34,rates=2:4:8,pool=-1,output_stride=8,width=64,"
                        "dropout=0.25,bands=7,classes=9,separable=1,up=bilinear,norm=group,"
                        "groups=16,aux=1,valid=1",
                        &o));
    assert_string_equal(o.net, "deeplabv3+");
    assert_string_equal(o.encoder, "resnet34");
    assert_true(o.rates[0] == 2 && o.rates[1] == 4 && o.rates[2] == 8);
    assert_true(o.pool == -1 && o.output_stride == 8 && o.width == 64 && o.dropout == .25f);
    assert_true(o.bands == 7 && o.classes == 9 && o.separable == 1 && o.up == SG_UP_BILINEAR);
    assert_true(o.norm == SG_NORM_GROUP && o.groups == 16 && o.aux == 1 && o.valid == 1);
    assert_int_equal(o.depth, 3); /* kept */
}

static void what_is_not_understood_is_named(void **state)
{
    static const char *const wrong[] = {"unet,",
                                        "unet,width",
                                        "unet,width=",
                                        "unet,width=4x",
                                        "unet,size=4",
                                        "unet,rates=1:2",
                                        "unet,up=nearest",
                                        "unet,norm=layer",
                                        "unet,dropout=a",
                                        "unet,rates=1:2:3:4",
                                        "unet,encoder=a-name-too-long-to-be-one"};
    sg_model_options o;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        o = sg_model_defaults();
        must_fail(sg_model_parse(wrong[i], &o), SG_EUSAGE, "is not understood");
    }
    char text[400];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    must_fail(sg_model_parse(text, &o), SG_EUSAGE, "too long");
}

static void must_not_build(const char *text, const char *part)
{
    sg_model_options options = sg_model_defaults();
    sg_graph *graph;
    options.bands = 3;
    options.classes = 2;
    must(sg_model_parse(text, &options));
    must_fail(sg_model_build(&options, &graph), SG_EUSAGE, part);
    assert_null(graph);
}

static void what_cannot_be_built_is_told(void **state)
{
    must_not_build("vnet", "deeplabv3+");
    must_not_build("deeplabv3,encoder=resnet19", "resnet50");
    must_not_build("fcn,encoder=vgg16", "resnet50");
    must_not_build("deeplabv3,output_stride=32", "output stride 32");
    must_not_build("fcn,output_stride=4", "output stride of 4");
    must_not_build("pspnet,pool=100", "multiple of 48");
    must_not_build("pspnet,pool=-1", "multiple of 48");
    must_not_build("deeplabv3,rates=1:2:300", "rate of 300");
    must_not_build("deeplabv3,pool=5000", "5000 pixels");
    must_not_build("unet,groups=8", "norm: group");
    must_not_build("unet,norm=group,groups=5000", "5000 groups");
    must_not_build("fcn,valid=1", "for unet, not for fcn");
    must_not_build("unet,valid=1,encoder=resnet18", "not with resnet18");
    must_not_build("unet,valid=1,norm=group", "exclude each other");
    must_not_build("fcn8s,aux=1", "fcn8s has no auxiliary heads");
    must_not_build("unet,depth=1,aux=1", "no level");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encoders_have_the_published_number_of_parameters),
        cmocka_unit_test(an_output_stride_turns_strides_into_dilations),
        cmocka_unit_test(all_give_full_resolution_and_say_how_far_they_reach),
        cmocka_unit_test(reach_covers_what_brute_force_measures),
        cmocka_unit_test(a_valid_unet_has_the_published_sizes),
        cmocka_unit_test(groups_divide_the_channels),
        cmocka_unit_test(auxiliary_heads_are_where_they_are_published),
        cmocka_unit_test(a_description_sets_what_it_names),
        cmocka_unit_test(what_is_not_understood_is_named),
        cmocka_unit_test(what_cannot_be_built_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
