/* Mosaics against the rule in plain C, in any window; and what is known to be blank. */
#include "made.h"

#include <cpl_string.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "data/memory.h"
#include "data/mosaic.h"

enum { SCENES = 3, BANDS = 2, W = 40, H = 30, NODATA = 7 };

/* Where the scenes lie on the mosaic that they make, 61 x 52 pixels. */
static const int left[SCENES] = {0, 21, 9}, top[SCENES] = {10, 0, 22};

static double value_of(int scene, int band, int x, int y)
{
    int value = (31 * scene + 13 * band + 3 * x + 5 * y) % 90;
    return value == NODATA && (x + y) % 3 == 0 ? NODATA : value == NODATA ? 8 : value;
}

static double value_0(int band, int x, int y)
{
    return value_of(0, band, x, y);
}
static double value_1(int band, int x, int y)
{
    return value_of(1, band, x, y);
}
static double value_2(int band, int x, int y)
{
    return value_of(2, band, x, y);
}

static const char *const names[SCENES] = {"s0.tif", "s1.tif", "s2.tif"};

static void make_scenes(void)
{
    static const made_value value[SCENES] = {value_0, value_1, value_2};
    static const double nodata = NODATA;
    for (int i = 0; i < SCENES; i++) {
        double t[6] = {346000 + 10 * left[i], 10, 0, 3842000 - 10 * top[i], 0, -10};
        make_raster(names[i], &(made_raster){.w = W,
                                             .h = H,
                                             .bands = BANDS,
                                             .type = GDT_Int16,
                                             .crs = "EPSG:32618",
                                             .geotransform = t,
                                             .nodata = &nodata,
                                             .value = value[i]});
    }
}

static sg_spec plain_spec(void)
{
    return (sg_spec){.bands = BANDS, .band = {2, 1}};
}

/* The first of the scenes, in this order, that has both bands there. */
static int expected(const int order[SCENES], int64_t x, int64_t y, float pixel[BANDS])
{
    for (int k = 0; k < SCENES; k++) {
        int i = order[k], c = (int)x - left[i], r = (int)y - top[i];
        if (c < 0 || r < 0 || c >= W || r >= H)
            continue;
        double a = value_of(i, 0, c, r), b = value_of(i, 1, c, r);
        if (a == NODATA || b == NODATA)
            continue;
        pixel[0] = (float)b; /* the spec reads band 2 first */
        pixel[1] = (float)a;
        return 1;
    }
    pixel[0] = pixel[1] = 0;
    return 0;
}

static void check_window(sg_raster *raster, const int order[SCENES], sg_window w)
{
    float *pixels;
    uint8_t *valid;
    read_made(raster, w, &pixels, &valid);
    for (int64_t i = 0; i < w.w * w.h; i++) {
        float want[BANDS];
        assert_int_equal(valid[i], expected(order, w.x + i % w.w, w.y + i / w.w, want));
        assert_memory_equal(&pixels[i * BANDS], want, sizeof want);
    }
    free(pixels);
    free(valid);
}

static void the_first_scene_with_data_counts_in_any_window(void **state)
{
    (void)state;
    static const int orders[][SCENES] = {{0, 1, 2}, {2, 1, 0}, {1, 2, 0}};
    make_scenes();
    uint32_t random = 3;
    for (size_t k = 0; k < 3; k++) {
        const char *scene[SCENES];
        sg_spec spec = plain_spec();
        sg_mosaic_wish wish = {0};
        sg_raster *raster = NULL;
        for (int i = 0; i < SCENES; i++)
            scene[i] = names[orders[k][i]];
        assert_int_equal(sg_mosaic_make("/vsimem/m/m.vrt", scene, SCENES, &spec, &wish), SG_OK);
        assert_int_equal(sg_raster_open_spec(&raster, "/vsimem/m/m.vrt", &spec), SG_OK);
        const sg_raster_info *info = sg_raster_get_info(raster);
        assert_int_equal(info->width, 61);
        assert_int_equal(info->height, 52);
        assert_true(info->geotransform[0] == 346000 && info->geotransform[3] == 3842000);
        check_window(raster, orders[k], (sg_window){0, 0, 61, 52});
        for (int i = 0; i < 60; i++)
            check_window(raster, orders[k],
                         (sg_window){(int64_t)made_random(&random, 80) - 10,
                                     (int64_t)made_random(&random, 70) - 10,
                                     1 + made_random(&random, 40), 1 + made_random(&random, 40)});
        sg_raster_close(raster);
        sg_memory_forget("/vsimem/m");
    }
}

