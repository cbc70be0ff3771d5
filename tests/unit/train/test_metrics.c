/* Metrics, held against values worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "train/metrics.h"

#define assert_near(a, b) assert_true(fabs((a) - (b)) < 1e-12)

static const sg_class_table three = {
    .count = 3,
    .item = {{"built \"up\"", 1, {0}}, {"water", 2, {0}}, {"never", 3, {0}}},
};

/* Truth 0: 50 right, 10 as 1. Truth 1: 5 as 0, 35 right. Class 2 is absent. */
static void fill(sg_confusion *confusion)
{
    assert_int_equal(sg_confusion_create(confusion, 3), SG_OK);
    confusion->count[0] = 50;
    confusion->count[1] = 10;
    confusion->count[3] = 5;
    confusion->count[4] = 35;
}

static void scores_are_those_of_the_textbook(void **state)
{
    sg_confusion confusion;
    sg_scores s;
    fill(&confusion);
    sg_confusion_scores(&confusion, &s);
    assert_int_equal(s.pixels, 100);
    assert_near(s.iou[0], 50.0 / 65);
    assert_near(s.iou[1], 35.0 / 50);
    assert_true(isnan(s.iou[2]) && isnan(s.precision[2]) && isnan(s.recall[2]) && isnan(s.f1[2]));
    assert_near(s.miou, (50.0 / 65 + 0.7) / 2);
    assert_near(s.precision[0], 50.0 / 55);
    assert_near(s.recall[0], 50.0 / 60);
    assert_near(s.f1[0], 100.0 / 115);
    assert_near(s.accuracy, 0.85);
    /* chance: (60 * 55 + 40 * 45) / 100^2 = .51 */
    assert_near(s.kappa, (0.85 - 0.51) / 0.49);
    sg_confusion_close(&confusion);
}

static void a_class_never_predicted_counts_as_zero(void **state)
{
    sg_confusion confusion;
    sg_scores s;
    fill(&confusion);
    confusion.count[6] = 20; /* truth 2, predicted 0 */
    sg_confusion_scores(&confusion, &s);
    assert_true(s.iou[2] == 0 && s.recall[2] == 0 && s.f1[2] == 0);
    assert_true(isnan(s.precision[2]));
    assert_near(s.miou, (50.0 / 85 + 0.7 + 0) / 3);
    sg_confusion_close(&confusion);
}

static void pixels_without_class_are_left_out(void **state)
{
    const uint8_t truth[] = {0, 1, SG_NO_CLASS, 1, 0};
    const uint8_t prediction[] = {0, 0, 1, SG_NO_CLASS, 0};
    sg_confusion confusion;
    assert_int_equal(sg_confusion_create(&confusion, 2), SG_OK);
    sg_confusion_add(&confusion, truth, prediction, 5);
    const int64_t expected[4] = {2, 0, 1, 0};
    assert_memory_equal(confusion.count, expected, sizeof expected);
    sg_confusion_clear(&confusion);
    const int64_t zero[4] = {0};
    assert_memory_equal(confusion.count, zero, sizeof zero);
    sg_confusion_close(&confusion);
}

static void nothing_counted_is_not_a_number(void **state)
{
    sg_confusion confusion;
    sg_scores s;
    assert_int_equal(sg_confusion_create(&confusion, 2), SG_OK);
    sg_confusion_scores(&confusion, &s);
    assert_true(isnan(s.miou) && isnan(s.accuracy) && isnan(s.kappa) && s.pixels == 0);
    sg_confusion_close(&confusion);
}

static void json_has_nulls_and_the_matrix(void **state)
{
    sg_confusion confusion;
    sg_text text = {0};
    fill(&confusion);
    assert_int_equal(sg_scores_json(&confusion, &three, &text), SG_OK);
    assert_non_null(strstr(text.data, "\"name\": \"built \\\"up\\\"\", \"value\": 1"));
    assert_non_null(strstr(text.data, "\"name\": \"never\", \"value\": 3, \"iou\": null"));
    assert_non_null(strstr(text.data, "\"confusion\": [[50, 10, 0], [5, 35, 0], [0, 0, 0]]"));
    assert_non_null(strstr(text.data, "\"accuracy\": 0.85,"));
    assert_null(strstr(text.data, "nan"));
    sg_text_clear(&text);
    sg_confusion_close(&confusion);
}

static void the_table_has_a_line_per_class(void **state)
{
    sg_confusion confusion;
    sg_text text = {0};
    int lines = 0;
    fill(&confusion);
    assert_int_equal(sg_scores_table(&confusion, &three, &text), SG_OK);
    for (const char *p = text.data; *p; p++)
        lines += *p == '\n';
    assert_int_equal(lines, 5);
    assert_non_null(strstr(text.data, "mIoU 0.7346"));
    sg_text_clear(&text);
    sg_confusion_close(&confusion);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_those_of_the_textbook),
        cmocka_unit_test(a_class_never_predicted_counts_as_zero),
        cmocka_unit_test(pixels_without_class_are_left_out),
        cmocka_unit_test(nothing_counted_is_not_a_number),
        cmocka_unit_test(json_has_nulls_and_the_matrix),
        cmocka_unit_test(the_table_has_a_line_per_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
