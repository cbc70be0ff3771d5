/* Band statistics against plain sums, and normalisation. */
#include "made.h"

#include <math.h>

#include "data/stats.h"

enum { W = 1300, H = 1100 };

static double shorts(int band, int x, int y)
{
    return (x * 37 + y * 11 + band * 1000) % 5003 - 1000;
}

static double floats(int band, int x, int y)
{
    return sin(x * 0.01 + band) * 50 + cos(y * 0.03) + 1000;
}

static double constant(int band, int x, int y)
{
    return 0.1f;
}

static sg_moments plain_moments(made_value value, int band, double nodata)
{
    long double sum = 0, squares = 0;
    sg_moments m = {.least = INFINITY, .most = -INFINITY};
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            double v = value(band, x, y);
            if (v == nodata)
                continue;
            m.count++;
            sum += v;
            m.least = fmin(m.least, v);
            m.most = fmax(m.most, v);
        }
    m.mean = (double)(sum / m.count);
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            long double d = value(band, x, y) - sum / m.count;
            if (value(band, x, y) != nodata)
                squares += d * d;
        }
    m.m2 = (double)squares;
    return m;
}

/* gcc 12 -O2 drops a pair of casts to float and back where it can vectorise them; not this one. */
static double as_f32(double value)
{
    volatile float narrow = (float)value;
    return narrow;
}

static void expect_moments(sg_moments got, sg_moments expected, double tolerance)
{
    assert_int_equal(got.count, expected.count);
    if (got.least != expected.least || got.most != expected.most)
        fail_msg("%.17g .. %.17g, not %.17g .. %.17g", got.least, got.most, expected.least,
                 expected.most);
    assert_true(fabs(got.mean - expected.mean) <= tolerance * fabs(expected.mean));
    assert_true(fabs(got.m2 - expected.m2) <= tolerance * expected.m2);
}

static void scene_moments_are_those_of_all_valid_pixels(void **state)
{
    char path[TEMPDIR_PATH];
    const double nodata = 77;
    sg_moments moments[2];
    tempdir_path(state, "shorts.tif", path);
    make_raster(
        path,
        &(made_raster){
            .w = W, .h = H, .bands = 1, .type = GDT_Int16, .nodata = &nodata, .value = shorts});
    sg_raster *raster = open_made(path);
    assert_int_equal(sg_stats_blocks(sg_raster_get_info(raster)), 4);
    assert_int_equal(sg_stats_scene(raster, moments), SG_OK);
    expect_moments(moments[0], plain_moments(shorts, 0, nodata), 1e-13);
    sg_raster_close(raster);
    make_raster(path,
                &(made_raster){.w = W, .h = H, .bands = 2, .type = GDT_Float64, .value = floats});
    raster = open_made(path);
    assert_int_equal(sg_stats_scene(raster, moments), SG_OK);
    for (int b = 0; b < 2; b++) { /* values are read as f32: relative 6e-8 */
        sg_moments expected = plain_moments(floats, b, NAN);
        expected.least = as_f32(expected.least);
        expected.most = as_f32(expected.most);
        expect_moments(moments[b], expected, 1e-7);
    }
    sg_raster_close(raster);
}

static void integer_blocks_are_exact(void **state)
{
    char path[TEMPDIR_PATH];
    sg_moments moments;
    tempdir_path(state, "exact.tif", path);
    make_raster(path, &(made_raster){.w = W, .h = H, .type = GDT_Int16, .value = shorts});
    sg_raster *raster = open_made(path);
    assert_int_equal(sg_stats_block(raster, 0, &moments), SG_OK);
    int64_t sum = 0, squares = 0, n = 1024 * 1024;
    for (int y = 0; y < 1024; y++)
        for (int x = 0; x < 1024; x++) {
            int64_t v = (int64_t)shorts(0, x, y);
            sum += v;
            squares += v * v;
        }
    assert_true(moments.mean == (double)sum / (double)n);
    assert_true(moments.m2 == (double)((__int128)n * squares - (__int128)sum * sum) / (double)n);
    sg_raster_close(raster);
}

static void blocks_joined_in_order_give_the_scene(void **state)
{
    char path[TEMPDIR_PATH];
    sg_moments scene, joined = {0}, block;
    tempdir_path(state, "join.tif", path);
    make_raster(path, &(made_raster){.w = W, .h = H, .type = GDT_Float32, .value = floats});
    sg_raster *raster = open_made(path);
    assert_int_equal(sg_stats_scene(raster, &scene), SG_OK);
    for (int64_t i = 3; i >= 0; i--) /* computed in any order, the same */
        assert_int_equal(sg_stats_block(raster, i, &block), SG_OK);
    for (int64_t i = 0; i < 4; i++) {
        assert_int_equal(sg_stats_block(raster, i, &block), SG_OK);
        joined = sg_moments_join(joined, block);
    }
    assert_memory_equal(&scene, &joined, sizeof(scene));
    sg_raster_close(raster);
}

