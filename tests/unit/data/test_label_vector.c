/* Labels from vector layers: what GDAL's tools burn on the warped layer, whatever the window. */
#include "made.h"

#include <cpl_string.h>
#include <gdal_utils.h>
#include <math.h>
#include <ogr_api.h>
#include <ogr_srs_api.h>

#include "data/label.h"

enum { W = 400, H = 300 };

static sg_class_table classes;
static const int32_t codes_of_classes[3] = {1, 2, 4};
static const sg_label_options by_value = {.attribute = "value", .ignore = -1};

/* A layer in EPSG:32618 (or none) over the scene, with `value` (number) and `kind` (text). */
typedef struct {
    GDALDatasetH dataset;
    OGRLayerH layer;
} made_layer;

static made_layer begin_layer(const char *path, const char *crs)
{
    made_layer m = {0};
    OGRSpatialReferenceH srs = NULL;
    if (crs) {
        srs = OSRNewSpatialReference(NULL);
        OSRSetFromUserInput(srs, crs);
        OSRSetAxisMappingStrategy(srs, OAMS_TRADITIONAL_GIS_ORDER);
    }
    m.dataset = GDALCreate(GDALGetDriverByName("GPKG"), path, 0, 0, 0, GDT_Unknown, NULL);
    assert_non_null(m.dataset);
    m.layer = GDALDatasetCreateLayer(m.dataset, "labels", srs, wkbUnknown, NULL);
    OGRFieldDefnH value = OGR_Fld_Create("value", OFTInteger),
                  kind = OGR_Fld_Create("kind", OFTString);
    OGR_L_CreateField(m.layer, value, TRUE);
    OGR_L_CreateField(m.layer, kind, TRUE);
    OGR_Fld_Destroy(value);
    OGR_Fld_Destroy(kind);
    if (srs)
        OSRDestroySpatialReference(srs);
    return m;
}

static void add_wkt(made_layer *m, int value, const char *kind, const char *wkt)
{
    OGRGeometryH geometry = NULL;
    char *text = (char *)wkt;
    assert_int_equal(OGR_G_CreateFromWkt(&text, NULL, &geometry), OGRERR_NONE);
    OGRFeatureH f = OGR_F_Create(OGR_L_GetLayerDefn(m->layer));
    if (value >= 0)
        OGR_F_SetFieldInteger(f, 0, value);
    if (kind)
        OGR_F_SetFieldString(f, 1, kind);
    OGR_F_SetGeometryDirectly(f, geometry);
    assert_int_equal(OGR_L_CreateFeature(m->layer, f), OGRERR_NONE);
    OGR_F_Destroy(f);
}

/* A star of random spikes with a hole, centred somewhere on or near the scene. */
static void add_star(made_layer *m, uint32_t *seed, int value)
{
    char wkt[4096] = "POLYGON ((";
    double cx = 345800 + made_random(seed, 4400), cy = 3842200 - made_random(seed, 3400);
    double size = 50 + made_random(seed, 900);
    for (int ring = 0; ring < 2; ring++) {
        double first[2] = {0};
        for (int i = 0; i <= 12; i++) {
            double r = size * (ring ? 0.3 : 0.4 + made_random(seed, 600) / 1000.0);
            double x = cx + r * cos(i * M_PI / 6), y = cy + r * sin(i * M_PI / 6);
            if (i == 0)
                first[0] = x, first[1] = y;
            if (i == 12)
                x = first[0], y = first[1];
            size_t used = strlen(wkt);
            snprintf(wkt + used, sizeof(wkt) - used, "%s%.6f %.6f", i ? "," : "", x, y);
        }
        strcat(wkt, ring ? "))" : "),(");
    }
    add_wkt(m, value, NULL, wkt);
}

