/* What is made of a mask takes memory for its rows and patches, not for its pixels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/size.h"
#include "data/scene_writer.h"
#include "data/sieve.h"
#include "jobs/predict_products.h"
#include "support/tempdir.h"

enum { PATCHES = 10, BLOCK = 256 }; /* along each side */

static const sg_class_table classes = {
    .count = 2,
    .nodata = 255,
    .item = {{.name = "field, dry", .value = 1}, {.name = "the \"lake\"", .value = 2}}};

/* A board of squares, of classes or of a confidence that is the same in a square. */
static void make_raster(const char *path, int64_t side, bool is_float)
{
    const sg_scene_options options = {.width = side,
                                      .height = side,
                                      .bands = 1,
                                      .type = is_float ? "Float32" : "Byte",
                                      .block = BLOCK,
                                      .compress = "DEFLATE",
                                      .crs = "",
                                      .has_nodata = 1,
                                      .nodata = is_float ? -1 : 255};
    int64_t square = side / PATCHES;
    sg_scene_writer *writer = NULL;
    float *pixels = NULL;
    assert_int_equal(sg_scene_create(&writer, path, &options), SG_OK);
    assert_int_equal(sg_malloc((size_t)(side * BLOCK), sizeof *pixels, &pixels), SG_OK);
    for (int64_t y = 0; y < side; y += BLOCK) {
        int64_t h = sg_min64(BLOCK, side - y);
        for (int64_t i = 0; i < side * h; i++) {
            int64_t column = i % side / square, row = (y + i / side) / square;
            float class = (float)(1 + (column + row) % 2);
            pixels[i] = is_float ? 0.25f * class : class;
        }
        assert_int_equal(sg_scene_write(writer, (sg_window){0, y, side, h}, pixels), SG_OK);
    }
    assert_int_equal(sg_scene_commit(writer), SG_OK);
    sg_free(pixels);
}

static sg_err make_all(const sg_predict_names *names, const char *sieved)
{
    const sg_products products = {.names = names, .classes = &classes};
    sg_err err = sg_products_make(&products);
    return err == SG_OK ? sg_sieve(names->output[SG_OUT_MASK], sieved, 10, 4) : err;
}

/* Peak memory of a process that makes all, KiB. */
static int64_t peak_of(void **state, int64_t side)
{
    static sg_predict_names names;
    char sieved[TEMPDIR_PATH];
    struct rusage usage;
    int status = 0;
    memset(&names, 0, sizeof names);
    tempdir_path(state, "mask.tif", names.output[SG_OUT_MASK]);
    tempdir_path(state, "confidence.tif", names.output[SG_OUT_CONFIDENCE]);
    tempdir_path(state, "polygons.gpkg", names.polygons);
    tempdir_path(state, "areas.csv", names.areas);
    tempdir_path(state, "sieved.tif", sieved);
    make_raster(names.output[SG_OUT_MASK], side, false);
    make_raster(names.output[SG_OUT_CONFIDENCE], side, true);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(make_all(&names, sieved) == SG_OK ? 0 : 1);
    assert_int_equal(wait4(child, &status, 0, &usage), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return usage.ru_maxrss;
}

static void memory_does_not_grow_with_the_pixels(void **state)
{
    if (getenv("ASAN_OPTIONS"))
        skip(); /* sanitizers keep what was freed */
    int64_t small = peak_of(state, 1000), large = peak_of(state, 10000);
    int64_t rows = 10000 * BLOCK * (1 + 4) / 1024; /* KiB, of mask and confidence */
    assert_true(large - small < 3 * rows); /* in the cache and here; all pixels are 490 MiB */
}

static void check_text(const char *path, const char *wanted)
{
    char *text = NULL;
    assert_int_equal(sg_file_read_text(path, &text), SG_OK);
    assert_string_equal(text, wanted);
    sg_free(text);
}

static void names_with_commas_and_quotes_stay_in_their_column(void **state)
{
    char mask[TEMPDIR_PATH], areas[TEMPDIR_PATH];
    tempdir_path(state, "mask.tif", mask);
    tempdir_path(state, "areas.csv", areas);
    make_raster(mask, 100, false);
    assert_int_equal(sg_areas_write(areas, mask, &classes, NULL), SG_OK);
    check_text(areas, "value,name,pixels,share,area_m2,area_ha\n"
                      "1,\"field, dry\",5000,0.500000000,,\n"
                      "2,\"the \"\"lake\"\"\",5000,0.500000000,,\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_does_not_grow_with_the_pixels),
        cmocka_unit_test(names_with_commas_and_quotes_stay_in_their_column),
    };
    sg_gdal_start((size_t)4 << 20);
    return cmocka_run_group_tests(tests, tempdir_make, tempdir_remove);
}
