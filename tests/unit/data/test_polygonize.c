/* Polygons of small masks whose patches are known. */
#include "made.h"

#include <ogr_api.h>
#include <string.h>

#include "data/polygonize.h"

static const sg_class_table classes = {
    .count = 2,
    .nodata = 255,
    .item = {{.name = "wood", .value = 1}, {.name = "lake", .value = 2}}};

static void make_mask(const char *path, int w, int h, const uint8_t *values)
{
    GDALDatasetH mask = GDALCreate(GDALGetDriverByName("GTiff"), path, w, h, 1, GDT_Byte, NULL);
    GDALRasterBandH band = GDALGetRasterBand(mask, 1);
    GDALSetRasterNoDataValue(band, 255);
    assert_int_equal(GDALRasterIO(band, GF_Write, 0, 0, w, h, (void *)values, w, h, GDT_Byte, 0, 0),
                     CE_None);
    GDALClose(mask);
}

/* Returns how many outlines there were, and their places. */
static int polygonize(const char *mask, const char *traced, const char *path,
                      sg_outline_place *place)
{
    const sg_outlines_options options = {.mask = mask,
                                         .traced = traced,
                                         .path = path,
                                         .layer = "map",
                                         .classes = &classes,
                                         .has_area = true};
    sg_outlines *outlines = NULL;
    bool more = true;
    int count = 0;
    remove(traced);
    remove(path);
    assert_int_equal(sg_outlines_open(&outlines, &options), SG_OK);
    for (; sg_outlines_next(outlines, &place[count], &more) == SG_OK && more; count++) {
        const sg_outline_facts facts = {.value = 2, .pixels = count + 1, .area = 0.5};
        assert_int_equal(sg_outlines_put(outlines, &facts), SG_OK);
    }
    assert_int_equal(sg_outlines_finish(outlines), SG_OK);
    sg_outlines_close(outlines);
    return count;
}

static const char *const endings[] = {"map.gpkg", "map.fgb"};

static void an_outline_begins_at_its_first_pixel(void **state)
{
    static const uint8_t values[3 * 5] = {255, 2, 1, 1,   2, /**/
                                          2,   2, 1, 255, 2, /**/
                                          2,   1, 1, 2,   2};
    char mask[TEMPDIR_PATH], traced[TEMPDIR_PATH], path[TEMPDIR_PATH];
    tempdir_path(state, "mask.tif", mask);
    tempdir_path(state, "traced.fgb", traced);
    make_mask(mask, 5, 3, values);
    for (int i = 0; i < 2; i++) {
        sg_outline_place place[16];
        bool found[3] = {false};
        tempdir_path(state, endings[i], path);
        assert_int_equal(polygonize(mask, traced, path, place), 3);
        for (int k = 0; k < 3; k++) {
            assert_int_equal(place[k].y, 0);
            assert_in_range(place[k].x, 1, 4);
            found[place[k].x == 4 ? 2 : place[k].x - 1] = true;
        }
        assert_true(found[0] && found[1] && found[2]);
        GDALDatasetH made = GDALOpenEx(path, GDAL_OF_VECTOR, NULL, NULL, NULL);
        OGRLayerH layer = GDALDatasetGetLayer(made, 0);
        assert_string_equal(OGR_L_GetName(layer), "map");
        assert_int_equal(OGR_L_GetFeatureCount(layer, TRUE), 3);
        OGRFeatureH feature = OGR_L_GetNextFeature(layer);
        assert_string_equal(OGR_F_GetFieldAsString(feature, OGR_F_GetFieldIndex(feature, "name")),
                            "lake");
        assert_int_equal(OGR_F_GetFieldIndex(feature, "confidence"), -1);
        OGR_F_Destroy(feature);
        GDALClose(made);
    }
}

static void a_mask_without_data_gives_an_empty_layer(void **state)
{
    char mask[TEMPDIR_PATH], traced[TEMPDIR_PATH], path[TEMPDIR_PATH];
    uint8_t values[20 * 10];
    sg_outline_place place[1];
    memset(values, 255, sizeof(values));
    tempdir_path(state, "mask.tif", mask);
    tempdir_path(state, "traced.fgb", traced);
    make_mask(mask, 20, 10, values);
    for (int i = 0; i < 2; i++) {
        tempdir_path(state, endings[i], path);
        assert_int_equal(polygonize(mask, traced, path, place), 0);
        GDALDatasetH made = GDALOpenEx(path, GDAL_OF_VECTOR, NULL, NULL, NULL);
        assert_non_null(made);
        assert_int_equal(OGR_L_GetFeatureCount(GDALDatasetGetLayer(made, 0), TRUE), 0);
        GDALClose(made);
    }
}

static void failures_name_the_file(void **state)
{
    char mask[TEMPDIR_PATH], traced[TEMPDIR_PATH];
    const uint8_t value = 1;
    sg_outlines *outlines = NULL;
    tempdir_path(state, "mask.tif", mask);
    tempdir_path(state, "traced.fgb", traced);
    remove(traced);
    make_mask(mask, 1, 1, &value);
    sg_outlines_options options = {
        .mask = mask, .traced = traced, .path = "/no/folder.gpkg", .classes = &classes};
    options.layer = "map";
    assert_int_equal(sg_outlines_open(&outlines, &options), SG_EOUTPUT);
    assert_non_null(strstr(sg_error_text(), "/no/folder.gpkg"));
    options.mask = "/no/mask.tif";
    assert_int_equal(sg_outlines_open(&outlines, &options), SG_EINPUT);
    assert_non_null(strstr(sg_error_text(), "/no/mask.tif"));
    assert_int_equal(sg_outlines_check_name("a.shp"), SG_EUSAGE);
    assert_int_equal(sg_outlines_check_name("gpkg"), SG_EUSAGE);
    assert_int_equal(sg_outlines_check_name("a.fgb"), SG_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_outline_begins_at_its_first_pixel),
        cmocka_unit_test(a_mask_without_data_gives_an_empty_layer),
        cmocka_unit_test(failures_name_the_file),
    };
    sg_gdal_start((size_t)64 << 20);
    return cmocka_run_group_tests(tests, tempdir_make, tempdir_remove);
}