static void make_layer(const char *path, const char *crs, int stars, uint32_t seed)
{
    made_layer m = begin_layer(path, crs);
    for (int i = 0; i < stars; i++)
        add_star(&m, &seed, (int)made_random(&seed, 5));
    add_wkt(&m, 1, NULL, "LINESTRING (345903.3 3841908.1, 349000.7 3839511.9, 349500 3841000.2)");
    add_wkt(&m, 2, NULL, "MULTIPOINT ((347005 3840005), (348004 3841004), (10 10))");
    add_wkt(&m, 4, NULL,
            "MULTIPOLYGON (((346200 3841800,346900 3841800,346900 3841100,346200 "
            "3841100,346200 3841800)),((349700 3839300,350400 3839300,350400 3838800,"
            "349700 3838800,349700 3839300)))");
    add_wkt(&m, 2, NULL,
            "GEOMETRYCOLLECTION (POLYGON ((347300 3841500,347700 3841500,347500 "
            "3841000,347300 3841500)),LINESTRING (346000 3840000,347000 3839000))");
    add_wkt(&m, -1, NULL,
            "POLYGON ((348000 3839900,348400 3839900,348400 3839500,348000 3839900))");
    GDALClose(m.dataset);
}

static sg_raster *make_image(void **state, const char *crs, const double *geotransform)
{
    char path[TEMPDIR_PATH];
    tempdir_path(state, "image.tif", path);
    make_raster(path, &(made_raster){.w = W, .h = H, .crs = crs, .geotransform = geotransform});
    return open_made(path);
}

/*
 * ogr2ogr -t_srs of the whole layer, then gdal_rasterize -a of it onto a copy of the image's grid
 * (an empty raster of -1), which makes values; -at when touched.
 */
static int32_t *burn_whole(void **state, const char *labels, const char *layer,
                           const char *attribute, const sg_raster *image, const char *crs,
                           bool touched)
{
    char warped[TEMPDIR_PATH], grid[TEMPDIR_PATH];
    const sg_raster_info *info = sg_raster_get_info(image);
    int w = (int)info->width, h = (int)info->height;
    tempdir_path(state, "warped.gpkg", warped);
    tempdir_path(state, "burned.tif", grid);
    unlink(warped);
    char *translate[] = {"-t_srs", (char *)crs, "-f", "GPKG", (char *)layer, NULL};
    GDALVectorTranslateOptions *to = GDALVectorTranslateOptionsNew(translate, NULL);
    GDALDatasetH source = GDALOpenEx(labels, GDAL_OF_VECTOR, NULL, NULL, NULL);
    GDALDatasetH vectors = GDALVectorTranslate(warped, NULL, 1, &source, to, NULL);
    assert_non_null(vectors);
    GDALVectorTranslateOptionsFree(to);
    GDALClose(source);
    GDALDatasetH target = GDALCreate(GDALGetDriverByName("GTiff"), grid, w, h, 1, GDT_Int32, NULL);
    GDALSetGeoTransform(target, (double *)info->geotransform);
    GDALSetProjection(target, GDALGetProjectionRef(sg_raster_dataset(image)));
    GDALFillRaster(GDALGetRasterBand(target, 1), -1, 0);
    char *rasterize[] = {"-a",          (char *)attribute,      "-l",
                         (char *)layer, touched ? "-at" : NULL, NULL};
    GDALRasterizeOptions *ro = GDALRasterizeOptionsNew(rasterize, NULL);
    assert_non_null(GDALRasterize(NULL, target, vectors, ro, NULL));
    GDALRasterizeOptionsFree(ro);
    GDALClose(vectors);
    int32_t *values = malloc((size_t)w * (size_t)h * sizeof(int32_t));
    assert_int_equal(GDALRasterIO(GDALGetRasterBand(target, 1), GF_Read, 0, 0, w, h, values, w, h,
                                  GDT_Int32, 0, 0),
                     0);
    GDALClose(target);
    return values;
}

/* Class i is burned as code[i]. */
static uint8_t class_of(const int32_t *code, int32_t codes, int32_t value)
{
    for (int32_t i = 0; i < codes; i++)
        if (code[i] == value)
            return (uint8_t)i;
    return SG_NO_CLASS;
}

