/* Cutlines against the even-odd rule in plain C. */
#include "made.h"

#include <string.h>
#include "data/cutline.h"

enum { W = 60, H = 50, MOST = 8 };

typedef struct {
    int points;
    double x[MOST], y[MOST]; /* pixels; never through the middle of one */
} ring;

static const ring rings[] = {
    {4, {5.21, 40.13, 37.71, 8.37}, {4.17, 6.33, 41.61, 35.77}},
    {3, {30.27, 55.83, 44.31}, {20.19, 28.43, 47.89}},
};

static bool is_inside(const ring *r, double x, double y)
{
    bool inside = false;
    for (int i = 0, j = r->points - 1; i < r->points; j = i++)
        if ((r->y[i] > y) != (r->y[j] > y) &&
            x < (r->x[j] - r->x[i]) * (y - r->y[i]) / (r->y[j] - r->y[i]) + r->x[i])
            inside = !inside;
    return inside;
}

static bool asked(int64_t x, int64_t y)
{
    return is_inside(&rings[0], (double)x + .5, (double)y + .5) ||
           is_inside(&rings[1], (double)x + .5, (double)y + .5);
}

static void write_rings(const char *path, const double t[6])
{
    char text[4096];
    size_t used = 0;
    for (size_t k = 0; k < 2; k++) {
        const ring *r = &rings[k];
        used += (size_t)snprintf(text + used, sizeof text - used,
                                 "%s{\"type\":\"Feature\",\"properties\":{},\"geometry\":{\"type\":"
                                 "\"Polygon\",\"coordinates\":[[",
                                 k ? "," : "");
        for (int i = 0; i <= r->points; i++) {
            double c = r->x[i % r->points], w = r->y[i % r->points];
            used += (size_t)snprintf(text + used, sizeof text - used, "%s[%.6f,%.6f]", i ? "," : "",
                                     t[0] + c * t[1] + w * t[2], t[3] + c * t[4] + w * t[5]);
        }
        used += (size_t)snprintf(text + used, sizeof text - used, "]]}}");
    }
    write_text(path,
               "{\"type\":\"FeatureCollection\",\"crs\":{\"type\":\"name\",\"properties\":{"
               "\"name\":\"urn:ogc:def:crs:EPSG::32618\"}},\"features\":[%s]}",
               text);
}

static void check_window(sg_cutline *cutline, sg_window w)
{
    uint8_t mask[W * H * 4];
    bool misses, any = false;
    assert_true((size_t)(w.w * w.h) <= sizeof mask);
    memset(mask, 1, sizeof mask);
    mask[0] = 0; /* what is 0 stays so */
    assert_int_equal(sg_cutline_apply(cutline, w, mask), SG_OK);
    assert_int_equal(sg_cutline_misses(cutline, w, &misses), SG_OK);
    for (int64_t i = 0; i < w.w * w.h; i++) {
        bool want = asked(w.x + i % w.w, w.y + i / w.w);
        any |= want;
        assert_int_equal(mask[i], want && i > 0);
    }
    assert_int_equal(misses, !any);
}

static void pixels_are_those_with_their_centre_inside(void **state)
{
    (void)state;
    static const double grids[][6] = {{346000, 10, 0, 3842000, 0, -10},
                                      {346000, 10, 0, 3842000, 0, 10},
                                      {346000, 6, 8, 3842000, 8, -6}};
    for (size_t g = 0; g < 3; g++) {
        made_raster made = {.w = W, .h = H, .crs = "EPSG:32618", .geotransform = grids[g]};
        sg_cutline *cutline = NULL;
        uint32_t random = 1;
        make_raster("scene.tif", &made);
        write_rings("cut.geojson", grids[g]);
        sg_raster *scene = open_made("scene.tif");
        assert_int_equal(sg_cutline_open(&cutline, "cut.geojson", NULL, scene), SG_OK);
        sg_window bounds = sg_cutline_bounds(cutline), want = {5, 4, 51, 44};
        assert_memory_equal(&bounds, &want, sizeof want);
        check_window(cutline, (sg_window){0, 0, W, H});
        for (int i = 0; i < 200; i++)
            check_window(cutline,
                         (sg_window){(int64_t)made_random(&random, 70) - 5,
                                     (int64_t)made_random(&random, 60) - 5,
                                     1 + made_random(&random, 30), 1 + made_random(&random, 30)});
        sg_cutline_close(cutline);
        sg_raster_close(scene);
    }
}

static void another_cutline_has_another_identity(void **state)
{
    (void)state;
    double moved[6];
    sg_cutline *a = NULL, *b = NULL, *c = NULL;
    memcpy(moved, north_up, sizeof moved);
    moved[0] += .01;
    make_raster("scene.tif",
                &(made_raster){.w = W, .h = H, .crs = "EPSG:32618", .geotransform = north_up});
    write_rings("a.geojson", north_up);
    write_rings("b.geojson", north_up);
    write_rings("c.geojson", moved);
    sg_raster *scene = open_made("scene.tif");
    assert_int_equal(sg_cutline_open(&a, "a.geojson", NULL, scene), SG_OK);
    assert_int_equal(sg_cutline_open(&b, "b.geojson", "b", scene), SG_OK);
    assert_int_equal(sg_cutline_open(&c, "c.geojson", NULL, scene), SG_OK);
    assert_true(sg_cutline_identity(a) == sg_cutline_identity(b));
    assert_true(sg_cutline_identity(a) != sg_cutline_identity(c));
    sg_cutline_close(a);
    sg_cutline_close(b);
    sg_cutline_close(c);
    sg_raster_close(scene);
}

static int prepare(void **state)
{
    return tempdir_make(state) || chdir(*state) != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_are_those_with_their_centre_inside),
        cmocka_unit_test(another_cutline_has_another_identity),
    };
    sg_gdal_start(1 << 22);
    return cmocka_run_group_tests_name("cutline", tests, prepare, tempdir_remove);
}