/* Warped members: what a pixel is does not depend on the window. */
static void a_warped_mosaic_is_the_same_in_any_window(void **state)
{
    (void)state;
    make_scenes();
    sg_spec spec = plain_spec();
    sg_mosaic_wish wish = {.crs = "EPSG:4326"};
    sg_raster *raster = NULL;
    assert_int_equal(sg_mosaic_make("/vsimem/m/w.vrt", names, SCENES, &spec, &wish), SG_OK);
    assert_int_equal(sg_raster_open_spec(&raster, "/vsimem/m/w.vrt", &spec), SG_OK);
    const sg_raster_info *info = sg_raster_get_info(raster);
    sg_window all = {0, 0, info->width, info->height};
    float *whole, *part;
    uint8_t *valid, *part_valid;
    read_made(raster, all, &whole, &valid);
    int64_t known = 0;
    for (int64_t i = 0; i < all.w * all.h; i++)
        known += valid[i];
    assert_true(known > 1500); /* three scenes of 1 200 pixels, overlapping, with holes */
    uint32_t random = 9;
    for (int k = 0; k < 40; k++) {
        sg_window w = {made_random(&random, (uint32_t)all.w), made_random(&random, (uint32_t)all.h),
                       1 + made_random(&random, 20), 1 + made_random(&random, 20)};
        w = sg_window_intersect(w, all);
        read_made(raster, w, &part, &part_valid);
        for (int64_t i = 0; i < w.w * w.h; i++) {
            int64_t at = (w.y + i / w.w) * all.w + w.x + i % w.w;
            assert_int_equal(part_valid[i], valid[at]);
            assert_memory_equal(&part[i * BANDS], &whole[at * BANDS], BANDS * sizeof(float));
        }
        free(part);
        free(part_valid);
    }
    free(whole);
    free(valid);
    sg_raster_close(raster);
    sg_memory_forget("/vsimem/m");
}

static sg_err count_file(void *user, const char *path, const char *text)
{
    int *counts = user;
    counts[text != NULL]++;
    assert_true((strncmp(path, "/vsimem/", 8) == 0) == (text != NULL));
    return SG_OK;
}

static void its_files_can_be_named(void **state)
{
    (void)state;
    make_scenes();
    sg_spec spec = plain_spec();
    sg_mosaic_wish plain = {0}, warped = {.crs = "EPSG:4326"};
    int counts[2] = {0};
    assert_int_equal(sg_mosaic_make("/vsimem/m/m.vrt", names, SCENES, &spec, &plain), SG_OK);
    assert_int_equal(sg_memory_sources("/vsimem/m/m.vrt", count_file, counts), SG_OK);
    assert_int_equal(counts[0], SCENES);
    assert_int_equal(counts[1], 1);
    assert_int_equal(sg_mosaic_make("/vsimem/m/w.vrt", names, SCENES, &spec, &warped), SG_OK);
    memset(counts, 0, sizeof counts);
    assert_int_equal(sg_memory_sources("/vsimem/m/w.vrt", count_file, counts), SG_OK);
    assert_int_equal(counts[0], SCENES);
    assert_int_equal(counts[1], SCENES + 1);
    sg_memory_forget("/vsimem/m");
}

static void scenes_without_a_place_are_refused(void **state)
{
    (void)state;
    make_scenes();
    sg_spec spec = plain_spec();
    sg_mosaic_wish wish = {0}, nowhere = {.crs = "EPSG:nonsense"};
    make_raster("no_crs.tif", &(made_raster){.w = 5, .h = 5, .bands = 2, .geotransform = north_up});
    make_raster("no_place.tif", &(made_raster){.w = 5, .h = 5, .bands = 2, .crs = "EPSG:32618"});
    const char *mixed[] = {"s0.tif", "no_crs.tif"}, *unplaced[] = {"s0.tif", "no_place.tif"};
    assert_int_equal(sg_mosaic_make("/vsimem/m/m.vrt", mixed, 2, &spec, &wish), SG_EINPUT);
    assert_non_null(strstr(sg_error_text(), "no_crs.tif: has no CRS"));
    assert_int_equal(sg_mosaic_make("/vsimem/m/m.vrt", unplaced, 2, &spec, &wish), SG_EINPUT);
    assert_non_null(strstr(sg_error_text(), "no_place.tif: has no geotransform"));
    assert_int_equal(sg_mosaic_make("/vsimem/m/m.vrt", names, 2, &spec, &nowhere), SG_EUSAGE);
    sg_memory_forget("/vsimem/m");
}

/* ---- blank ---- */

