/* Attributes, shapes and labels that make no sense are refused with a line naming the node. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "op/harness.h"

/* A sound 3x3 window with one field made wrong. */
typedef struct {
    const char *says; /* part of the message */
    sg_op op;
    size_t field; /* offset of an int32_t in sg_window_attr */
    int32_t value;
} wrong_window;

#define FIELD(name) offsetof(sg_window_attr, name)

static const wrong_window wrong_windows[] = {
    {"kernel height", SG_OP_conv, FIELD(kernel_h), 0},
    {"kernel width", SG_OP_conv, FIELD(kernel_w), 5000},
    {"vertical stride", SG_OP_conv, FIELD(stride_h), 0},
    {"horizontal dilation", SG_OP_conv, FIELD(dilation_w), -1},
    {"left padding", SG_OP_conv, FIELD(pad.left), -1},
    {"output channels", SG_OP_conv, FIELD(out_channels), 0},
    {"groups", SG_OP_conv, FIELD(groups), 0},
    {"do not divide", SG_OP_conv, FIELD(groups), 3},
    {"bias", SG_OP_conv, FIELD(bias), 2},
    {"smaller than its", SG_OP_conv, FIELD(dilation_h), 3},
    {"top padding", SG_OP_avg_pool, FIELD(pad.top), 3},
    {"vertical dilation", SG_OP_avg_pool, FIELD(dilation_h), 2},
    {"kernel area", SG_OP_max_pool, FIELD(kernel_h), 86},
    {"groups", SG_OP_conv_transpose, FIELD(groups), 2},
    {"output padding", SG_OP_conv_transpose, FIELD(out_pad_h), 1},
    {"nothing is left", SG_OP_conv_transpose, FIELD(pad.top), 8},
};

typedef struct {
    const char *says;
    op_case row;
} refusal;

static const refusal refusals[] = {
    {"activation", {.op = SG_OP_concat, .inputs = 2, .in = {{1, 2, 2, 2}, {1, 2, 2, 2}}, .act = 1}},
    {"activation", {.op = SG_OP_add, .inputs = 2, .in = {{1, 2, 2, 2}, {1, 2, 2, 2}}, .act = 99}},
    {"which activation", {.op = SG_OP_activation, .inputs = 1, .in = {{1, 2, 2, 2}}}},
    {"epsilon", {.op = SG_OP_batch_norm, .inputs = 1, .in = {{1, 2, 2, 2}}}},
    {"momentum",
     {.op = SG_OP_batch_norm, .inputs = 1, .in = {{1, 2, 2, 2}}, .attr.norm = {1e-5f, 1.5f}}},
    {"epsilon",
     {.op = SG_OP_group_norm, .inputs = 1, .in = {{1, 2, 2, 2}}, .attr.group_norm = {0, 1}}},
    {"groups",
     {.op = SG_OP_group_norm, .inputs = 1, .in = {{1, 2, 2, 2}}, .attr.group_norm = {1e-5f, 0}}},
    {"cannot be cut into 4 groups",
     {.op = SG_OP_group_norm, .inputs = 1, .in = {{1, 2, 2, 6}}, .attr.group_norm = {1e-5f, 4}}},
    {"a cut", {.op = SG_OP_crop, .inputs = 1, .in = {{1, 4, 4, 2}}, .attr.crop.cut.left = -1}},
    {"padding", {.op = SG_OP_crop, .inputs = 1, .in = {{1, 4, 4, 2}}, .attr.crop.pad.top = 65537}},
    {"nothing is left",
     {.op = SG_OP_crop, .inputs = 1, .in = {{1, 4, 4, 2}}, .attr.crop.cut = {2, 2, 0, 0}}},
    {"dropout rate",
     {.op = SG_OP_dropout, .inputs = 1, .in = {{1, 2, 2, 2}}, .attr.dropout.rate = 1}},
    {"kind of pooling",
     {.op = SG_OP_global_pool, .inputs = 1, .in = {{1, 2, 2, 2}}, .attr.global.kind = 7}},
    {"must be equal", {.op = SG_OP_add, .inputs = 2, .in = {{1, 2, 2, 2}, {1, 2, 2, 3}}}},
    {"must be equal", {.op = SG_OP_concat, .inputs = 2, .in = {{1, 2, 2, 2}, {1, 2, 3, 2}}}},
    {"either two scales", {.op = SG_OP_resize, .inputs = 1, .in = {{1, 2, 2, 2}}}},
    {"vertical scale",
     {.op = SG_OP_resize, .inputs = 1, .in = {{1, 2, 2, 2}}, .attr.resize = {0, -2, 2}}},
    {"samples", {.op = SG_OP_resize, .inputs = 2, .in = {{1, 2, 2, 2}, {2, 2, 3, 2}}}},
    {"classes", {.op = SG_OP_softmax_loss, .inputs = 1, .in = {{1, 2, 2, 256}}}},
    {"a weight of 0", {.op = SG_OP_softmax_loss, .inputs = 1, .in = {{1, 2, 2, 2}}}},
    {"place of the term",
     {.op = SG_OP_softmax_loss, .inputs = 1, .in = {{1, 2, 2, 2}}, .attr.loss.term = 8}},
    {"label smoothing",
     {.op = SG_OP_softmax_loss,
      .inputs = 1,
      .in = {{1, 2, 2, 2}},
      .attr.loss = {.weight = 1, .smoothing = 1}}},
    {"plain cross-entropy only",
     {.op = SG_OP_softmax_loss,
      .inputs = 1,
      .in = {{1, 2, 2, 2}},
      .attr.loss = {.weight = 1, .smoothing = .1f, .gamma = 2}}},
    {"no error costs",
     {.op = SG_OP_region_loss, .inputs = 1, .in = {{1, 2, 2, 2}}, .attr.loss.weight = 1}},
    {"smooth is -1",
     {.op = SG_OP_region_loss,
      .inputs = 1,
      .in = {{1, 2, 2, 2}},
      .attr.loss = {.weight = 1, .alpha = 1, .beta = 1, .smooth = -1}}},
};

