/* Rasters of one place as one raster, held against GDAL's own warper and plain arithmetic. */
#include "made.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <gdal_utils.h>
#include "base/file.h"
#include "data/stack.h"

enum { W = 40, H = 32 };
static const double nodata = 7;
static const double fine[6] = {500000, 5, 0, 4500000, 0, -5}; /* made_ramp's grid in halves */
static const double aside[6] = {500000 + 20 * 10, 10, 0, 4500000, 0, -10};
static const double far_off[6] = {600000, 10, 0, 4500000, 0, -10};
static const double grid[6] = {500000, 10, 0, 4500000, 0, -10};

static double blocks(int band, int x, int y)
{
    return 20 * band + x / 2 % 5 + 3 * (y / 2 % 4) + (x + y) % 2; /* mean of 2 x 2: + .5 */
}

static double holes(int band, int x, int y)
{
    return x == 3 && y == 4 ? nodata : 50 + band;
}

static double opaque_right(int band, int x, int y)
{
    return band == 0 ? 30 + x : x < 10 ? 0 : 255;
}

static void put(const char *file, int w, int h, int bands, const double *t, made_value value,
                const double *missing, int alpha)
{
    make_raster(file, &(made_raster){.w = w,
                                     .h = h,
                                     .bands = bands,
                                     .crs = "EPSG:32618",
                                     .geotransform = t,
                                     .value = value,
                                     .nodata = missing,
                                     .type = alpha ? GDT_Byte : GDT_Float32,
                                     .alpha = alpha});
}

static sg_raster *stacked(const char *const *file, const char *const *method, size_t count)
{
    sg_stack_item item[4];
    sg_raster *raster = NULL;
    for (size_t i = 0; i < count; i++)
        item[i] = (sg_stack_item){file[i], method[i]};
    if (sg_stack_make("/vsimem/t/stack.vrt", item, count) != SG_OK ||
        sg_raster_open(&raster, "/vsimem/t/stack.vrt", NULL, 0) != SG_OK)
        fail_msg("%s", sg_error_text());
    return raster;
}

static void test_bands_of_all_on_the_first_grid(void **state)
{
    const char *file[] = {"/vsimem/a.tif", "/vsimem/b.tif"}, *method[] = {NULL, "auto"};
    float *pixels;
    uint8_t *valid;
    sg_gdal_start(1 << 20);
    put(file[0], W, H, 2, grid, made_ramp, NULL, 0);
    put(file[1], 2 * W, 2 * H, 2, fine, blocks, NULL, 0);
    sg_raster *raster = stacked(file, method, 2);
    const sg_raster_info *info = sg_raster_get_info(raster);
    assert_int_equal(info->width, W);
    assert_int_equal(info->height, H);
    assert_int_equal(info->bands, 4);
    assert_true(fabs(info->gsd - 10) < 0.1);
    read_made(raster, (sg_window){0, 0, W, H}, &pixels, &valid);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            const float *p = pixels + (y * W + x) * 4;
            assert_true(valid[y * W + x]);
            for (int b = 0; b < 2; b++) {
                assert_float_equal(p[b], made_ramp(b, x, y), 0);
                /* the mean of four halves */
                assert_float_equal(p[2 + b], 20 * b + x % 5 + 3 * (y % 4) + .5, 1e-4);
            }
        }
    free(pixels);
    free(valid);
    sg_raster_close(raster);
    sg_stack_remove("/vsimem/t/stack.vrt");
}

/* A pixel is valid where all rasters have data: a hole in the first, the edge of the second, and
 * what its alpha hides. */
static void test_each_raster_says_where_it_has_data(void **state)
{
    const char *file[] = {"/vsimem/a.tif", "/vsimem/b.tif", "/vsimem/c.tif"};
    const char *method[] = {NULL, "near", NULL};
    float *pixels;
    uint8_t *valid;
    put(file[0], W, H, 1, grid, holes, &nodata, 0);
    put(file[1], W, H, 1, aside, made_ramp, NULL, 0); /* 20 columns to the right */
    put(file[2], W, H, 2, grid, opaque_right, NULL, 2);
    sg_raster *raster = stacked(file, method, 3);
    assert_int_equal(sg_raster_get_info(raster)->bands, 3);
    read_made(raster, (sg_window){0, 0, W, H}, &pixels, &valid);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            const float *p = pixels + (y * W + x) * 3;
            assert_int_equal(valid[y * W + x], x >= 20);
            if (x >= 20) {
                assert_float_equal(p[0], 50, 0);
                assert_float_equal(p[1], made_ramp(0, x - 20, y), 0);
                assert_float_equal(p[2], 30 + x, 0);
            }
        }
    free(pixels);
    free(valid);
    sg_raster_close(raster);

    /* Without the second one: the hole and the alpha alone. */
    const char *two[] = {file[0], file[2]}, *none[] = {NULL, NULL};
    raster = stacked(two, none, 2);
    read_made(raster, (sg_window){0, 0, W, H}, &pixels, &valid);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            assert_int_equal(valid[y * W + x], x >= 10 && !(x == 3 && y == 4));
    free(pixels);
    free(valid);
    sg_raster_close(raster);

    /* Chosen bands alone count. */
    const int32_t first = 1;
    assert_int_equal(sg_raster_open(&raster, "/vsimem/t/stack.vrt", &first, 1), SG_OK);
    read_made(raster, (sg_window){0, 0, W, H}, &pixels, &valid);
    for (int i = 0; i < W * H; i++)
        assert_int_equal(valid[i], i != 4 * W + 3);
    free(pixels);
    free(valid);
    sg_raster_close(raster);
}

