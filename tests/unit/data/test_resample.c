/* A scene seen at another ground sampling distance. */
#include "made.h"

#include <math.h>
#include "data/resample.h"

static const double nodata = 99;

static double blocks_of_two(int band, int x, int y)
{
    return 10 * band + x / 2 % 7 + y / 2 % 5;
}

static double with_holes(int band, int x, int y)
{
    return x < 20 && y < 20 ? nodata : blocks_of_two(band, x, y);
}

static double with_alpha(int band, int x, int y)
{
    return band < 2 ? blocks_of_two(band, x, y) : x < 20 && y < 20 ? 0 : 255;
}

static sg_spec two_bands(double gsd)
{
    return (sg_spec){.bands = 2, .band = {1, 2}, .gsd = gsd};
}

/* The view of a made scene, as the spec wants it. */
static sg_raster *view_for(const sg_spec *spec, const char *file, const made_raster *made,
                           char *path)
{
    sg_gdal_start(1 << 20);
    make_raster(file, made);
    sg_raster *scene = open_made(file), *view = NULL;
    if (sg_resample_open(scene, spec, path) != SG_OK)
        fail_msg("%s", sg_error_text());
    sg_raster_close(scene);
    if (sg_raster_open_spec(&view, path, spec) != SG_OK)
        fail_msg("%s", sg_error_text());
    return view;
}

/* The same with pixels of gsd metres. */
static sg_raster *view_of(const char *file, const made_raster *made, double gsd, char *path)
{
    sg_spec spec = two_bands(gsd);
    return view_for(&spec, file, made, path);
}

static made_raster scene_with(made_value value)
{
    return (made_raster){.w = 82,
                         .h = 60,
                         .bands = 2,
                         .crs = "EPSG:32618",
                         .geotransform = north_up,
                         .value = value};
}

static void check_halves(sg_raster *view, int holes)
{
    float *pixels;
    uint8_t *valid;
    const sg_raster_info *info = sg_raster_get_info(view);
    assert_int_equal(info->width, 41);
    assert_int_equal(info->height, 30);
    assert_true(fabs(info->gsd - 20) < 0.05);
    read_made(view, (sg_window){0, 0, 41, 30}, &pixels, &valid);
    for (int i = 0; i < 41 * 30; i++) {
        int x = i % 41, y = i / 41;
        assert_int_equal(valid[i], !(holes && x < 10 && y < 10));
        for (int b = 0; valid[i] && b < 2; b++)
            assert_true(pixels[2 * i + b] == (float)(10 * b + x % 7 + y % 5));
    }
    free(pixels);
    free(valid);
}

static void larger_pixels_are_means(void **state)
{
    char file[TEMPDIR_PATH], path[SG_PATH_MAX];
    made_raster made = scene_with(blocks_of_two);
    sg_raster *view = view_of(tempdir_path(state, "plain.tif", file), &made, 20, path);
    check_halves(view, 0);
    sg_raster_close(view);
    sg_resample_close(path);
    assert_int_equal(sg_raster_open(&view, path, NULL, 0), SG_EINPUT);
}

static void nodata_stays_nodata(void **state)
{
    char file[TEMPDIR_PATH], path[SG_PATH_MAX];
    made_raster made = scene_with(with_holes);
    made.nodata = &nodata;
    sg_raster *view = view_of(tempdir_path(state, "nodata.tif", file), &made, 20, path);
    check_halves(view, 1);
    sg_raster_close(view);
    sg_resample_close(path);
}

static void undeclared_nodata_stays_nodata(void **state)
{
    char file[TEMPDIR_PATH], path[SG_PATH_MAX];
    made_raster made = scene_with(with_holes);
    sg_spec spec = two_bands(20);
    spec.has_nodata = 1;
    spec.nodata = nodata;
    sg_raster *view = view_for(&spec, tempdir_path(state, "fill.tif", file), &made, path);
    check_halves(view, 1);
    sg_raster_close(view);
    sg_resample_close(path);
}

static void what_is_transparent_stays_so(void **state)
{
    char file[TEMPDIR_PATH], path[SG_PATH_MAX];
    made_raster made = scene_with(with_alpha);
    made.bands = 3;
    made.alpha = 3;
    sg_raster *view = view_of(tempdir_path(state, "alpha.tif", file), &made, 20, path);
    check_halves(view, 1);
    sg_raster_close(view);
    sg_resample_close(path);
}

/* Tiling rests on it: a pixel is the same in whatever window it is read. */
static void pixels_do_not_depend_on_the_window(void **state)
{
    static const double gsd[] = {7.3, 26};
    for (int i = 0; i < 2; i++) {
        char file[TEMPDIR_PATH], path[SG_PATH_MAX];
        float *whole, *part;
        uint8_t *whole_valid, *part_valid;
        made_raster made = scene_with(made_ramp);
        sg_raster *view = view_of(tempdir_path(state, "ramp.tif", file), &made, gsd[i], path);
        int64_t w = sg_raster_get_info(view)->width, h = sg_raster_get_info(view)->height;
        read_made(view, (sg_window){0, 0, w, h}, &whole, &whole_valid);
        for (int64_t y = 0; y + 9 <= h; y += 7)
            for (int64_t x = 0; x + 11 <= w; x += 5) {
                read_made(view, (sg_window){x, y, 11, 9}, &part, &part_valid);
                for (int64_t row = 0; row < 9; row++)
                    assert_memory_equal(part + row * 11 * 2, whole + ((y + row) * w + x) * 2,
                                        11 * 2 * sizeof(float));
                free(part);
                free(part_valid);
            }
        free(whole);
        free(whole_valid);
        sg_raster_close(view);
        sg_resample_close(path);
    }
}

static void rotated_axes_stay_rotated(void **state)
{
    static const double rotated[6] = {346000, 8, -6, 3842000, 6, 8};
    char file[TEMPDIR_PATH], path[SG_PATH_MAX];
    made_raster made = scene_with(blocks_of_two);
    made.geotransform = rotated;
    sg_raster *view = view_of(tempdir_path(state, "rotated.tif", file), &made, 20, path);
    const double *gt = sg_raster_get_info(view)->geotransform;
    assert_true(fabs(gt[1] - 16) < 1e-9 && fabs(gt[2] + 12) < 1e-9);
    check_halves(view, 0);
    sg_raster_close(view);
    sg_resample_close(path);
}

static void a_scene_without_geotransform_is_refused(void **state)
{
    char file[TEMPDIR_PATH], path[SG_PATH_MAX] = "";
    made_raster made = scene_with(blocks_of_two);
    made.geotransform = NULL;
    made.crs = NULL;
    sg_gdal_start(1 << 20);
    make_raster(tempdir_path(state, "no_place.tif", file), &made);
    sg_raster *scene = open_made(file);
    sg_spec spec = two_bands(20);
    assert_int_equal(sg_resample_open(scene, &spec, path), SG_EINPUT);
    assert_non_null(strstr(sg_error_text(), "no_place.tif"));
    sg_raster_close(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(larger_pixels_are_means),
        cmocka_unit_test(nodata_stays_nodata),
        cmocka_unit_test(undeclared_nodata_stays_nodata),
        cmocka_unit_test(what_is_transparent_stays_so),
        cmocka_unit_test(pixels_do_not_depend_on_the_window),
        cmocka_unit_test(rotated_axes_stay_rotated),
        cmocka_unit_test(a_scene_without_geotransform_is_refused),
    };
    return cmocka_run_group_tests_name("resample", tests, tempdir_make, tempdir_remove);
}
