/* Labels from rasters: values to classes, other grids, and what is refused. */
#include "made.h"

#include <gdal_utils.h>
#include <math.h>

#include "data/label.h"

enum { W = 120, H = 90 };

static sg_class_table classes;
static const sg_label_options plain = {.ignore = -1};

static double label_values(int band, int x, int y)
{
    return (x / 7 + y / 5) % 6;
}

/* What label_values means: values 1, 2, 4 are classes 0, 1, 2; the others are no class. */
static uint8_t expected_class(double value)
{
    return value == 1 ? 0 : value == 2 ? 1 : value == 4 ? 2 : SG_NO_CLASS;
}

static sg_raster *make_image(void **state, const char *crs, const double *geotransform)
{
    char path[TEMPDIR_PATH];
    tempdir_path(state, "image.tif", path);
    make_raster(path, &(made_raster){.w = W, .h = H, .crs = crs, .geotransform = geotransform});
    return open_made(path);
}

static sg_label *open_label(const char *path, const sg_raster *image,
                            const sg_label_options *options)
{
    sg_label *label = NULL;
    if (sg_label_open(&label, path, image, &classes, options))
        fail_msg("%s", sg_error_text());
    return label;
}

static void expect_label_refused(const char *path, const sg_raster *image, const char *word)
{
    sg_label *label = NULL;
    assert_int_equal(sg_label_open(&label, path, image, &classes, &plain), SG_EINPUT);
    assert_null(label);
    assert_non_null(strstr(sg_error_text(), path));
    if (strstr(sg_error_text(), word) == NULL)
        fail_msg("'%s' lacks '%s'", sg_error_text(), word);
}

/* Labels on the image's own grid, window by window. */
static void expect_direct(sg_label *label)
{
    const sg_window windows[] = {
        {0, 0, W, H}, {-5, -4, 30, 20}, {100, 70, 40, 40}, {500, 0, 3, 3}, {7, 9, 1, 1}};
    for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
        sg_window w = windows[i];
        uint8_t *out = malloc((size_t)(w.w * w.h));
        assert_int_equal(sg_label_read(label, w, out), SG_OK);
        for (int64_t k = 0; k < w.w * w.h; k++) {
            int64_t x = w.x + k % w.w, y = w.y + k / w.w;
            bool inside = x >= 0 && y >= 0 && x < W && y < H;
            assert_int_equal(out[k], inside ? expected_class(label_values(0, (int)x, (int)y))
                                            : SG_NO_CLASS);
        }
        free(out);
    }
}

static void labels_on_the_images_grid_are_mapped_to_classes(void **state)
{
    const GDALDataType types[] = {GDT_Byte, GDT_Int16, GDT_UInt32, GDT_Float32, GDT_Float64};
    char path[TEMPDIR_PATH];
    tempdir_path(state, "labels.tif", path);
    sg_raster *image = make_image(state, "EPSG:32618", north_up);
    for (int i = 0; i < 5; i++) {
        make_raster(path, &(made_raster){.w = W,
                                         .h = H,
                                         .type = types[i],
                                         .crs = "EPSG:32618",
                                         .geotransform = north_up,
                                         .value = label_values});
        sg_label *label = open_label(path, image, &plain);
        expect_direct(label);
        sg_label_close(label);
    }
    sg_raster_close(image);
}

static void no_crs_on_both_sides_or_a_plain_picture_fits_by_its_size(void **state)
{
    char path[TEMPDIR_PATH];
    tempdir_path(state, "plain.tif", path);
    make_raster(path, &(made_raster){.w = W, .h = H, .value = label_values});
    sg_raster *image = make_image(state, NULL, NULL);
    sg_label *label = open_label(path, image, &plain);
    expect_direct(label);
    sg_label_close(label);
    sg_raster_close(image);
    image = make_image(state, "EPSG:32618", north_up);
    label = open_label(path, image, &plain);
    expect_direct(label);
    sg_label_close(label);
    make_raster(path,
                &(made_raster){.w = W, .h = H, .geotransform = north_up, .value = label_values});
    label = open_label(path, image, &plain);
    expect_direct(label);
    sg_label_close(label);
    sg_raster_close(image);
}

static double odd_values(int band, int x, int y)
{
    const double values[8] = {1, 2, 1.5, NAN, -1, 300, 2, 4};
    return values[x % 8];
}

static void read_row(sg_label *label, uint8_t row[8])
{
    assert_int_equal(sg_label_read(label, (sg_window){0, 0, 8, 1}, row), SG_OK);
}

