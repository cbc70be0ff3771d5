/* The U-Net: its names and sizes, its reach, tiles that fit together to the bit, its gradients. */
#include "../nn/brute_reach.h"

#include <math.h>
#include "model/model.h"
#include "nn/fuse.h"

static sg_graph *unet(int32_t bands, int32_t depth, int32_t width)
{
    sg_graph *graph;
    sg_model_options options = sg_model_defaults();
    options.bands = bands;
    options.classes = 3;
    options.depth = depth;
    options.width = width;
    must(sg_model_build(&options, &graph));
    return graph;
}

static void wrong_options_are_named(void **state)
{
    const sg_model_options good = {.net = "unet", .bands = 4, .classes = 3, .depth = 4, .width = 8};
    sg_graph *graph;
    sg_model_options o = good;
    strcpy(o.net, "wnet");
    must_fail(sg_model_build(&o, &graph), SG_EUSAGE, "unet");
    o = good;
    memset(o.net, 'x', sizeof o.net); /* not terminated */
    must_fail(sg_model_build(&o, &graph), SG_EUSAGE, "unet");
    o = good;
    o.bands = 0;
    must_fail(sg_model_build(&o, &graph), SG_EUSAGE, "bands");
    o = good;
    o.classes = 256;
    must_fail(sg_model_build(&o, &graph), SG_EUSAGE, "256 classes");
    o = good;
    o.classes = 1;
    must_fail(sg_model_build(&o, &graph), SG_EUSAGE, "1 classes");
    o = good;
    o.depth = 7;
    must_fail(sg_model_build(&o, &graph), SG_EUSAGE, "depth 7");
    o = good;
    o.width = -1;
    must_fail(sg_model_build(&o, &graph), SG_EUSAGE, "width -1");
    o.width = 1025;
    must_fail(sg_model_build(&o, &graph), SG_EUSAGE, "width 1025");
    o = good;
    o.dropout = 1;
    must_fail(sg_model_build(&o, &graph), SG_EUSAGE, "dropout");
    o.dropout = NAN;
    must_fail(sg_model_build(&o, &graph), SG_EUSAGE, "dropout");
    assert_null(graph);
}

static const sg_param_info *param_named(const sg_graph *graph, const char *name)
{
    for (int32_t i = 0; i < graph->param_count; i++) {
        if (strcmp(graph->param[i].name, name) == 0)
            return &graph->param[i];
    }
    fail_msg("no parameter %s", name);
    return NULL;
}

static void check_dims(const sg_graph *graph, const char *name, int64_t out, int64_t kernel,
                       int64_t in)
{
    const sg_param_info *info = param_named(graph, name);
    assert_int_equal(info->dims, 4);
    assert_int_equal(info->dim[0], out);
    assert_int_equal(info->dim[1], kernel);
    assert_int_equal(info->dim[2], kernel);
    assert_int_equal(info->dim[3], in);
}

static void layers_have_the_documented_names_and_sizes(void **state)
{
    sg_graph *graph = unet(4, 4, 16);
    check_dims(graph, "encoder0.conv1.weight", 16, 3, 4);
    check_dims(graph, "encoder0.conv2.weight", 16, 3, 16);
    check_dims(graph, "encoder3.conv1.weight", 128, 3, 64);
    check_dims(graph, "encoder4.conv1.weight", 256, 3, 128);
    check_dims(graph, "up3.weight", 128, 2, 256);
    check_dims(graph, "decoder3.conv1.weight", 128, 3, 256);
    check_dims(graph, "decoder0.conv1.weight", 16, 3, 32);
    check_dims(graph, "head.weight", 3, 1, 16);
    assert_int_equal(param_named(graph, "head.bias")->count, 3);
    assert_int_equal(param_named(graph, "up0.bias")->count, 16);
    assert_int_equal(param_named(graph, "decoder2.bn2.variance")->count, 64);
    assert_int_equal(graph->node[graph->nodes - 1].out_f32, 1);
    assert_int_equal(sg_graph_output_channels(graph), 3);
    sg_graph_close(graph);
    /* The usual count of a U-Net of width 64 with 3 bands and 2 classes, and batch norm. */
    sg_model_options options = {.net = "unet", .bands = 3, .classes = 2, .width = 64};
    must(sg_model_build(&options, &graph));
    assert_int_equal(sg_graph_trainable_count(graph), 31037698);
    sg_graph_close(graph);
}

/* The skip stands behind the upsampled tensor. */
static void skips_come_second(void **state)
{
    sg_graph *graph = unet(1, 2, 4);
    int seen = 0;
    for (int32_t n = 0; n < graph->nodes; n++) {
        const sg_node *node = &graph->node[n];
        if (node->op != SG_OP_concat)
            continue;
        const sg_node *first = &graph->node[graph->tensor[node->input[0]].maker];
        const sg_node *second = &graph->node[graph->tensor[node->input[1]].maker];
        assert_int_equal(first->op, SG_OP_conv_transpose);
        assert_memory_equal(second->name, "encoder", 7);
        assert_int_equal(second->name[7], node->name[6]); /* the same level */
        seen++;
    }
    assert_int_equal(seen, 2);
    sg_graph_close(graph);
}