/* Blocks of 16 pixels, of which the one at 32, 16 alone is stored. */
static void make_sparse(const char *path, int bands, const double *nodata, int alpha)
{
    const char *options[] = {"TILED=YES",     "BLOCKXSIZE=16",   "BLOCKYSIZE=16",
                             "SPARSE_OK=YES", "INTERLEAVE=BAND", NULL};
    uint8_t ones[256];
    memset(ones, 1, sizeof ones);
    GDALDatasetH dataset = GDALCreate(GDALGetDriverByName("GTiff"), path, 64, 48, bands, GDT_Byte,
                                      (CSLConstList)options);
    for (int i = 1; i <= bands; i++) {
        GDALRasterBandH band = GDALGetRasterBand(dataset, i);
        if (nodata && i != alpha)
            GDALSetRasterNoDataValue(band, *nodata);
        if (i == alpha)
            GDALSetRasterColorInterpretation(band, GCI_AlphaBand);
        assert_int_equal(GDALRasterIO(band, GF_Write, 32, 16, 16, 16, ones, 16, 16, GDT_Byte, 0, 0),
                         CE_None);
    }
    GDALClose(dataset);
}

/* Every window: blank must mean that reading finds nothing valid; known: and the other way round.
 */
static void check_blank(const char *path, const sg_spec *spec, bool known)
{
    sg_raster *raster = NULL;
    assert_int_equal(sg_raster_open_spec(&raster, path, spec), SG_OK);
    for (int64_t y = 0; y < 48; y += 8)
        for (int64_t x = 0; x < 64; x += 8)
            for (int64_t side = 1; side <= 24; side += 23) {
                sg_window w =
                    sg_window_intersect((sg_window){x, y, side, side}, (sg_window){0, 0, 64, 48});
                float *pixels;
                uint8_t *valid;
                bool blank;
                read_made(raster, w, &pixels, &valid);
                assert_int_equal(sg_raster_is_blank(raster, w, &blank), SG_OK);
                bool empty = memchr(valid, 1, (size_t)(w.w * w.h)) == NULL;
                assert_true(!blank || empty);
                sg_window blocks = {x / 16 * 16, y / 16 * 16, 0, 0};
                blocks.w = (w.x + w.w + 15) / 16 * 16 - blocks.x;
                blocks.h = (w.y + w.h + 15) / 16 * 16 - blocks.y;
                bool stored =
                    !sg_window_is_empty(sg_window_intersect(blocks, (sg_window){32, 16, 16, 16}));
                assert_int_equal(blank, known && !stored);
                free(pixels);
                free(valid);
            }
    sg_raster_close(raster);
}

static void blank_is_what_holds_nothing_valid(void **state)
{
    (void)state;
    const double zero = 0, nine = 9;
    sg_spec spec = {.bands = 2, .band = {1, 2}}, filled = spec, other = spec;
    filled.has_nodata = other.has_nodata = 1;
    other.nodata = 5;
    make_sparse("zero.tif", 2, &zero, 0);
    check_blank("zero.tif", &spec, true);
    make_sparse("nine.tif", 2, &nine, 0);
    check_blank("nine.tif", &spec, true);
    make_sparse("data.tif", 2, NULL, 0); /* zeros that are data */
    check_blank("data.tif", &spec, false);
    check_blank("data.tif", &filled, true); /* or are not */
    check_blank("data.tif", &other, false);
    make_sparse("alpha.tif", 3, NULL, 3);
    check_blank("alpha.tif", &spec, true);
    const char *parts[] = {"zero.tif"};
    sg_mosaic_wish wish = {0};
    GDALDatasetH dataset = GDALOpen("zero.tif", GA_Update);
    GDALSetGeoTransform(dataset, (double *)north_up);
    GDALClose(dataset);
    assert_int_equal(sg_mosaic_make("/vsimem/m/z.vrt", parts, 1, &spec, &wish), SG_OK);
    check_blank("/vsimem/m/z.vrt", &spec, true);
    sg_memory_forget("/vsimem/m");
}

static int prepare(void **state)
{
    return tempdir_make(state) || chdir(*state) != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_scene_with_data_counts_in_any_window),
        cmocka_unit_test(a_warped_mosaic_is_the_same_in_any_window),
        cmocka_unit_test(its_files_can_be_named),
        cmocka_unit_test(scenes_without_a_place_are_refused),
        cmocka_unit_test(blank_is_what_holds_nothing_valid),
    };
    sg_gdal_start(1 << 22);
    return cmocka_run_group_tests_name("mosaic", tests, prepare, tempdir_remove);
}