static void nodata_ignore_and_values_of_no_class_are_ignored(void **state)
{
    char path[TEMPDIR_PATH];
    const double nodata = 2;
    uint8_t row[8];
    sg_label_options ignore_four = {.ignore = 4};
    tempdir_path(state, "odd.tif", path);
    sg_raster *image = make_image(state, NULL, NULL);
    made_raster made = {.w = W, .h = H, .type = GDT_Float32, .value = odd_values};
    make_raster(path, &made);
    sg_label *label = open_label(path, image, &ignore_four);
    read_row(label, row);
    assert_memory_equal(row, ((uint8_t[8]){0, 1, 255, 255, 255, 255, 1, 255}), 8);
    sg_label_close(label);
    made.nodata = &nodata;
    make_raster(path, &made);
    label = open_label(path, image, &plain);
    read_row(label, row);
    assert_memory_equal(row, ((uint8_t[8]){0, 255, 255, 255, 255, 255, 255, 2}), 8);
    sg_label_close(label);
    sg_raster_close(image);
}

static void value_0_can_be_a_class_and_uncovered_pixels_are_still_ignored(void **state)
{
    char path[TEMPDIR_PATH];
    const double inner[6] = {346100, 10, 0, 3841900, 0, -10}; /* 10 pixels in from both sides */
    sg_class_table zero = {.count = 1, .item = {{"zero", 0, {1, 1, 1}}}};
    tempdir_path(state, "zero.tif", path);
    sg_raster *image = make_image(state, "EPSG:32618", north_up);
    make_raster(
        path,
        &(made_raster){
            .w = 20, .h = 15, .crs = "EPSG:32618", .geotransform = inner, .value = label_values});
    sg_label *label = NULL;
    assert_int_equal(sg_label_open(&label, path, image, &zero, &plain), SG_OK);
    uint8_t out[W * H];
    assert_int_equal(sg_label_read(label, (sg_window){0, 0, W, H}, out), SG_OK);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            bool covered = x >= 10 && x < 30 && y >= 10 && y < 25;
            bool is_zero = covered && label_values(0, x - 10, y - 10) == 0;
            assert_int_equal(out[y * W + x], is_zero ? 0 : SG_NO_CLASS);
        }
    sg_label_close(label);
    sg_raster_close(image);
}

static double label_with_alpha(int band, int x, int y)
{
    return band == 0 ? label_values(0, x, y) : x % 3 == 0 ? 0 : 255;
}

/* On the image's grid, and moved by whole pixels, so that it is warped. */
static void transparent_labels_are_ignored(void **state)
{
    char path[TEMPDIR_PATH];
    uint8_t out[W * H];
    tempdir_path(state, "alphalabels.tif", path);
    sg_raster *image = make_image(state, "EPSG:32618", north_up);
    for (int shift = 0; shift < 2; shift++) {
        const double moved[6] = {346000 - 40 * shift, 10, 0, 3842000, 0, -10};
        make_raster(path, &(made_raster){.w = W,
                                         .h = H,
                                         .bands = 2,
                                         .alpha = 2,
                                         .crs = "EPSG:32618",
                                         .geotransform = moved,
                                         .value = label_with_alpha});
        sg_label *label = open_label(path, image, &plain);
        assert_int_equal(sg_label_read(label, (sg_window){0, 0, W, H}, out), SG_OK);
        for (int i = 0; i < W * H; i++) {
            int x = i % W + 4 * shift, y = i / W;
            bool has = x < W && x % 3 != 0;
            assert_int_equal(out[i], has ? expected_class(label_values(0, x, y)) : SG_NO_CLASS);
        }
        sg_label_close(label);
    }
    sg_raster_close(image);
}

/* Same CRS, twice as coarse, shifted by whole pixels: nearest neighbour has one answer. */
static void coarser_labels_are_repeated(void **state)
{
    char path[TEMPDIR_PATH];
    const double coarse[6] = {345900, 20, 0, 3842100, 0, -20};
    tempdir_path(state, "coarse.tif", path);
    sg_raster *image = make_image(state, "EPSG:32618", north_up);
    make_raster(path, &(made_raster){.w = 100,
                                     .h = 100,
                                     .crs = "EPSG:32618",
                                     .geotransform = coarse,
                                     .value = label_values});
    sg_label *label = open_label(path, image, &plain);
    uint8_t out[W * H];
    assert_int_equal(sg_label_read(label, (sg_window){0, 0, W, H}, out), SG_OK);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            assert_int_equal(out[y * W + x],
                             expected_class(label_values(0, (x + 10) / 2, (y + 10) / 2)));
    sg_label_close(label);
    sg_raster_close(image);
}

