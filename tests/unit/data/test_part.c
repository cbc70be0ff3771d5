/* Parts of a scene, in whole pixels. */
#include "made.h"

#include <math.h>
#include <string.h>
#include "data/part.h"

static sg_raster_info scene_of(const double geotransform[6], int64_t width, int64_t height)
{
    sg_raster_info info = {.path = "scene.tif", .width = width, .height = height};
    memcpy(info.geotransform, geotransform, sizeof info.geotransform);
    info.has_geotransform = 1;
    return info;
}

static void expect(const sg_raster_info *info, sg_part_wish wish, sg_window want)
{
    sg_window got;
    assert_int_equal(sg_part_check(&wish), SG_OK);
    assert_int_equal(sg_part_find(info, &wish, &got), SG_OK);
    assert_memory_equal(&got, &want, sizeof got);
}

static void expect_outside(const sg_raster_info *info, sg_part_wish wish)
{
    sg_window got;
    assert_int_equal(sg_part_find(info, &wish, &got), SG_EUSAGE);
    assert_non_null(strstr(sg_error_text(), "outside of scene.tif"));
}

/* All windows around a small scene, against counting the pixels that lie inside. */
static void srcwin_is_clipped(void **state)
{
    (void)state;
    sg_raster_info info = scene_of(north_up, 5, 4);
    for (int x = -3; x <= 6; x++)
        for (int y = -3; y <= 5; y++)
            for (int w = 1; w <= 9; w++)
                for (int h = 1; h <= 8; h++) {
                    int64_t left = 5, right = -1, top = 4, low = -1;
                    for (int c = x; c < x + w; c++)
                        if (c >= 0 && c < 5) {
                            left = c < left ? c : left;
                            right = c;
                        }
                    for (int r = y; r < y + h; r++)
                        if (r >= 0 && r < 4) {
                            top = r < top ? r : top;
                            low = r;
                        }
                    sg_part_wish wish = {SG_PART_SRCWIN, {x, y, w, h}};
                    if (right < 0 || low < 0)
                        expect_outside(&info, wish);
                    else
                        expect(&info, wish,
                               (sg_window){left, top, right - left + 1, low - top + 1});
                }
}

/* A pixel belongs to the part when its area and the box have some in common. */
static void te_takes_every_pixel_that_it_touches(void **state)
{
    (void)state;
    const double grid[][6] = {
        {500, 2, 0, 900, 0, -2}, {500, 2, 0, 900, 0, 2}, {-7, .25, 0, 3, 0, -.5}};
    for (size_t g = 0; g < 3; g++) {
        const double *t = grid[g];
        sg_raster_info info = scene_of(t, 6, 5);
        for (int a = -3; a <= 13; a++)
            for (int b = a + 1; b <= 15; b++) {
                double c0 = a / 2.0 + .1, c1 = b / 2.0 + .1; /* columns, and rows */
                double x0 = t[0] + c0 * t[1], x1 = t[0] + c1 * t[1];
                double y0 = t[3] + c0 * t[5], y1 = t[3] + c1 * t[5];
                int64_t first = c0 < 0 ? 0 : (int64_t)floor(c0), end = (int64_t)ceil(c1);
                sg_part_wish te = {SG_PART_TE, {x0, fmin(y0, y1), x1, fmax(y0, y1)}};
                sg_part_wish projwin = {SG_PART_PROJWIN, {x0, fmax(y0, y1), x1, fmin(y0, y1)}};
                sg_window want = {first, first, (end > 6 ? 6 : end) - first,
                                  (end > 5 ? 5 : end) - first};
                if (sg_window_is_empty(want) || end <= 0) {
                    expect_outside(&info, te);
                    expect_outside(&info, projwin);
                } else {
                    expect(&info, te, want);
                    expect(&info, projwin, want);
                }
            }
    }
}

/* Pixel edges in decimal fractions of a degree are never exact. */
static void edges_of_pixels_do_not_take_the_next_one(void **state)
{
    (void)state;
    const double degrees[6] = {-61.3, 1.0 / 11132, 0, -8.7, 0, -1.0 / 11132};
    sg_raster_info info = scene_of(degrees, 20000, 20000);
    for (int i = 0; i < 19990; i += 13) {
        sg_part_wish wish = {SG_PART_TE,
                             {degrees[0] + i * degrees[1], degrees[3] + (i + 7) * degrees[5],
                              degrees[0] + (i + 5) * degrees[1], degrees[3] + i * degrees[5]}};
        expect(&info, wish, (sg_window){i, i, 5, 7});
    }
}

static void a_turned_scene_gets_the_rectangle_around(void **state)
{
    (void)state;
    const double turned[6] = {100, .6, .8, 200, .8, -.6}; /* pixels of 1 m */
    sg_raster_info info = scene_of(turned, 100, 100);
    /* From pixel (50, 50) to 10 m east and north: (6, 8), (8, -6) in pixels. */
    double x = 100 + 50 * .6 + 50 * .8, y = 200 + 50 * .8 - 50 * .6;
    sg_part_wish wish = {SG_PART_TE, {x, y, x + 10, y + 10}};
    expect(&info, wish, (sg_window){50, 44, 14, 14});
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    static const sg_part_wish wrong[] = {
        {SG_PART_TE, {1, 1, 1, 2}},      {SG_PART_TE, {1, 3, 2, 2}},
        {SG_PART_TE, {0, 0, NAN, 1}},    {SG_PART_SRCWIN, {0, 0, 0, 1}},
        {SG_PART_SRCWIN, {0, .5, 1, 1}}, {SG_PART_SRCWIN, {0, 0, INFINITY, 1}},
        {SG_PART_PROJWIN, {1, 2, 1, 0}}, {SG_PART_SRCWIN, {0, 0, 1e300, 1}}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(sg_part_check(&wrong[i]), SG_EUSAGE);
    sg_raster_info info = scene_of(north_up, 5, 5);
    sg_part_wish wish = {SG_PART_TE, {0, 0, 1, 1}};
    sg_window part;
    info.has_geotransform = 0;
    assert_int_equal(sg_part_find(&info, &wish, &part), SG_EUSAGE);
    assert_non_null(strstr(sg_error_text(), "-srcwin"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(srcwin_is_clipped),
        cmocka_unit_test(te_takes_every_pixel_that_it_touches),
        cmocka_unit_test(edges_of_pixels_do_not_take_the_next_one),
        cmocka_unit_test(a_turned_scene_gets_the_rectangle_around),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests_name("part", tests, NULL, NULL);
}
