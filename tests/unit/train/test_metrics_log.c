/* metrics.csv and metrics.jsonl: what a row looks like, and what a resumed run keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "support/tempdir.h"

#include <math.h>

#include "base/file.h"
#include "base/size.h"
#include "train/metrics_log.h"

static const sg_class_table two = {.count = 2, .item = {{"a,\"b\"", 1, {0}}, {"c", 2, {0}}}};

static void add_rows(sg_metrics_log *log, int64_t first, int64_t last)
{
    const sg_scores scores = {.miou = .5, .iou = {.25, NAN}};
    for (int64_t step = first; step <= last; step++) {
        const sg_metrics_row row = {.step = step,
                                    .epoch = 1,
                                    .rate = 0.1,
                                    .loss = 1.0 / 3,
                                    .norm = 2,
                                    .megapixels_per_s = 1.5,
                                    .validation = step == 2 ? &scores : NULL};
        assert_int_equal(sg_metrics_log_add(log, &row), SG_OK);
    }
}

static char *read_all(void **state, const char *name)
{
    char path[TEMPDIR_PATH], *text = NULL;
    assert_int_equal(sg_file_read_text(tempdir_path(state, name, path), &text), SG_OK);
    return text;
}

static void rows_hold_exact_losses_and_validation(void **state)
{
    sg_metrics_log log;
    assert_int_equal(sg_metrics_log_open(&log, *state, &two, NULL, false, 0), SG_OK);
    add_rows(&log, 1, 2);
    char *csv = read_all(state, "metrics.csv"), *json = read_all(state, "metrics.jsonl");
    assert_string_equal(csv, "step,epoch,lr,loss,grad_norm,mpx_per_s,val_miou,val_mean_f1,"
                             "val_accuracy,val_kappa,\"val_iou_a,\"\"b\"\"\",\"val_iou_c\"\n"
                             "1,1,0.1,0.33333333333333331,2,1.5,,,,,,\n"
                             "2,1,0.1,0.33333333333333331,2,1.5,0.5,0,0,0,0.25,\n");
    assert_string_equal(json, "{\"step\": 1, \"epoch\": 1, \"lr\": 0.1, \"loss\": "
                              "0.33333333333333331, \"grad_norm\": 2, \"mpx_per_s\": 1.5}\n"
                              "{\"step\": 2, \"epoch\": 1, \"lr\": 0.1, \"loss\": "
                              "0.33333333333333331, \"grad_norm\": 2, \"mpx_per_s\": 1.5, "
                              "\"val_miou\": 0.5, \"val_mean_f1\": 0, \"val_accuracy\": 0, "
                              "\"val_kappa\": 0, \"val_iou\": {\"a,\\\"b\\\"\": 0.25, \"c\": "
                              "null}}\n");
    sg_free(csv);
    sg_free(json);
    sg_metrics_log_close(&log);
}

static void terms_of_a_loss_have_columns_where_they_are_several(void **state)
{
    const sg_loss loss = {.name = {"ce", "dice"}, .terms = 2, .columns = 2};
    const double term[] = {.5, .25};
    sg_metrics_log log;
    assert_int_equal(sg_metrics_log_open(&log, *state, &two, &loss, false, 0), SG_OK);
    const sg_metrics_row row = {.step = 1,
                                .epoch = 1,
                                .rate = 1,
                                .loss = .75,
                                .norm = 2,
                                .megapixels_per_s = 1,
                                .term = term};
    assert_int_equal(sg_metrics_log_add(&log, &row), SG_OK);
    char *csv = read_all(state, "metrics.csv"), *json = read_all(state, "metrics.jsonl");
    assert_non_null(strstr(csv, ",\"val_iou_c\",\"loss_ce\",\"loss_dice\"\n"
                                "1,1,1,0.75,2,1,,,,,,,0.5,0.25\n"));
    assert_non_null(strstr(json, "\"mpx_per_s\": 1, \"loss_ce\": 0.5, \"loss_dice\": 0.25}"));
    sg_free(csv);
    sg_free(json);
    sg_metrics_log_close(&log);
}

static int lines_of(const char *text)
{
    int lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static void resuming_drops_later_rows_and_half_rows(void **state)
{
    sg_metrics_log log;
    assert_int_equal(sg_metrics_log_open(&log, *state, &two, NULL, false, 0), SG_OK);
    add_rows(&log, 1, 20);
    fputs("21,1,0.1", log.csv); /* killed while writing */
    fputs("{\"step\": 2", log.json);
    sg_metrics_log_close(&log);
    assert_int_equal(sg_metrics_log_open(&log, *state, &two, NULL, true, 12), SG_OK);
    add_rows(&log, 13, 14);
    sg_metrics_log_close(&log);
    char *csv = read_all(state, "metrics.csv"), *json = read_all(state, "metrics.jsonl");
    assert_int_equal(lines_of(csv), 15);
    assert_int_equal(lines_of(json), 14);
    assert_non_null(strstr(csv, "\n12,1,0.1,0.33333333333333331,2,1.5,,,,,,\n13,"));
    assert_non_null(strstr(json, "{\"step\": 14,"));
    sg_free(csv);
    sg_free(json);
}

static void resuming_without_files_begins_them(void **state)
{
    sg_metrics_log log;
    char path[TEMPDIR_PATH];
    remove(tempdir_path(state, "metrics.csv", path));
    remove(tempdir_path(state, "metrics.jsonl", path));
    assert_int_equal(sg_metrics_log_open(&log, *state, &two, NULL, true, 12), SG_OK);
    add_rows(&log, 13, 13);
    sg_metrics_log_close(&log);
    char *csv = read_all(state, "metrics.csv");
    assert_int_equal(lines_of(csv), 2);
    sg_free(csv);
}

static void a_folder_that_is_not_there_is_named(void **state)
{
    sg_metrics_log log;
    char path[TEMPDIR_PATH];
    assert_int_equal(
        sg_metrics_log_open(&log, tempdir_path(state, "none", path), &two, NULL, false, 0),
        SG_EOUTPUT);
    assert_non_null(strstr(sg_error_text(), "none/metrics.csv"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_hold_exact_losses_and_validation),
        cmocka_unit_test(terms_of_a_loss_have_columns_where_they_are_several),
        cmocka_unit_test(resuming_drops_later_rows_and_half_rows),
        cmocka_unit_test(resuming_without_files_begins_them),
        cmocka_unit_test(a_folder_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, tempdir_make, tempdir_remove);
}