/* Random windows, all within the scene's neighbourhood, against the values burned on the whole. */
static void expect_windows(sg_label *label, const sg_raster *image, const int32_t *code,
                           int32_t codes, const int32_t *values, int windows, uint32_t seed)
{
    const sg_raster_info *info = sg_raster_get_info(image);
    int64_t labelled = 0;
    for (int k = 0; k <= windows; k++) {
        uint32_t width = (uint32_t)info->width, height = (uint32_t)info->height;
        sg_window w = {(int)made_random(&seed, width) - 20, (int)made_random(&seed, height) - 20,
                       1 + made_random(&seed, 300), 1 + made_random(&seed, 300)};
        if (k == 0)
            w = (sg_window){0, 0, info->width, info->height};
        uint8_t *out = malloc((size_t)(w.w * w.h));
        assert_int_equal(sg_label_read(label, w, out), SG_OK);
        for (int64_t i = 0; i < w.w * w.h; i++) {
            int64_t x = w.x + i % w.w, y = w.y + i / w.w;
            bool inside = x >= 0 && y >= 0 && x < info->width && y < info->height;
            uint8_t expected =
                inside ? class_of(code, codes, values[y * info->width + x]) : SG_NO_CLASS;
            labelled += expected != SG_NO_CLASS;
            if (out[i] != expected)
                fail_msg("pixel %d, %d of window %d (%d %d %d %d): class %d, not %d", (int)x,
                         (int)y, k, (int)w.x, (int)w.y, (int)w.w, (int)w.h, out[i], expected);
        }
        free(out);
    }
    assert_true(labelled > 500);
}

static void check_against_tools(void **state, const char *image_crs, const double *geotransform,
                                bool touched)
{
    char path[TEMPDIR_PATH];
    sg_label_options options = by_value;
    options.all_touched = touched;
    tempdir_path(state, "labels.gpkg", path);
    for (uint32_t seed = 1; seed <= 3; seed++) {
        unlink(path);
        make_layer(path, "EPSG:32618", 40, seed);
        sg_raster *image = make_image(state, image_crs, geotransform);
        int32_t *values = burn_whole(state, path, "labels", "value", image, image_crs, touched);
        sg_label *label = NULL;
        if (sg_label_open(&label, path, image, &classes, &options))
            fail_msg("%s", sg_error_text());
        expect_windows(label, image, codes_of_classes, 3, values, 25, seed);
        sg_label_close(label);
        sg_raster_close(image);
        free(values);
    }
}

static void layers_in_the_scenes_crs_burn_as_gdal_rasterize(void **state)
{
    check_against_tools(state, "EPSG:32618", north_up, false);
    check_against_tools(state, "EPSG:32618", north_up, true);
}

static void layers_in_another_crs_burn_as_gdal_rasterize_on_the_warped_layer(void **state)
{
    const double degrees[6] = {-76.69, 0.00011, 0, 34.706, 0, -0.00009};
    check_against_tools(state, "EPSG:4326", degrees, false);
    check_against_tools(state, "EPSG:4326", degrees, true);
}

static void rotated_and_south_up_scenes_burn_alike(void **state)
{
    const double rotated[6] = {346000, 8, 3, 3841000, 3, -8},
                 south_up[6] = {346000, 10, 0, 3839000, 0, 10};
    check_against_tools(state, "EPSG:32618", rotated, false);
    check_against_tools(state, "EPSG:32618", south_up, false);
}

/* Edges that run exactly through pixel centres and corners: no window may round them otherwise. */
static void ties_at_pixel_centres_are_broken_alike(void **state)
{
    char path[TEMPDIR_PATH];
    tempdir_path(state, "ties.gpkg", path);
    unlink(path);
    made_layer m = begin_layer(path, "EPSG:32618");
    add_wkt(
        &m, 1, NULL,
        "POLYGON ((346005 3841995,349005 3841995,349005 3839995,346005 3839995,346005 3841995))");
    add_wkt(&m, 2, NULL, "POLYGON ((346100 3841900,347100 3840900,346100 3840900,346100 3841900))");
    add_wkt(&m, 4, NULL, "POLYGON ((347005 3841005,348005 3840005,348005 3841005,347005 3841005))");
    add_wkt(
        &m, 2, NULL,
        "POLYGON ((348000 3841500,348500 3841000,348000 3840500,347500 3841000,348000 3841500))");
    GDALClose(m.dataset);
    sg_raster *image = make_image(state, "EPSG:32618", north_up);
    int32_t *values = burn_whole(state, path, "labels", "value", image, "EPSG:32618", false);
    sg_label *label = NULL;
    assert_int_equal(sg_label_open(&label, path, image, &classes, &by_value), SG_OK);
    expect_windows(label, image, codes_of_classes, 3, values, 200, 7);
    sg_label_close(label);
    sg_raster_close(image);
    free(values);
}