static void dropout_stands_before_the_head(void **state)
{
    sg_graph *graph, *folded;
    sg_params *params, *folded_params;
    sg_model_options options = {
        .net = "unet", .bands = 3, .classes = 2, .depth = 2, .width = 4, .dropout = .5f};
    must(sg_model_build(&options, &graph));
    const sg_node *head = &graph->node[graph->nodes - 1];
    const sg_node *before = &graph->node[graph->tensor[head->input[0]].maker];
    assert_int_equal(before->op, SG_OP_dropout);
    assert_true(before->attr.dropout.rate == .5f);
    must(sg_params_create(graph, &params));
    must(sg_params_init(graph, params, 1));
    must(sg_graph_fold(graph, params, &folded, &folded_params));
    for (int32_t n = 0; n < folded->nodes; n++) {
        sg_op op = folded->node[n].op;
        assert_true(op != SG_OP_dropout && op != SG_OP_batch_norm && op != SG_OP_activation);
    }
    sg_params_close(params);
    sg_params_close(folded_params);
    sg_graph_close(graph);
    sg_graph_close(folded);
}

static void reach_of_each_depth(void **state)
{
    static const int64_t radius[] = {0, 8, 22, 46, 94};
    for (int32_t depth = 1; depth <= 4; depth++) {
        sg_graph *graph = unet(2, depth, 1);
        sg_network_reach reach;
        must(sg_graph_reach(graph, &reach));
        assert_int_equal(reach.unbounded, 0);
        assert_int_equal(reach.stride, 1 << depth);
        assert_int_equal(reach.radius, radius[depth]);
        assert_int_equal(reach.halo, depth == 1 ? 8 : reach.radius + 2);
        assert_int_equal(reach.output_step, 1);
        sg_graph_close(graph);
    }
}

/* By brute force; along one axis, the layers being square. */
static void reach_is_what_brute_force_measures(void **state)
{
    for (int32_t depth = 3; depth <= 4; depth++) {
        sg_graph *graph = unet(1, depth, 1);
        sg_network_reach reach;
        must(sg_graph_reach(graph, &reach));
        int64_t length = 2 * reach.halo + 2 * reach.stride;
        assert_int_equal(measure_reach(graph, 1, length, &reach), reach.radius);
        sg_graph_close(graph);
    }
}

/* The classes of a window of the scene, from a tile cut with `halo` around it where there is scene.
 */
typedef struct {
    int64_t top, left, height, width;
} rect;

static void predict(const sg_graph *graph, sg_params *params, const float *scene, sg_shape whole,
                    rect tile, rect core, float *logits)
{
    sg_shape shape = {1, tile.height, tile.width, whole.c};
    runner r = runner_open(graph, params, shape, SG_PLAN_INFERENCE);
    size_t row = (size_t)(tile.width * whole.c);
    for (int64_t y = 0; y < tile.height; y++)
        memcpy(r.input + (size_t)y * row, scene + ((tile.top + y) * whole.w + tile.left) * whole.c,
               row * sizeof(float));
    runner_forward(&r, NULL, NULL);
    size_t classes = 3, kept = (size_t)core.width * classes;
    for (int64_t y = core.top; y < core.top + core.height; y++)
        memcpy(logits + (size_t)(y * whole.w + core.left) * classes,
               r.output + (size_t)((y - tile.top) * tile.width + core.left - tile.left) * classes,
               kept * sizeof(float));
    runner_close(&r);
}

static rect grow(rect core, int64_t halo, sg_shape whole)
{
    int64_t top = sg_max64(0, core.top - halo), left = sg_max64(0, core.left - halo);
    int64_t bottom = sg_min64(whole.h, core.top + core.height + halo);
    int64_t right = sg_min64(whole.w, core.left + core.width + halo);
    return (rect){top, left, bottom - top, right - left};
}

static void predict_in_tiles(const sg_graph *graph, sg_params *params, const float *scene,
                             sg_shape whole, int64_t size, int64_t halo, float *logits)
{
    for (int64_t y = 0; y < whole.h; y += size) {
        for (int64_t x = 0; x < whole.w; x += size) {
            rect core = {y, x, sg_min64(size, whole.h - y), sg_min64(size, whole.w - x)};
            predict(graph, params, scene, whole, grow(core, halo, whole), core, logits);
        }
    }
}

