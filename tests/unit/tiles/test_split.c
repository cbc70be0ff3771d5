/* Splits by geography: shares, guard bands, and overlap that is found out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "data/scene_writer.h"
#include "support/tempdir.h"
#include "tiles/split.h"

enum { GUARD = 10 };

static sg_regions regions_of(int64_t width, int64_t height, const sg_block_split *options)
{
    sg_regions regions = {0};
    assert_int_equal(sg_regions_add_blocks(&regions, 3, width, height, options), SG_OK);
    return regions;
}

static sg_block_split plain(void)
{
    return (sg_block_split){.block = 64, .guard = GUARD, .val = 0.2, .test = 0.1, .seed = 5};
}

/* Pixels between two windows, the larger of both axes; negative when they overlap. */
static int64_t gap(sg_window a, sg_window b)
{
    int64_t x = a.x < b.x ? b.x - (a.x + a.w) : a.x - (b.x + b.w);
    int64_t y = a.y < b.y ? b.y - (a.y + a.h) : a.y - (b.y + b.h);
    return x > y ? x : y;
}

static void regions_of_different_splits_keep_the_guard(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++) {
        sg_block_split options = plain();
        options.seed = seed;
        sg_regions regions = regions_of(700, 530, &options);
        for (size_t i = 0; i < regions.count; i++) {
            assert_true(sg_window_contains((sg_window){0, 0, 700, 530}, regions.item[i].window));
            assert_int_equal(regions.item[i].scene, 3);
            for (size_t j = i + 1; j < regions.count; j++) {
                int same = regions.item[i].split == regions.item[j].split;
                assert_true(gap(regions.item[i].window, regions.item[j].window) >=
                            (same ? 0 : GUARD));
            }
        }
        sg_regions_clear(&regions);
    }
}

static void shares_are_those_asked_for(void **state)
{
    (void)state;
    sg_block_split options = plain();
    options.guard = 0;
    sg_regions regions = regions_of(640, 640, &options);
    int64_t area[SG_SPLITS] = {0};
    for (size_t i = 0; i < regions.count; i++)
        area[regions.item[i].split] += regions.item[i].window.w * regions.item[i].window.h;
    assert_int_equal(area[SG_SPLIT_VAL], 20 * 64 * 64);
    assert_int_equal(area[SG_SPLIT_TEST], 10 * 64 * 64);
    assert_int_equal(area[SG_SPLIT_TRAIN], 70 * 64 * 64);
    sg_regions_clear(&regions);
}

static void blocks_of_one_split_in_a_row_are_one_region(void **state)
{
    (void)state;
    sg_block_split options = {.block = 64, .guard = GUARD, .seed = 1};
    sg_regions regions = regions_of(640, 64, &options);
    assert_int_equal(regions.count, 1);
    assert_int_equal(regions.item[0].window.w, 640);
    sg_regions_clear(&regions);
}

static void the_seed_decides(void **state)
{
    (void)state;
    sg_block_split options = plain();
    sg_regions a = regions_of(700, 530, &options), b = regions_of(700, 530, &options);
    assert_int_equal(a.count, b.count);
    assert_memory_equal(a.item, b.item, a.count * sizeof *a.item);
    sg_regions_clear(&b);
    options.seed++;
    b = regions_of(700, 530, &options);
    assert_true(a.count != b.count || memcmp(a.item, b.item, a.count * sizeof *a.item) != 0);
    sg_regions_clear(&a);
    sg_regions_clear(&b);
}

static void a_scene_too_small_to_split_is_refused(void **state)
{
    (void)state;
    sg_regions regions = {0};
    sg_block_split options = plain();
    assert_int_equal(sg_regions_add_blocks(&regions, 0, 100, 64, &options), SG_EUSAGE);
    assert_non_null(strstr(sg_error_text(), "100 x 64"));
    options.guard = 64;
    assert_int_equal(sg_regions_add_blocks(&regions, 0, 1000, 1000, &options), SG_EUSAGE);
    sg_regions_clear(&regions);
}