static uint8_t class_at(sg_label *label, int64_t x, int64_t y)
{
    uint8_t out = 77;
    assert_int_equal(sg_label_read(label, (sg_window){x, y, 1, 1}, &out), SG_OK);
    return out;
}

static void text_names_classes_or_their_values(void **state)
{
    char path[TEMPDIR_PATH];
    const sg_label_options by_kind = {.layer = "labels", .attribute = "kind", .ignore = -1};
    const sg_label_options all = {.ignore = -1};
    tempdir_path(state, "text.gpkg", path);
    unlink(path);
    made_layer m = begin_layer(path, "EPSG:32618");
    const char *kinds[] = {"b", "4", "nothing", NULL, " 4 x", "a"};
    for (int i = 0; i < 6; i++) {
        char wkt[256];
        double x = 346000 + 100 * i;
        snprintf(wkt, sizeof(wkt),
                 "POLYGON ((%f 3842000,%f 3842000,%f 3841900,%f 3841900,%f 3842000))", x, x + 100,
                 x + 100, x, x);
        add_wkt(&m, 1, kinds[i], wkt);
    }
    GDALClose(m.dataset);
    sg_raster *image = make_image(state, "EPSG:32618", north_up);
    sg_label *label = NULL;
    assert_int_equal(sg_label_open(&label, path, image, &classes, &by_kind), SG_OK);
    const uint8_t expected[6] = {1, 2, SG_NO_CLASS, SG_NO_CLASS, SG_NO_CLASS, 0};
    for (int i = 0; i < 6; i++)
        assert_int_equal(class_at(label, 10 * i + 5, 5), expected[i]);
    assert_int_equal(class_at(label, 65, 5), SG_NO_CLASS);
    sg_label_close(label);
    assert_int_equal(sg_label_open(&label, path, image, &classes, &all), SG_OK);
    assert_int_equal(class_at(label, 25, 5), 0); /* no attribute: all are class 0 */
    sg_label_close(label);
    sg_raster_close(image);
}

static void scenes_and_layers_without_crs_share_their_coordinates(void **state)
{
    char path[TEMPDIR_PATH];
    tempdir_path(state, "nocrs.shp", path);
    GDALDatasetH dataset =
        GDALCreate(GDALGetDriverByName("ESRI Shapefile"), path, 0, 0, 0, GDT_Unknown, NULL);
    made_layer m = {dataset, GDALDatasetCreateLayer(dataset, "nocrs", NULL, wkbPolygon, NULL)};
    OGRFieldDefnH value = OGR_Fld_Create("value", OFTReal);
    OGR_L_CreateField(m.layer, value, TRUE);
    OGR_Fld_Destroy(value);
    add_wkt(&m, 2, NULL, "POLYGON ((10 20,30 20,30 50,10 50,10 20))");
    GDALClose(dataset);
    sg_raster *image = make_image(state, NULL, NULL); /* pixels are the coordinates */
    sg_label *label = NULL;
    assert_int_equal(sg_label_open(&label, path, image, &classes, &by_value), SG_OK);
    assert_int_equal(class_at(label, 10, 20), 1);
    assert_int_equal(class_at(label, 29, 49), 1);
    assert_int_equal(class_at(label, 30, 49), SG_NO_CLASS);
    sg_label_close(label);
    sg_raster_close(image);
    image = make_image(state, "EPSG:32618", north_up);
    assert_int_equal(sg_label_open(&label, path, image, &classes, &by_value), SG_EINPUT);
    assert_non_null(strstr(sg_error_text(), "no CRS"));
    sg_raster_close(image);
}