static void south_up_and_rotated_scenes_get_their_labels(void **state)
{
    char path[TEMPDIR_PATH];
    const double south_up[6] = {346000, 10, 0, 3841100, 0, 10}; /* covers what north_up covers */
    const double turned[6] = {346000, 0, 10, 3842000, -10, 0};  /* columns go south, rows east */
    uint8_t out[W * H];
    tempdir_path(state, "north.tif", path);
    make_raster(
        path,
        &(made_raster){
            .w = W, .h = W, .crs = "EPSG:32618", .geotransform = north_up, .value = label_values});
    sg_raster *image = make_image(state, "EPSG:32618", south_up);
    sg_label *label = open_label(path, image, &plain);
    assert_int_equal(sg_label_read(label, (sg_window){0, 0, W, H}, out), SG_OK);
    for (int i = 0; i < W * H; i++)
        assert_int_equal(out[i], expected_class(label_values(0, i % W, H - 1 - i / W)));
    sg_label_close(label);
    sg_raster_close(image);
    image = make_image(state, "EPSG:32618", turned);
    label = open_label(path, image, &plain);
    assert_int_equal(sg_label_read(label, (sg_window){0, 0, W, H}, out), SG_OK);
    for (int i = 0; i < W * H; i++)
        assert_int_equal(out[i], expected_class(label_values(0, i / W, i % W)));
    sg_label_close(label);
    sg_raster_close(image);
}

/* GDAL's own exact warp (-et 0) of the labels to the image's grid, as classes. */
static void warp_whole(const char *labels, const char *image, const char *out, uint8_t *expected)
{
    GDALDatasetH source = GDALOpen(labels, GA_ReadOnly), grid = GDALOpen(image, GA_ReadOnly);
    double gt[6];
    char te[4][32], ts[2][16];
    GDALGetGeoTransform(grid, gt);
    const double extent[4] = {gt[0], gt[3] + H * gt[5], gt[0] + W * gt[1], gt[3]};
    for (int i = 0; i < 4; i++)
        snprintf(te[i], sizeof(te[i]), "%.15g", extent[i]);
    snprintf(ts[0], sizeof(ts[0]), "%d", W);
    snprintf(ts[1], sizeof(ts[1]), "%d", H);
    char *arguments[] = {"-t_srs", "EPSG:4326", "-et",        "0",   "-r",  "near",
                         "-te",    te[0],       te[1],        te[2], te[3], "-ts",
                         ts[0],    ts[1],       "-dstnodata", "99",  NULL};
    GDALWarpAppOptions *options = GDALWarpAppOptionsNew(arguments, NULL);
    GDALDatasetH warped = GDALWarp(out, NULL, 1, &source, options, NULL);
    assert_non_null(warped);
    assert_int_equal(GDALRasterIO(GDALGetRasterBand(warped, 1), GF_Read, 0, 0, W, H, expected, W, H,
                                  GDT_Byte, 0, 0),
                     0);
    for (int i = 0; i < W * H; i++)
        expected[i] = expected_class(expected[i]);
    GDALWarpAppOptionsFree(options);
    GDALClose(warped);
    GDALClose(source);
    GDALClose(grid);
}

static void labels_in_another_crs_are_warped_as_gdal_warps_them(void **state)
{
    char path[TEMPDIR_PATH], image_path[TEMPDIR_PATH], out[TEMPDIR_PATH];
    const double degrees[6] = {-76.681, 0.0001, 0, 34.706, 0, -0.00009};
    uint8_t expected[W * H], whole[W * H];
    tempdir_path(state, "utm.tif", path);
    tempdir_path(state, "image.tif", image_path);
    tempdir_path(state, "warped.tif", out);
    make_raster(path, &(made_raster){.w = 300,
                                     .h = 300,
                                     .crs = "EPSG:32618",
                                     .geotransform = north_up,
                                     .value = label_values});
    sg_raster *image = make_image(state, "EPSG:4326", degrees);
    sg_label *label = open_label(path, image, &plain);
    assert_int_equal(sg_label_read(label, (sg_window){0, 0, W, H}, whole), SG_OK);
    warp_whole(path, image_path, out, expected);
    int different = 0, labelled = 0;
    for (int i = 0; i < W * H; i++) {
        different += whole[i] != expected[i];
        labelled += expected[i] != SG_NO_CLASS;
    }
    assert_true(labelled > 1000);
    /* The VRT's transform may be off by a hundredth of a pixel: next to none changes its neighbour.
     */
    assert_in_range(different, 0, W * H / 500);
    uint32_t seed = 3;
    for (int k = 0; k < 30; k++) { /* whatever the window */
        sg_window w = {made_random(&seed, 80), made_random(&seed, 60), 1 + made_random(&seed, 40),
                       1 + made_random(&seed, 30)};
        uint8_t part[40 * 30];
        assert_int_equal(sg_label_read(label, w, part), SG_OK);
        for (int64_t i = 0; i < w.w * w.h; i++)
            assert_int_equal(part[i], whole[(w.y + i / w.w) * W + w.x + i % w.w]);
    }
    sg_label_close(label);
    sg_raster_close(image);
}