static void make_scene(const char *path, const char *crs, double x, double y)
{
    const sg_scene_options options = {.width = 40,
                                      .height = 30,
                                      .bands = 1,
                                      .type = "Byte",
                                      .compress = "NONE",
                                      .crs = crs,
                                      .geotransform = {x, 10, 0, y, 0, -10}};
    sg_scene_writer *writer = NULL;
    float pixels[40 * 30] = {0};
    sg_gdal_start(1 << 20);
    assert_int_equal(sg_scene_create(&writer, path, &options), SG_OK);
    assert_int_equal(sg_scene_write(writer, (sg_window){0, 0, 40, 30}, pixels), SG_OK);
    assert_int_equal(sg_scene_commit(writer), SG_OK);
}

/* Check the overlap of two scenes of different splits. */
static sg_err check_two(const char *a, const char *b, sg_split second)
{
    sg_raster *raster[2] = {NULL, NULL};
    sg_georef *georef[2] = {NULL, NULL};
    const char *path[2] = {a, b};
    const sg_raster_info *info[2];
    const sg_split split[2] = {SG_SPLIT_TRAIN, second};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sg_raster_open(&raster[i], path[i], NULL, 0), SG_OK);
        assert_int_equal(sg_raster_georef(raster[i], &georef[i]), SG_OK);
        info[i] = sg_raster_get_info(raster[i]);
    }
    sg_err err = sg_split_check_overlap(info, (const sg_georef *const *)georef, split, 2);
    for (int i = 0; i < 2; i++) {
        sg_georef_close(georef[i]);
        sg_raster_close(raster[i]);
    }
    return err;
}

static void overlap_between_splits_is_refused_naming_both(void **state)
{
    char a[TEMPDIR_PATH], b[TEMPDIR_PATH];
    tempdir_path(state, "a.tif", a);
    tempdir_path(state, "b.tif", b);
    make_scene(a, "EPSG:32632", 600000, 5200000);
    make_scene(b, "EPSG:32632", 600000 + 390, 5200000 - 290);
    assert_int_equal(check_two(a, b, SG_SPLIT_VAL), SG_EUSAGE);
    assert_non_null(strstr(sg_error_text(), "a.tif"));
    assert_non_null(strstr(sg_error_text(), "b.tif"));
    assert_int_equal(check_two(a, b, SG_SPLIT_TRAIN), SG_OK);
}

static void scenes_that_only_touch_are_let_pass(void **state)
{
    char a[TEMPDIR_PATH], b[TEMPDIR_PATH];
    tempdir_path(state, "a.tif", a);
    tempdir_path(state, "b.tif", b);
    make_scene(a, "EPSG:32632", 600000, 5200000);
    make_scene(b, "EPSG:32632", 600000 + 400, 5200000);
    assert_int_equal(check_two(a, b, SG_SPLIT_TEST), SG_OK);
}

static void the_same_file_is_found_without_georeferencing(void **state)
{
    char a[TEMPDIR_PATH], again[TEMPDIR_PATH];
    tempdir_path(state, "a.tif", a);
    tempdir_path(state, "./a.tif", again);
    make_scene(a, "", 600000, 5200000);
    assert_int_equal(check_two(a, again, SG_SPLIT_VAL), SG_EUSAGE);
    assert_non_null(strstr(sg_error_text(), "same file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(regions_of_different_splits_keep_the_guard),
        cmocka_unit_test(shares_are_those_asked_for),
        cmocka_unit_test(blocks_of_one_split_in_a_row_are_one_region),
        cmocka_unit_test(the_seed_decides),
        cmocka_unit_test(a_scene_too_small_to_split_is_refused),
        cmocka_unit_test(overlap_between_splits_is_refused_naming_both),
        cmocka_unit_test(scenes_that_only_touch_are_let_pass),
        cmocka_unit_test(the_same_file_is_found_without_georeferencing),
    };
    return cmocka_run_group_tests_name("split", tests, tempdir_make, tempdir_remove);
}
