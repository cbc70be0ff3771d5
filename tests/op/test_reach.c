/*
 * The reach that an operator states, against what its outputs do when one input pixel changes. Too
 * small a reach would break exact tiling. Prediction mode, on the reference.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "base/size.h"
#include "op/harness.h"

static void expect_ok(sg_err err)
{
    if (err)
        fail_msg("%s", sg_error_text());
}

static int64_t input_anchor(const sg_reach *reach, int64_t o)
{
    return o * reach->stride / reach->up;
}

static bool reads(const sg_reach *reach, int64_t o, int64_t i)
{
    int64_t distance = i - input_anchor(reach, o);
    return reach->unbounded || (distance >= reach->lo && distance <= reach->hi);
}

static void expect_within(const op_problem *p, const sg_reach reach[2], const op_result *before,
                          const op_result *after, int64_t n, int64_t row, int64_t column)
{
    sg_shape out = p->out;
    for (size_t i = 0; i < sg_shape_count(out); i++) {
        int64_t pixel = (int64_t)i / out.c;
        int64_t x = pixel % out.w, y = pixel / out.w % out.h;
        if (before->out[i] == after->out[i])
            continue;
        assert_int_equal(pixel / out.w / out.h, n); /* never another sample */
        if (!reads(&reach[0], y, row) || !reads(&reach[1], x, column))
            fail_msg("output (%lld, %lld) reads input (%lld, %lld), out of its stated reach",
                     (long long)y, (long long)x, (long long)row, (long long)column);
    }
}

static void check_input(sg_backend *reference, op_problem *p, const sg_reach reach[2], int k)
{
    op_options options = {.type = SG_F32};
    op_result before = {0}, after = {0};
    sg_shape in = p->in[k];
    options.forward_only = 1;
    expect_ok(op_run(reference, p, &options, &before));
    for (int64_t pixel = 0; pixel < in.n * in.h * in.w; pixel++) {
        float *values = p->value[k] + pixel * in.c, kept[64];
        size_t bytes = (size_t)in.c * sizeof *values;
        assert_true(bytes <= sizeof kept);
        memcpy(kept, values, bytes);
        for (int64_t c = 0; c < in.c; c++)
            values[c] = 1e6f + (float)c; /* the largest: seen by max pooling too */
        expect_ok(op_run(reference, p, &options, &after));
        expect_within(p, reach, &before, &after, pixel / in.w / in.h, pixel / in.w % in.h,
                      pixel % in.w);
        op_result_close(&after);
        memcpy(values, kept, bytes);
    }
    op_result_close(&before);
}

static void reach_holds(void **state)
{
    const op_case *row = *state;
    op_problem p;
    sg_backend *reference = NULL;
    sg_reach reach[2] = {0};
    if (row->labels != OP_LABELS_NONE)
        skip(); /* a sum over all pixels by its nature */
    expect_ok(sg_reference_open(&reference));
    expect_ok(op_problem_create(row, 0, &p));
    for (int axis = 0; axis < 2; axis++) {
        sg_op_definition(row->op)->reach(&p.node, axis, &reach[axis]);
        assert_true(reach[axis].unbounded || reach[axis].up == 1 || reach[axis].stride == 1);
    }
    if (row->inputs > 0)
        check_input(reference, &p, reach, 0);
    if (row->op == SG_OP_conv) /* what is added to its result is read pixel by pixel */
        reach[0] = reach[1] = (sg_reach){.up = 1, .stride = 1};
    for (int k = 1; k < row->inputs; k++)
        check_input(reference, &p, reach, k);
    op_problem_close(&p);
    sg_backend_close(reference);
}

static sg_reach reach_of(sg_op op, const sg_attr *attr)
{
    sg_node node = {.op = op, .attr = *attr, .name = "node"};
    sg_reach reach;
    sg_op_definition(op)->reach(&node, 0, &reach);
    return reach;
}

static void expect_reach(sg_reach r, int64_t up, int64_t stride, int64_t lo, int64_t hi)
{
    assert_false(r.unbounded);
    assert_int_equal(r.up, up);
    assert_int_equal(r.stride, stride);
    assert_int_equal(r.lo, lo);
    assert_int_equal(r.hi, hi);
}

/* Known values: a reach that is safe but wide would cost halo. */
static void reach_is_no_wider_than_needed(void **state)
{
    sg_attr a = {.window = {.kernel_h = 3, .stride_h = 1, .dilation_h = 1, .pad = {1, 1, 1, 1}}};
    expect_reach(reach_of(SG_OP_conv, &a), 1, 1, -1, 1);
    a.window.dilation_h = 6;
    a.window.pad.top = 6;
    expect_reach(reach_of(SG_OP_conv, &a), 1, 1, -6, 6);
    a = (sg_attr){.window = {.kernel_h = 3, .stride_h = 2, .dilation_h = 1, .pad = {0, 1, 0, 1}}};
    expect_reach(reach_of(SG_OP_conv, &a), 1, 2, 0, 2);
    a = (sg_attr){.window = {.kernel_h = 2, .stride_h = 2, .dilation_h = 1}};
    expect_reach(reach_of(SG_OP_max_pool, &a), 1, 2, 0, 1);
    expect_reach(reach_of(SG_OP_conv_transpose, &a), 2, 1, 0, 0);
    a = (sg_attr){.window = {.kernel_h = 4, .stride_h = 2, .dilation_h = 1, .pad = {1, 1, 1, 1}}};
    expect_reach(reach_of(SG_OP_conv_transpose, &a), 2, 1, -1, 1);
    a = (sg_attr){.resize = {0, 2, 2}};
    expect_reach(reach_of(SG_OP_resize, &a), 2, 1, -1, 1);
    a = (sg_attr){.resize = {1, 2, 2}};
    assert_true(reach_of(SG_OP_resize, &a).unbounded);
    a = (sg_attr){.crop = {.cut = {3, 9, 9, 9}, .pad = {1, 9, 9, 9}}};
    expect_reach(reach_of(SG_OP_crop, &a), 1, 1, 2, 2);
    a = (sg_attr){.group_norm = {1e-5f, 1}};
    assert_true(reach_of(SG_OP_group_norm, &a).unbounded);
    a = (sg_attr){.global = {SG_POOL_MEAN}};
    assert_true(reach_of(SG_OP_global_pool, &a).unbounded);
}

int main(void)
{
    struct CMUnitTest *tests = NULL;
    if (sg_calloc(op_case_count + 1, sizeof *tests, &tests))
        return 1;
    for (size_t i = 0; i < op_case_count; i++)
        tests[i] =
            (struct CMUnitTest){op_cases[i].name, reach_holds, NULL, NULL, (void *)&op_cases[i]};
    tests[op_case_count] = (struct CMUnitTest)cmocka_unit_test(reach_is_no_wider_than_needed);
    int failed = _cmocka_run_group_tests("reach", tests, op_case_count + 1, NULL, NULL);
    sg_free(tests);
    return failed != 0;
}