static void a_constant_band_and_an_empty_one_have_std_1(void **state)
{
    char path[TEMPDIR_PATH];
    sg_moments moments;
    const double nodata = 0.1f;
    tempdir_path(state, "constant.tif", path);
    for (int empty = 0; empty < 2; empty++) {
        make_raster(path, &(made_raster){.w = W,
                                         .h = H,
                                         .type = GDT_Float32,
                                         .nodata = empty ? &nodata : NULL,
                                         .value = constant});
        sg_raster *raster = open_made(path);
        assert_int_equal(sg_stats_scene(raster, &moments), SG_OK);
        assert_int_equal(moments.count, empty ? 0 : W * H);
        assert_true(sg_moments_std(moments) == 1.0);
        sg_raster_close(raster);
    }
    assert_true(sg_moments_std((sg_moments){4, 2, 16, 0, 4}) == 2.0);
}

static void many_bands_are_read_in_strips(void **state)
{
    char path[TEMPDIR_PATH];
    sg_moments *moments = calloc(40, sizeof(*moments));
    tempdir_path(state, "bands.tif", path);
    make_raster(path, &(made_raster){.w = 1030, .h = 600, .bands = 40});
    sg_raster *raster = open_made(path);
    assert_int_equal(sg_stats_block(raster, 0, moments), SG_OK);
    for (int b = 0; b < 40; b += 13) {
        double sum = 0, m2 = 0;
        for (int i = 0; i < 1024 * 600; i++)
            sum += made_ramp(b, i % 1024, i / 1024);
        double mean = sum / (1024 * 600);
        for (int i = 0; i < 1024 * 600; i++)
            m2 += pow(made_ramp(b, i % 1024, i / 1024) - mean, 2);
        expect_moments(moments[b], (sg_moments){1024 * 600, mean, m2, 0, 99}, 1e-10);
    }
    sg_raster_close(raster);
    free(moments);
}

static void damage_is_an_error(void **state)
{
    char path[TEMPDIR_PATH];
    sg_moments moments;
    tempdir_path(state, "cut.tif", path);
    make_raster(path, &(made_raster){.w = W, .h = H});
    assert_int_equal(truncate(path, W * H / 2), 0);
    sg_raster *raster = open_made(path);
    assert_int_equal(sg_stats_scene(raster, &moments), SG_EINPUT);
    sg_raster_close(raster);
}

static void normalising_gives_zero_mean_and_spares_invalid_pixels(void **state)
{
    const int band_counts[] = {1, 3, 4, 13, 256, 300, 512};
    for (size_t k = 0; k < sizeof(band_counts) / sizeof(band_counts[0]); k++) {
        int bands = band_counts[k];
        size_t count = 777;
        float *pixels = malloc(count * (size_t)bands * sizeof(float));
        double *mean = malloc((size_t)bands * sizeof(double)),
               *std = malloc((size_t)bands * sizeof(double));
        uint8_t *valid = malloc(count);
        for (int b = 0; b < bands; b++) {
            mean[b] = b - 3;
            std[b] = 1 << b % 5; /* powers of two: dividing is exact */
        }
        for (size_t i = 0; i < count; i++) {
            valid[i] = i % 7 != 3;
            for (int b = 0; b < bands; b++)
                pixels[i * (size_t)bands + (size_t)b] = (float)((int)i % 50 + b);
        }
        sg_normalize_pixels(pixels, valid, count, bands, mean, std);
        for (size_t i = 0; i < count; i++)
            for (int b = 0; b < bands; b++) {
                float expected = valid[i] ? (float)(((int)i % 50 + b - mean[b]) / std[b]) : 0.0f;
                assert_true(pixels[i * (size_t)bands + (size_t)b] == expected);
            }
        free(pixels);
        free(mean);
        free(std);
        free(valid);
    }
}

static void normalising_without_validity_takes_all_pixels(void **state)
{
    float pixels[4] = {1, 2, 3, 4};
    const double mean[2] = {1, 2}, std[2] = {2, 4};
    const float expected[4] = {0, 0, 1, 0.5f};
    sg_normalize_pixels(pixels, NULL, 2, 2, mean, std);
    assert_memory_equal(pixels, expected, sizeof(expected));
}

static int start(void **state)
{
    sg_gdal_start((size_t)64 << 20);
    return tempdir_make(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scene_moments_are_those_of_all_valid_pixels),
        cmocka_unit_test(integer_blocks_are_exact),
        cmocka_unit_test(blocks_joined_in_order_give_the_scene),
        cmocka_unit_test(a_constant_band_and_an_empty_one_have_std_1),
        cmocka_unit_test(many_bands_are_read_in_strips),
        cmocka_unit_test(damage_is_an_error),
        cmocka_unit_test(normalising_gives_zero_mean_and_spares_invalid_pixels),
        cmocka_unit_test(normalising_without_validity_takes_all_pixels),
    };
    return cmocka_run_group_tests(tests, start, tempdir_remove);
}