static void expect_refused(const op_case *row, const char *says)
{
    op_problem p;
    const char *name = sg_op_name(row->op); /* the node bears it here */
    assert_int_equal(op_problem_create(row, 0, &p), SG_EUSAGE);
    if (!strstr(sg_error_text(), says) || !strstr(sg_error_text(), name))
        fail_msg("expected \"%s\" and \"%s\" in: %s", says, name, sg_error_text());
}

static void wrong_windows_are_refused_by_name(void **state)
{
    static const sg_window_attr sound = {3, 3, 1, 1, 1, 1, {0, 0, 0, 0}, 1, 4, 0, 0, 0, 0};
    for (size_t i = 0; i < sizeof wrong_windows / sizeof *wrong_windows; i++) {
        const wrong_window *w = &wrong_windows[i];
        op_case row = {.op = w->op, .inputs = 1, .in = {{1, 6, 6, 4}}, .attr.window = sound};
        op_problem p;
        assert_int_equal(op_problem_create(&row, 0, &p), SG_OK);
        op_problem_close(&p);
        memcpy((char *)&row.attr.window + w->field, &w->value, sizeof w->value);
        expect_refused(&row, w->says);
    }
}

static void nonsense_is_refused_by_name(void **state)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        expect_refused(&refusals[i].row, refusals[i].says);
}

static void unknown_label_is_refused(void **state)
{
    const op_case row = {.name = "softmax_loss: labels",
                         .op = SG_OP_softmax_loss,
                         .attr.loss.weight = 1,
                         .inputs = 1,
                         .in = {{1, 3, 4, 5}},
                         .labels = OP_LABELS_MIXED};
    for (size_t b = 0; b < op_backend_count(); b++) {
        sg_backend *backend = NULL;
        op_problem p;
        op_result result;
        op_options options = {.training = 1, .write = SG_GRAD_STORE};
        assert_int_equal(op_backend_open(op_backend_names[b], &backend), SG_OK);
        assert_int_equal(op_problem_create(&row, 0, &p), SG_OK);
        p.labels[7] = 5;
        if (backend->host_memory) { /* a GPU cannot say so in the middle of a step */
            assert_int_equal(op_run(backend, &p, &options, &result), SG_EINPUT);
            assert_non_null(strstr(sg_error_text(), "label 5"));
        }
        op_problem_close(&p);
        sg_backend_close(backend);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_windows_are_refused_by_name),
        cmocka_unit_test(nonsense_is_refused_by_name),
        cmocka_unit_test(unknown_label_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