/* Tiles with the halo give the bits of the whole; with one stride less they do not. */
static void tiles_fit_together_to_the_bit(void **state)
{
    sg_graph *graph = unet(2, 3, 2);
    sg_params *params;
    sg_network_reach reach;
    sg_shape whole = {1, 40, 128, 2};
    rect all = {0, 0, whole.h, whole.w};
    size_t pixels = (size_t)(whole.h * whole.w), bytes = pixels * 3 * sizeof(float);
    float *scene = malloc(pixels * 2 * sizeof(float)), *once = malloc(bytes),
          *tiled = malloc(bytes);
    must(sg_graph_reach(graph, &reach));
    must(sg_params_create(graph, &params));
    fill_params(graph, params, 21);
    fill_noise(scene, pixels * 2, 22, -1, 1);
    predict(graph, params, scene, whole, all, all, once);
    static const int64_t sizes[] = {16, 40, 64};
    for (int i = 0; i < 3; i++) {
        memset(tiled, 0, bytes);
        predict_in_tiles(graph, params, scene, whole, sizes[i], reach.halo, tiled);
        assert_memory_equal(once, tiled, bytes);
    }
    predict_in_tiles(graph, params, scene, whole, 16, reach.halo - reach.stride, tiled);
    assert_memory_not_equal(once, tiled, bytes);
    free(scene);
    free(once);
    free(tiled);
    sg_params_close(params);
    sg_graph_close(graph);
}

/* The plan of the default network: what it takes is what lives at once, and no more. */
static void the_default_plan_is_tight(void **state)
{
    sg_graph *graph = unet(4, 4, 64), *with;
    sg_plan *plan;
    sg_shape input = {1, 512, 512, 4};
    size_t layer = 512 * 512 * 64 * sizeof(float); /* one tensor at full resolution */
    must(sg_graph_with_loss(graph, &with));
    must(sg_plan_create(graph, input, SG_F32, SG_PLAN_INFERENCE, &plan));
    must(sg_plan_check(plan));
    /* The last concat (two layers), the first skip and the upsampled tensor. */
    assert_int_equal(plan->arena_bytes, 4 * layer);
    assert_true(plan->flops > 3.8e11 && plan->flops < 3.9e11);
    sg_plan_close(plan);
    must(sg_plan_create(graph, input, SG_BF16, SG_PLAN_INFERENCE, &plan));
    assert_int_equal(plan->arena_bytes, 2 * layer);
    sg_plan_close(plan);
    must(sg_plan_create(with, input, SG_F32, SG_PLAN_TRAINING, &plan));
    must(sg_plan_check(plan));
    assert_true(plan->arena_bytes < 24 * layer);
    sg_plan_close(plan);
    input.h = 500;
    must_fail(sg_plan_create(with, input, SG_F32, SG_PLAN_TRAINING, &plan), SG_EUSAGE, "concat2");
    sg_graph_close(graph);
    sg_graph_close(with);
}

/* Moving all parameters a little along the gradient changes the loss by its squared length. */
static void the_gradient_is_the_slope_of_the_loss(void **state)
{
    sg_graph *graph = unet(2, 2, 4), *with, *fused;
    sg_params *params;
    must(sg_graph_with_loss(graph, &with));
    must(sg_graph_fuse(with, &fused));
    must(sg_params_create(fused, &params));
    must(sg_params_init(fused, params, 5));
    runner r = runner_open(fused, params, (sg_shape){2, 16, 16, 2}, SG_PLAN_TRAINING);
    uint8_t labels[2 * 16 * 16];
    for (size_t i = 0; i < sizeof labels; i++)
        labels[i] = (uint8_t)(3 * noise(6, i));
    fill_noise(r.input, r.inputs, 7, -1, 1);
    sg_run run = {.loss_scale = 1.0f / sizeof labels};
    must(sg_exec_forward(r.exec, r.input, labels, &run));
    must(sg_exec_backward(r.exec, &run, NULL, NULL));
    size_t count = params->layout->trainable_count;
    float *gradient = malloc(count * sizeof *gradient), *kept = malloc(count * sizeof *kept);
    memcpy(gradient, r.weights->gradient, count * sizeof *gradient);
    memcpy(kept, params->trainable, count * sizeof *kept);
    double square = 0, side[2], step = 1e-3;
    for (size_t i = 0; i < count; i++)
        square += (double)gradient[i] * (double)gradient[i];
    for (int s = 0; s < 2; s++) {
        for (size_t i = 0; i < count; i++)
            params->trainable[i] = kept[i] + (float)((s ? step : -step) * (double)gradient[i]);
        sg_weights_changed(r.weights);
        must(sg_exec_forward(r.exec, r.input, labels, &run));
        side[s] = run.loss_sum / (double)sizeof labels;
    }
    /* 2 %: the kinks of some thousand ReLUs and maxima */
    assert_true(square > 1e-3);
    assert_true(fabs((side[1] - side[0]) / (2 * step) / square - 1) < .02);
    free(gradient);
    free(kept);
    runner_close(&r);
    sg_params_close(params);
    sg_graph_close(graph);
    sg_graph_close(with);
    sg_graph_close(fused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_options_are_named),
        cmocka_unit_test(layers_have_the_documented_names_and_sizes),
        cmocka_unit_test(skips_come_second),
        cmocka_unit_test(dropout_stands_before_the_head),
        cmocka_unit_test(reach_of_each_depth),
        cmocka_unit_test(reach_is_what_brute_force_measures),
        cmocka_unit_test(tiles_fit_together_to_the_bit),
        cmocka_unit_test(the_default_plan_is_tight),
        cmocka_unit_test(the_gradient_is_the_slope_of_the_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
