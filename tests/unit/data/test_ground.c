/* Areas on the ground, against the ellipsoid's known surface and sums of small cells. */
#include "made.h"

#include <math.h>

#include "data/ground.h"

static const double unit = M_PI / 180;

static sg_ground ground_of(void **state, const char *crs, const double *geotransform)
{
    char path[TEMPDIR_PATH];
    sg_georef *georef = NULL;
    sg_ground ground;
    tempdir_path(state, "ground.tif", path);
    make_raster(path, &(made_raster){.w = 9, .h = 7, .crs = crs, .geotransform = geotransform});
    sg_raster *raster = open_made(path);
    assert_int_equal(sg_raster_georef(raster, &georef), SG_OK);
    sg_ground_make(&ground, georef);
    sg_georef_close(georef);
    sg_raster_close(raster);
    return ground;
}

static double row_area(sg_ground *ground, int64_t y, int64_t n)
{
    sg_ground_set_row(ground, y);
    return sg_ground_run(ground, 0, n);
}

/* One cell, of very many strips: M N cos p dp in the middle of each. */
static double summed(const sg_ground *g, double south, double north)
{
    enum { STRIPS = 200000 };
    long double sum = 0, step = ((long double)north - south) / STRIPS;
    for (int i = 0; i < STRIPS; i++) {
        long double s = sinl(south + (i + 0.5L) * step), w = 1 - (long double)g->e2 * s * s;
        sum += sqrtl(1 - s * s) / (w * w) * step;
    }
    return (double)(sum * (long double)g->a * (long double)g->a * (1 - (long double)g->e2));
}

static bool near(double a, double b, double tolerance)
{
    return fabs(a / b - 1) < tolerance;
}

static void the_whole_ellipsoid_has_its_surface(void **state)
{
    static const double world[6] = {-180, 40, 0, 90, 0, -180.0 / 7};
    sg_ground g = ground_of(state, "EPSG:4326", world);
    double sum = 0;
    for (int y = 0; y < 7; y++)
        sum += row_area(&g, y, 9);
    /* WGS 84: 4 pi times the square of the authalic radius of 6 371 007.180 918 474 m */
    assert_true(near(sum, 4 * M_PI * 6371007.180918474 * 6371007.180918474, 1e-13));
    assert_true(near(sum, 510065621724088.4, 1e-14));
}

/* Far apart and close together, at the equator and the poles. */
static void zones_are_sums_of_strips(void **state)
{
    static const double any[6] = {0, 1, 0, 50, 0, -1};
    static const double zone[][2] = {{0, 1},   {-30, 60}, {89, 90},      {47.1, 47.2},
                                     {-90, 0}, {-.5, .5}, {-61, -60.999}};
    sg_ground g = ground_of(state, "EPSG:4326", any);
    for (size_t i = 0; i < sizeof zone / sizeof *zone; i++) {
        double south = zone[i][0] * unit, north = zone[i][1] * unit;
        double area = sg_ground_zone(&g, (south + north) / 2, north - south);
        assert_true(near(area, summed(&g, south, north), 1e-10)); /* of the strips */
    }
}

/* A pixel of a tenth of a millimetre still has its digits. */
static void small_pixels_keep_their_digits(void **state)
{
    static const double fine[6] = {10, 1e-9, 0, 50, 0, -1e-9};
    sg_ground g = ground_of(state, "EPSG:4326", fine);
    double s = sin(50 * unit), w = 1 - g.e2 * s * s;
    double element = g.a * g.a * (1 - g.e2) * cos(50 * unit) / (w * w) * 1e-18 * unit * unit;
    assert_true(near(row_area(&g, 0, 1), element, 1e-9));
}

static void pixels_end_at_the_pole(void **state)
{
    static const double over[6] = {0, 1, 0, 90.5, 0, -1};
    sg_ground g = ground_of(state, "EPSG:4326", over);
    assert_true(near(row_area(&g, 0, 1), summed(&g, 89.5 * unit, 90 * unit) * unit, 1e-9));
    static const double beyond[6] = {0, 1, 0, 92, 0, -1};
    g = ground_of(state, "EPSG:4326", beyond);
    assert_true(row_area(&g, 0, 1) == 0);
}

/* Slanted and upright rasters that cover the same ground agree. */
static void slanted_pixels_cover_what_upright_ones_do(void **state)
{
    static const double upright[6] = {10, .001, 0, 50, 0, -.001};
    static const double turned[6] = {10, 0, .001, 50, -.001, 0}; /* columns go south */
    sg_ground a = ground_of(state, "EPSG:4326", upright), b = ground_of(state, "EPSG:4326", turned);
    double down = 0;
    for (int y = 0; y < 7; y++)
        down += row_area(&a, y, 1);
    assert_true(near(row_area(&b, 0, 7), down, 1e-12));
}

static void projected_pixels_are_alike(void **state)
{
    static const double rotated[6] = {346000, 8, 3, 3842000, 3, -8};
    sg_ground g = ground_of(state, "EPSG:32618", rotated);
    assert_true(g.known && !g.geographic);
    assert_true(row_area(&g, 3, 10) == 730);
    assert_true(sg_ground_total(&g, 10, 0) == 730);
    g = ground_of(state, "EPSG:2263", rotated); /* in US survey feet */
    assert_true(near(row_area(&g, 3, 1), 73 * pow(1200. / 3937, 2), 1e-12));
}

static void without_a_place_there_is_no_area(void **state)
{
    sg_ground g = ground_of(state, NULL, north_up);
    assert_false(g.known);
    assert_true(row_area(&g, 0, 5) == 0);
    g = ground_of(state, "EPSG:4326", NULL);
    assert_false(g.known);
    assert_true(row_area(&g, 0, 5) == 0);
    sg_ground_make(&g, NULL);
    assert_false(g.known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_ellipsoid_has_its_surface),
        cmocka_unit_test(zones_are_sums_of_strips),
        cmocka_unit_test(small_pixels_keep_their_digits),
        cmocka_unit_test(pixels_end_at_the_pole),
        cmocka_unit_test(slanted_pixels_cover_what_upright_ones_do),
        cmocka_unit_test(projected_pixels_are_alike),
        cmocka_unit_test(without_a_place_there_is_no_area),
    };
    sg_gdal_start((size_t)64 << 20);
    return cmocka_run_group_tests(tests, tempdir_make, tempdir_remove);
}
