/* Pieces of a report: calibration counted by hand, which tiles are chosen, charts of odd numbers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "jobs/report_calibration.h"
#include "jobs/report_chart.h"
#include "jobs/report_table.h"
#include "jobs/report_tiles.h"

static const sg_spec spec = {.bands = 3, .classes = {.count = 2}};
static const sg_scene scene = {.image = "scene.tif"};

static void calibration_is_that_of_counting_by_hand(void **state)
{
    /* Four pixels of .9, three right; one of .6, wrong; one of 1, right; one without a label. */
    const uint8_t truth[] = {0, 0, 0, 1, 1, 0, SG_NO_CLASS}, classes[] = {0, 0, 0, 0, 0, 0, 0};
    const float p[] = {.9f, .1f, .9f, .1f, .9f, .1f, .9f, .1f, .6f, .4f, 1, 0, .5f, .5f};
    const sg_compared chunk = {&spec, &scene, 0, {0, 0, 7, 1}, truth, classes, p, 0};
    sg_calibration c = {0};
    assert_true(isnan(sg_calibration_error(&c)));
    sg_calibration_see(&c, &chunk);
    assert_int_equal(c.count[13], 4);
    assert_int_equal(c.right[13], 3);
    assert_int_equal(c.count[14], 1);
    assert_int_equal(c.count[9] + c.count[8], 1); /* .6 is a bound: as f32 it lies just above it */
    assert_float_equal(sg_calibration_confidence(&c, 13), .9, 1e-6);
    assert_float_equal(sg_calibration_accuracy(&c, 13), .75, 1e-12);
    assert_true(isnan(sg_calibration_accuracy(&c, 0)));
    assert_float_equal(sg_calibration_error(&c), (4 * .15 + .6 + 0) / 6, 1e-6);
}

/* A scene of 3 x 1 tiles: the first all right, the second half right, the third with one label. */
static void the_worst_tiles_come_first_and_those_with_few_labels_last(void **state)
{
    enum { SIDE = SG_TILE_SIDE, W = 3 * SIDE, N = W * SIDE };
    sg_tile_book book = {.wanted = 2, .band = {0, 1, 2}, .classes = 2};
    uint8_t *truth = NULL, *classes = NULL;
    assert_int_equal(sg_calloc(N, 1, &truth), SG_OK);
    assert_int_equal(sg_calloc(N, 1, &classes), SG_OK);
    for (int i = 0; i < N; i++) {
        int tile = i % W / SIDE;
        truth[i] = tile == 2 ? SG_NO_CLASS : 0;
        classes[i] = tile == 1 && i / W < SIDE / 2 ? 1 : 0;
    }
    truth[W - 1] = 1; /* and it is wrong */
    const sg_compared chunk = {&spec, &scene, 0, {0, 0, W, SIDE}, truth, classes, NULL, 0};
    assert_int_equal(sg_tile_book_open(&book), SG_OK);
    assert_int_equal(sg_tile_book_see(&book, &chunk), SG_OK);
    const sg_tile *worst = book.tile[SG_TILES_WORST];
    assert_int_equal(book.seen, 3);
    assert_int_equal(book.count[SG_TILES_WORST], 2);
    assert_int_equal(worst[0].facts.window.x, SIDE);
    assert_int_equal(worst[0].facts.right, SIDE * SIDE / 2);
    assert_float_equal(worst[0].facts.miou, .25, 1e-12); /* .5 of one class, 0 of the other */
    assert_int_equal(worst[1].facts.window.x, 0);
    assert_float_equal(worst[1].facts.miou, 1, 0);
    assert_int_equal(worst[0].prediction[0], 1);
    assert_int_equal(worst[0].prediction[SIDE * SIDE - 1], 0);
    assert_true(book.tile[SG_TILES_SAMPLE][1].facts.window.x < 2 * SIDE);
    sg_tile_book_close(&book);
    sg_free(truth);
    sg_free(classes);
}

static sg_text chart_of(const double *x, const double *y, size_t count)
{
    const sg_chart_line line = {"a<b", "#fff", x, y, count, true};
    const sg_chart chart = {"title", "step", &line, 1, NAN, NAN};
    sg_text html = {0};
    assert_int_equal(sg_chart_add(&chart, &html), SG_OK);
    assert_null(strstr(html.data, "nan"));
    assert_null(strstr(html.data, "inf"));
    assert_null(strstr(html.data, "a<b"));
    return html;
}

static void charts_take_what_comes(void **state)
{
    double x[1000], y[1000];
    const double one[] = {5}, none[] = {NAN}, flat[] = {2, 2}, steps[] = {1, 2};
    for (int i = 0; i < 1000; i++) {
        x[i] = i;
        y[i] = i % 7 == 3 || (i > 400 && i < 600) ? NAN : i == 10 ? INFINITY : 1e9 * sin(i);
    }
    sg_text many = chart_of(x, y, 1000), empty = chart_of(one, none, 1),
            dot = chart_of(one, one, 1), level = chart_of(steps, flat, 2),
            nothing = chart_of(NULL, NULL, 0);
    assert_true(many.length < 40000); /* thinned */
    assert_non_null(strstr(many.data, "class=\"range\""));
    assert_non_null(strstr(empty.data, "no numbers"));
    assert_non_null(strstr(nothing.data, "no numbers"));
    assert_non_null(strstr(dot.data, "a&lt;b 5 at 5"));
    assert_non_null(strstr(level.data, "from 2 to 2"));
    sg_text_clear(&many);
    sg_text_clear(&empty);
    sg_text_clear(&dot);
    sg_text_clear(&level);
    sg_text_clear(&nothing);
}

static void counts_stand_in_groups(void **state)
{
    sg_text text = {0};
    const int64_t count[] = {0, 999, 1000, 1234567, 1000000000000};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(sg_report_add_count(count[i], &text), SG_OK);
        assert_int_equal(sg_text_add(&text, "|"), SG_OK);
    }
    assert_string_equal(text.data, "0|999|1&#8239;000|1&#8239;234&#8239;567|1&#8239;000&#8239;000"
                                   "&#8239;000&#8239;000|");
    sg_text_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calibration_is_that_of_counting_by_hand),
        cmocka_unit_test(the_worst_tiles_come_first_and_those_with_few_labels_last),
        cmocka_unit_test(charts_take_what_comes),
        cmocka_unit_test(counts_stand_in_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