static void what_does_not_fit_is_refused_by_name(void **state)
{
    char path[TEMPDIR_PATH];
    const double far_away[6] = {500000, 10, 0, 100000, 0, -10};
    sg_label *label = NULL;
    sg_label_options options = by_value;
    tempdir_path(state, "refused.gpkg", path);
    unlink(path);
    make_layer(path, "EPSG:32618", 3, 1);
    sg_raster *image = make_image(state, "EPSG:32618", north_up);
    strcpy(options.attribute, "Value2");
    assert_int_equal(sg_label_open(&label, path, image, &classes, &options), SG_EINPUT);
    assert_non_null(strstr(sg_error_text(), "no attribute 'Value2'; it has: value, kind"));
    options = by_value;
    strcpy(options.layer, "roads");
    assert_int_equal(sg_label_open(&label, path, image, &classes, &options), SG_EINPUT);
    assert_non_null(strstr(sg_error_text(), "no layer 'roads'; its first one is 'labels'"));
    sg_raster_close(image);
    image = make_image(state, "EPSG:32618", far_away);
    assert_int_equal(sg_label_open(&label, path, image, &classes, &by_value), SG_EINPUT);
    assert_non_null(strstr(sg_error_text(), path));
    assert_non_null(strstr(sg_error_text(), "no feature"));
    sg_raster_close(image);
    image = make_image(state, NULL, north_up);
    assert_int_equal(sg_label_open(&label, path, image, &classes, &by_value), SG_EINPUT);
    assert_non_null(strstr(sg_error_text(), "CRS"));
    sg_raster_close(image);
    assert_null(label);
}

static void the_real_layer_burns_as_gdal_rasterize_on_the_warped_layer(void **state)
{
    if (real_imagery() == NULL) {
        print_message("no real imagery beside the project: skipped\n");
        skip();
    }
    char image_path[SG_PATH_MAX], path[SG_PATH_MAX];
    const sg_label_options options = {.attribute = "Classname", .ignore = -1};
    const char *names[6] = {"Sand",       "WetSand",        "Emergent Wetland", "Forested Wetland",
                            "Herbaceous", "Subtidal Haline"};
    const int32_t codes[6] = {2253, 22531, 2260, 2360, 6201, 2100};
    sg_class_table all = {.count = 6};
    for (int i = 0; i < 6; i++) {
        snprintf(all.item[i].name, SG_CLASS_NAME_MAX, "%s", names[i]);
        all.item[i].value = i;
    }
    assert_int_equal(sg_path_format(image_path, "%s/scenes/sentinel2_8band.tif", real_imagery()),
                     0);
    assert_int_equal(sg_path_format(path, "%s/scenes/rcr_landcover.shp", real_imagery()), 0);
    sg_raster *image = open_made(image_path);
    int32_t *values =
        burn_whole(state, path, "rcr_landcover", "Classvalue", image, "EPSG:4326", false);
    sg_label *label = NULL;
    if (sg_label_open(&label, path, image, &all, &options))
        fail_msg("%s", sg_error_text());
    expect_windows(label, image, codes, 6, values, 100, 11);
    sg_label_close(label);
    sg_raster_close(image);
    free(values);
}

static int start(void **state)
{
    sg_gdal_start((size_t)64 << 20);
    CPLSetConfigOption("OGR_SQLITE_SYNCHRONOUS", "OFF"); /* layers need not outlast the test */
    classes = (sg_class_table){.count = 3, .item = {{"a", 1, {0}}, {"b", 2, {0}}, {"c", 4, {0}}}};
    return sg_classes_complete(&classes) || tempdir_make(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_in_the_scenes_crs_burn_as_gdal_rasterize),
        cmocka_unit_test(layers_in_another_crs_burn_as_gdal_rasterize_on_the_warped_layer),
        cmocka_unit_test(rotated_and_south_up_scenes_burn_alike),
        cmocka_unit_test(ties_at_pixel_centres_are_broken_alike),
        cmocka_unit_test(text_names_classes_or_their_values),
        cmocka_unit_test(scenes_and_layers_without_crs_share_their_coordinates),
        cmocka_unit_test(what_does_not_fit_is_refused_by_name),
        cmocka_unit_test(the_real_layer_burns_as_gdal_rasterize_on_the_warped_layer),
    };
    return cmocka_run_group_tests(tests, start, tempdir_remove);
}
