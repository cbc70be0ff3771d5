/* The reach computed from the graph, against brute force. */
#include "brute_reach.h"

/* The measured distance is exactly `radius` along the wider axis, and never more. */
static void check_reach(sg_graph *graph, int64_t stride, int64_t output_step)
{
    sg_network_reach reach;
    must(sg_graph_reach(graph, &reach));
    assert_int_equal(reach.unbounded, 0);
    assert_int_equal(reach.stride, stride);
    assert_int_equal(reach.output_step, output_step);
    assert_true(reach.halo >= reach.radius && reach.halo < reach.radius + stride);
    assert_int_equal(reach.halo % stride, 0);
    int64_t length = 2 * reach.halo + 2 * stride;
    int64_t down = measure_reach(graph, 0, length, &reach),
            right = measure_reach(graph, 1, length, &reach);
    assert_int_equal(sg_max64(down, right), reach.radius);
    sg_graph_close(graph);
}

static sg_graph *dilated(void)
{
    int32_t in, t;
    sg_graph *g = net_new(1, &in);
    sg_attr attr = {.window = {3, 5, 1, 1, 2, 3, {2, 2, 6, 6}, 1, 2}};
    must(sg_graph_add(g, SG_OP_conv, "wide", &attr, &in, 1, &t));
    return net_done(g, net_join(g, SG_OP_concat, "join", t, in));
}

/* Reads further to one side than to the other, at half the resolution and at the full one. */
static sg_graph *lopsided(sg_pad pad)
{
    int32_t in, t;
    sg_graph *g = net_new(1, &in);
    sg_attr attr = {.window = {4, 4, 1, 1, 1, 1, pad, 1, 2}};
    t = net_window(g, SG_OP_max_pool, "pool", in, 2, 0);
    must(sg_graph_add(g, SG_OP_conv, "coarse", &attr, &t, 1, &t));
    t = net_window(g, SG_OP_conv_transpose, "up", t, 2, 2);
    must(sg_graph_add(g, SG_OP_conv, "fine", &attr, &t, 1, &t));
    return net_done(g, t);
}

/* Stride 6, by 2 and 3, and back. */
static sg_graph *mixed_strides(void)
{
    int32_t in, t;
    sg_graph *g = net_new(1, &in);
    t = net_conv(g, "a", in, 2, 3, 0);
    t = net_window(g, SG_OP_max_pool, "pool2", t, 2, 0);
    t = net_conv(g, "b", t, 2, 3, 0);
    t = net_window(g, SG_OP_avg_pool, "pool3", t, 3, 0);
    t = net_conv(g, "c", t, 2, 3, 0);
    t = net_window(g, SG_OP_conv_transpose, "up2", t, 2, 2);
    t = net_conv(g, "d", t, 2, 3, 0);
    t = net_window(g, SG_OP_conv_transpose, "up3", t, 3, 2);
    return net_done(g, net_join(g, SG_OP_concat, "join", t, in));
}

/* A transposed convolution whose windows overlap (kernel 4, stride 2, cropping 1). */
static sg_graph *overlapping(void)
{
    int32_t in, t;
    sg_graph *g = net_new(1, &in);
    t = net_window(g, SG_OP_max_pool, "pool", in, 2, 0);
    sg_attr attr = {.window = {4, 4, 2, 2, 1, 1, {1, 1, 1, 1}, 1, 2}};
    must(sg_graph_add(g, SG_OP_conv_transpose, "up", &attr, &(int32_t){t}, 1, &t));
    return net_done(g, t);
}

/* Bilinear upsampling, by a factor and to the size of the input. */
static sg_graph *resized(void)
{
    int32_t in, t;
    sg_graph *g = net_new(1, &in);
    must(sg_graph_conv(g, "down", in, 2, 3, 2, 1, 0, &t));
    t = net_window(g, SG_OP_avg_pool, "pool", t, 2, 0);
    t = net_resize(g, "up", t, 2, -1);
    return net_done(g, net_resize(g, "same", t, 0, in));
}