static void labels_that_do_not_fit_are_refused(void **state)
{
    char path[TEMPDIR_PATH];
    const double moved[6] = {346500, 10, 0, 3842000, 0, -10},
                 far_away[6] = {500000, 10, 0, 100000, 0, -10};
    sg_raster *with = make_image(state, "EPSG:32618", north_up);
    tempdir_path(state, "unfit.tif", path);
    make_raster(path, &(made_raster){.w = W + 1, .h = H});
    expect_label_refused(path, with, "the label file has no CRS");
    make_raster(path, &(made_raster){.w = W, .h = H, .geotransform = moved});
    expect_label_refused(path, with, "only one of them has a CRS");
    make_raster(path,
                &(made_raster){.w = W, .h = H, .crs = "EPSG:32618", .geotransform = far_away});
    expect_label_refused(path, with, "do not overlap");
    make_raster(path, &(made_raster){.w = W, .h = H, .type = GDT_CInt16});
    expect_label_refused(path, with, "complex");
    sg_raster_close(with);
    sg_raster *without = make_image(state, NULL, NULL);
    make_raster(path,
                &(made_raster){.w = W, .h = H - 1, .crs = "EPSG:32618", .geotransform = north_up});
    expect_label_refused(path, without, "the scene has no CRS");
    make_raster(path, &(made_raster){.w = W, .h = H, .bands = 3});
    expect_label_refused(path, without, "3 bands");
    tempdir_path(state, "nowhere.tif", path);
    expect_label_refused(path, without, "cannot be opened as labels");
    sg_raster_close(without);
}

static void damaged_labels_name_file_and_window(void **state)
{
    char path[TEMPDIR_PATH];
    uint8_t out[W * H];
    tempdir_path(state, "cutlabels.tif", path);
    sg_raster *image = make_image(state, NULL, NULL);
    make_raster(path, &(made_raster){.w = W, .h = H, .value = label_values});
    assert_int_equal(truncate(path, W * H / 2), 0);
    sg_label *label = open_label(path, image, &plain);
    assert_int_equal(sg_label_read(label, (sg_window){0, 0, W, H}, out), SG_EINPUT);
    assert_non_null(strstr(sg_error_text(), path));
    assert_non_null(strstr(sg_error_text(), "120 x 90"));
    sg_label_close(label);
    sg_raster_close(image);
}

static void real_labels_lie_on_their_scenes(void **state)
{
    if (real_imagery() == NULL) {
        print_message("no real imagery beside the project: skipped\n");
        skip();
    }
    const char *names[2][2] = {{"amazon/images/val_97_3.tif", "amazon/labels/val_97_3.tif"},
                               {"india/images/s019.tif", "india/labels/s019.tif"}};
    for (int i = 0; i < 2; i++) {
        char path[SG_PATH_MAX];
        int counted = 0;
        assert_int_equal(sg_path_format(path, "%s/%s", real_imagery(), names[i][0]), SG_OK);
        sg_raster *image = open_made(path);
        assert_int_equal(sg_path_format(path, "%s/%s", real_imagery(), names[i][1]), SG_OK);
        sg_label *label = open_label(path, image, &plain);
        uint8_t *out = malloc(512 * 512);
        assert_int_equal(sg_label_read(label, (sg_window){0, 0, 512, 512}, out), SG_OK);
        for (int k = 0; k < 512 * 512; k++)
            counted += out[k] != SG_NO_CLASS;
        assert_true(counted > 1000);
        free(out);
        sg_label_close(label);
        sg_raster_close(image);
    }
}

static int start(void **state)
{
    sg_gdal_start((size_t)64 << 20);
    classes = (sg_class_table){.count = 3, .item = {{"a", 1, {0}}, {"b", 2, {0}}, {"c", 4, {0}}}};
    return sg_classes_complete(&classes) || tempdir_make(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_on_the_images_grid_are_mapped_to_classes),
        cmocka_unit_test(no_crs_on_both_sides_or_a_plain_picture_fits_by_its_size),
        cmocka_unit_test(nodata_ignore_and_values_of_no_class_are_ignored),
        cmocka_unit_test(value_0_can_be_a_class_and_uncovered_pixels_are_still_ignored),
        cmocka_unit_test(transparent_labels_are_ignored),
        cmocka_unit_test(coarser_labels_are_repeated),
        cmocka_unit_test(south_up_and_rotated_scenes_get_their_labels),
        cmocka_unit_test(labels_in_another_crs_are_warped_as_gdal_warps_them),
        cmocka_unit_test(labels_that_do_not_fit_are_refused),
        cmocka_unit_test(damaged_labels_name_file_and_window),
        cmocka_unit_test(real_labels_lie_on_their_scenes),
    };
    return cmocka_run_group_tests(tests, start, tempdir_remove);
}
