/* Series of numbers out of JSON lines: names, gaps, rows that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "base/file.h"
#include "base/text.h"
#include "data/series.h"
#include "support/tempdir.h"

static sg_series_set read_text(void **state, const char *text)
{
    char path[TEMPDIR_PATH];
    sg_series_set set;
    assert_int_equal(sg_file_write_text(tempdir_path(state, "rows.jsonl", path), text), SG_OK);
    assert_int_equal(sg_series_read(&set, path, "step"), SG_OK);
    return set;
}

static void numbers_are_found_by_json_pointer(void **state)
{
    sg_series_set set = read_text(
        state, "{\"step\": 1, \"loss\": 0.5}\n"
               "{\"step\": 2, \"loss\": null, \"val\": {\"a/b~c\": 1, \"\": 2}, \"name\": "
               "\"x\", \"ranks\": [{\"s\": 3}, {\"s\": 4}], \"on\": true}\n");
    const sg_series *loss = sg_series_find(&set, "/loss"),
                    *odd = sg_series_find(&set, "/val/a~1b~0c"),
                    *rank = sg_series_find(&set, "/ranks/1/s");
    assert_int_equal(set.rows, 2);
    assert_int_equal(set.damaged, 0);
    assert_int_equal(set.count, 6);
    assert_int_equal(loss->count, 2);
    assert_true(loss->y[0] == 0.5 && isnan(loss->y[1]) && loss->x[1] == 2);
    assert_true(odd->count == 1 && odd->x[0] == 2 && odd->y[0] == 1);
    assert_true(rank->count == 1 && rank->y[0] == 4);
    assert_non_null(sg_series_find(&set, "/val/"));
    assert_null(sg_series_find(&set, "/name"));
    sg_series_clear(&set);
}

static void rows_that_are_none_are_counted_and_left_out(void **state)
{
    sg_series_set set =
        read_text(state, "{\"step\": 1, \"loss\": 1}\n{\"step\": 2, \"lo\n\n[]\nnull\n"
                         "{\"loss\": 9}\n{\"step\": \"3\", \"loss\": 9}\n"
                         "{\"step\": 4, \"loss\": 2}\n{\"step\": 5, \"loss\": 3}");
    const sg_series *loss = sg_series_find(&set, "/loss");
    assert_int_equal(set.rows, 2);
    assert_int_equal(set.damaged, 6);
    assert_int_equal(loss->count, 2); /* the last line has no end: it is being written */
    assert_true(loss->y[1] == 2);
    sg_series_clear(&set);
}

static void a_file_that_is_empty_or_not_there_has_no_series(void **state)
{
    char path[TEMPDIR_PATH];
    sg_series_set set = read_text(state, "");
    assert_int_equal(set.count + (size_t)set.rows, 0);
    assert_int_equal(sg_series_read(&set, tempdir_path(state, "none", path), "step"), SG_OK);
    assert_int_equal(set.count, 0);
    assert_int_equal(sg_series_read(&set, *state, "step"), SG_EINPUT); /* a folder */
}

/* A row with more numbers than there may be series, and one nested without end. */
static void what_is_too_much_is_left_out(void **state)
{
    sg_text text = {0};
    assert_int_equal(sg_text_add(&text, "{\"step\": 1, \"many\": [0"), SG_OK);
    for (int i = 0; i < SG_SERIES_MAX + 10; i++)
        assert_int_equal(sg_text_add(&text, ",1"), SG_OK);
    assert_int_equal(sg_text_add(&text, "], \"deep\": [[[[[[[[[[[[1]]]]]]]]]]]]}\n"), SG_OK);
    sg_series_set set = read_text(state, text.data);
    assert_int_equal(set.count, SG_SERIES_MAX);
    sg_series_clear(&set);
    sg_text_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_found_by_json_pointer),
        cmocka_unit_test(rows_that_are_none_are_counted_and_left_out),
        cmocka_unit_test(a_file_that_is_empty_or_not_there_has_no_series),
        cmocka_unit_test(what_is_too_much_is_left_out),
    };
    return cmocka_run_group_tests(tests, tempdir_make, tempdir_remove);
}