/* Coarser than the input: four input pixels make one output pixel. */
static sg_graph *coarse(void)
{
    int32_t in, t;
    sg_graph *g = net_new(1, &in);
    must(sg_graph_conv(g, "a", in, 2, 3, 2, 1, 0, &t));
    must(sg_graph_conv(g, "b", t, 2, 3, 2, 1, 0, &t));
    return net_done(g, t);
}

static void reach_is_what_brute_force_measures(void **state)
{
    check_reach(net_plain(), 1, 1);
    check_reach(net_unet(), 2, 1);
    check_reach(net_residual(), 1, 1);
    check_reach(dilated(), 1, 1);
    check_reach(lopsided((sg_pad){3, 0, 3, 0}), 2, 1);
    check_reach(lopsided((sg_pad){0, 3, 0, 3}), 2, 1);
    check_reach(lopsided((sg_pad){3, 0, 1, 2}), 2, 1);
    check_reach(mixed_strides(), 6, 1);
    check_reach(coarse(), 4, 4);
}

static void overlapping_windows_are_covered(void **state)
{
    check_reach(overlapping(), 2, 1);
}

static void resizing_is_covered(void **state)
{
    sg_graph *graph = resized();
    sg_network_reach reach;
    must(sg_graph_reach(graph, &reach));
    assert_int_equal(reach.stride, 4);
    int64_t length = 2 * reach.halo + 2 * reach.stride;
    int64_t most =
        sg_max64(measure_reach(graph, 0, length, &reach), measure_reach(graph, 1, length, &reach));
    /* One source pixel more is allowed for, whichever half of a pixel the centre falls in. */
    assert_true(most <= reach.radius && most + 2 * reach.stride >= reach.radius);
    sg_graph_close(graph);
}

static void what_reads_everything_is_unbounded(void **state)
{
    sg_graph *graph = net_pyramid();
    sg_network_reach reach;
    must(sg_graph_reach(graph, &reach));
    assert_int_equal(reach.unbounded, 1);
    assert_int_equal(reach.stride, 4);
    assert_int_equal(reach.output_step, 1);
    sg_graph_close(graph);
    int32_t in, t;
    graph = net_new(1, &in);
    sg_attr attr = {.resize = {.align_corners = 1, .scale_h = 2, .scale_w = 2}};
    t = net_window(graph, SG_OP_max_pool, "pool", in, 2, 0);
    must(sg_graph_add(graph, SG_OP_resize, "up", &attr, &t, 1, &t));
    net_done(graph, t);
    must(sg_graph_reach(graph, &reach));
    assert_int_equal(reach.unbounded, 1);
    sg_graph_close(graph);
}

static void the_loss_is_left_out(void **state)
{
    sg_graph *graph = net_unet(), *with;
    sg_network_reach bare, lossy;
    must(sg_graph_with_loss(graph, &with));
    must(sg_graph_reach(graph, &bare));
    must(sg_graph_reach(with, &lossy));
    assert_int_equal(bare.stride, lossy.stride);
    assert_int_equal(bare.radius, lossy.radius);
    assert_int_equal(bare.halo, lossy.halo);
    assert_int_equal(bare.output_step, lossy.output_step);
    sg_graph_close(graph);
    sg_graph_close(with);
}

static void strides_that_do_not_meet_are_refused(void **state)
{
    int32_t in, t;
    sg_network_reach reach;
    sg_graph *g = net_new(1, &in);
    t = net_window(g, SG_OP_max_pool, "pool", in, 2, 0);
    net_done(g, net_join(g, SG_OP_concat, "both", t, in));
    must_fail(sg_graph_reach(g, &reach), SG_EUSAGE, "both");
    sg_graph_close(g);
    g = net_new(1, &in);
    net_done(g, net_window(g, SG_OP_conv_transpose, "up", in, 2, 2));
    must_fail(sg_graph_reach(g, &reach), SG_EUNSUPPORTED, "more pixels");
    sg_graph_close(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reach_is_what_brute_force_measures),
        cmocka_unit_test(overlapping_windows_are_covered),
        cmocka_unit_test(resizing_is_covered),
        cmocka_unit_test(what_reads_everything_is_unbounded),
        cmocka_unit_test(the_loss_is_left_out),
        cmocka_unit_test(strides_that_do_not_meet_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