static void warp(const char *from, const char *to, const char *const *words)
{
    GDALDatasetH source = GDALOpen(from, GA_ReadOnly);
    GDALWarpAppOptions *options = GDALWarpAppOptionsNew((char **)words, NULL);
    GDALDatasetH warped = GDALWarp(to, NULL, 1, &source, options, NULL);
    assert_non_null(warped);
    GDALWarpAppOptionsFree(options);
    GDALClose(warped);
    GDALClose(source);
}

static double slope(int band, int x, int y)
{
    return 3 * x + 2 * y;
}

/* A plane in another CRS comes back as that plane, by every method that keeps planes. */
static void test_another_crs(void **state)
{
    const char *const to_degrees[] = {"-t_srs", "EPSG:4326", "-r", "bilinear", NULL};
    const double wide[6] = {500000 - 300, 10, 0, 4500000 + 300, 0, -10};
    const char *file[] = {"/vsimem/a.tif", "/vsimem/degrees.tif"};
    float *pixels;
    uint8_t *valid;
    put(file[0], W, H, 1, grid, made_ramp, NULL, 0);
    put("/vsimem/wide.tif", W + 60, H + 60, 1, wide, slope, NULL, 0);
    warp("/vsimem/wide.tif", file[1], to_degrees);
    for (int m = 0; m < 3; m++) {
        const char *method[] = {NULL, (const char *[]){"bilinear", "cubic", NULL}[m]};
        sg_raster *raster = stacked(file, method, 2);
        read_made(raster, (sg_window){0, 0, W, H}, &pixels, &valid);
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++) {
                assert_true(valid[y * W + x]);
                assert_float_equal(pixels[(y * W + x) * 2 + 1], slope(0, x + 30, y + 30), 1.0);
            }
        free(pixels);
        free(valid);
        sg_raster_close(raster);
    }
}

static void refuses(const char *second, sg_err code, const char *word)
{
    const sg_stack_item item[] = {{"/vsimem/a.tif", NULL}, {second, NULL}};
    assert_int_equal(sg_stack_make("/vsimem/t/no.vrt", item, 2), code);
    if (!strstr(sg_error_text(), word) || !strstr(sg_error_text(), second))
        fail_msg("%s", sg_error_text());
}

static void test_what_is_refused(void **state)
{
    put("/vsimem/a.tif", W, H, 1, grid, made_ramp, NULL, 0);
    put("/vsimem/far.tif", W, H, 1, far_off, made_ramp, NULL, 0);
    make_raster("/vsimem/nowhere.tif", &(made_raster){.w = W + 1, .h = H, .value = made_ramp});
    refuses("/vsimem/far.tif", SG_EINPUT, "does not lie where");
    refuses("/vsimem/nowhere.tif", SG_EINPUT, "does not lie where");
    refuses("/vsimem/gone.tif", SG_EINPUT, "cannot be opened");
}

static void names(const char *file, const char *scene, const char *want)
{
    sg_layer layer = {"", ""};
    char path[SG_PATH_MAX];
    strcpy(layer.file, file);
    if (sg_layer_file(path, &layer, scene) != SG_OK)
        fail_msg("%s", sg_error_text());
    assert_string_equal(path, want);
}

static void test_a_layer_is_named_after_its_scene(void **state)
{
    names("{stem}_sar.tif", "in/a.b.tif", "in/a.b_sar.tif");
    names("{stem/_10m/_20m}.tif", "/s/T32_10m_x.jp2", "/s/T32_20m_x.tif");
    names("../dem/{stem/T/dem_}.vrt", "s/T32.tif", "s/../dem/dem_32.vrt");
    names("{stem/_10m/}.tif", "T32_10m.tif", "T32.tif");
    names("/dem.tif", "s/T32.tif", "/dem.tif");
    names("dem.tif", "T32.tif", "dem.tif");
    const char *wrong[] = {"{stem", "{name}.tif", "{stem/}.tif", "{stem//x}.tif", "{stem/20m/x}"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        sg_layer layer = {"", ""};
        char path[SG_PATH_MAX];
        strcpy(layer.file, wrong[i]);
        assert_int_equal(sg_layer_file(path, &layer, "T32_10m.tif"), SG_EUSAGE);
    }
}

/* The stack goes with the raster; messages name the scene. */
static void test_a_spec_opens_its_layers(void **state)
{
    sg_spec spec = {.layers = 1, .layer = {{"{stem}2.tif", "near"}}, .bands = 2, .band = {3, 1}};
    float *pixels;
    uint8_t *valid;
    sg_raster *raster = NULL;
    put("/vsimem/s.tif", W, H, 2, grid, made_ramp, NULL, 0);
    put("/vsimem/s2.tif", 2 * W, 2 * H, 1, fine, blocks, NULL, 0);
    if (sg_raster_open_spec(&raster, "/vsimem/s.tif", &spec) != SG_OK)
        fail_msg("%s", sg_error_text());
    assert_string_equal(sg_raster_get_info(raster)->path, "/vsimem/s.tif");
    read_made(raster, (sg_window){5, 6, 1, 1}, &pixels, &valid);
    assert_float_equal(pixels[1], made_ramp(0, 5, 6), 0);
    assert_in_range((uint64_t)pixels[0], 0, 20);
    free(pixels);
    free(valid);
    sg_raster_close(raster);
    spec.band[0] = 4;
    assert_int_equal(sg_raster_open_spec(&raster, "/vsimem/s.tif", &spec), SG_EINPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bands_of_all_on_the_first_grid),
                                       cmocka_unit_test(test_each_raster_says_where_it_has_data),
                                       cmocka_unit_test(test_another_crs),
                                       cmocka_unit_test(test_what_is_refused),
                                       cmocka_unit_test(test_a_layer_is_named_after_its_scene),
                                       cmocka_unit_test(test_a_spec_opens_its_layers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
