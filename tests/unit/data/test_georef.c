/* Georeferencing: kept to the pixel from in to out, compared, and measured. */
#include "made.h"

#include <cpl_string.h>
#include <math.h>
#include <ogr_srs_api.h>
#include <sys/stat.h>

static const double rotated[6] = {346000, 8, 3, 3842000, 3, -8};
static const double south_up[6] = {346000, 10, 0, 3842000, 0, 10};
static const double degrees[6] = {-76.7, 0.0001, 0, 34.7, 0, -0.0001};

static void write_copy(const sg_raster *raster, const char *path)
{
    const sg_raster_info *info = sg_raster_get_info(raster);
    sg_georef *georef = NULL;
    assert_int_equal(sg_raster_georef(raster, &georef), SG_OK);
    sg_geotiff_options options = {
        .width = info->width, .height = info->height, .bands = 1, .block = 64, .georef = georef};
    if (sg_geotiff_create(path, &options))
        fail_msg("%s", sg_error_text());
    sg_georef_close(georef);
}

static void georeferencing_goes_out_as_it_came_in(void **state)
{
    const struct {
        const char *crs;
        const double *geotransform;
    } cases[] = {{"EPSG:32618", north_up}, {"EPSG:32618", rotated},   {"EPSG:32618", south_up},
                 {"EPSG:4326", degrees},   {NULL, north_up},          {NULL, NULL},
                 {"EPSG:26914", rotated},  {"ESRI:102008", south_up}, {"EPSG:4326", NULL}};
    char in[TEMPDIR_PATH], out[TEMPDIR_PATH];
    tempdir_path(state, "in.tif", in);
    tempdir_path(state, "out.tif", out);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        make_raster(
            in, &(made_raster){
                    .w = 90, .h = 70, .crs = cases[i].crs, .geotransform = cases[i].geotransform});
        sg_raster *a = open_made(in);
        write_copy(a, out);
        sg_raster *b = open_made(out);
        assert_true(sg_raster_same_grid(a, b));
        assert_int_equal(sg_raster_get_info(a)->has_crs, cases[i].crs != NULL);
        assert_int_equal(sg_raster_get_info(b)->has_crs, cases[i].crs != NULL);
        assert_memory_equal(sg_raster_get_info(a)->geotransform,
                            sg_raster_get_info(b)->geotransform, 6 * sizeof(double));
        sg_raster_close(a);
        sg_raster_close(b);
    }
}

static void make_with_gcps(const char *path)
{
    make_raster(path, &(made_raster){.w = 90, .h = 70});
    GDAL_GCP gcp[4];
    GDALInitGCPs(4, gcp);
    for (int i = 0; i < 4; i++) {
        gcp[i].dfGCPPixel = i & 1 ? 90 : 0;
        gcp[i].dfGCPLine = i & 2 ? 70 : 0;
        gcp[i].dfGCPX = 346000 + 10 * gcp[i].dfGCPPixel;
        gcp[i].dfGCPY = 3842000 - 10 * gcp[i].dfGCPLine;
    }
    OGRSpatialReferenceH crs = OSRNewSpatialReference(NULL);
    OSRImportFromEPSG(crs, 32618);
    GDALDatasetH dataset = GDALOpen(path, GA_Update);
    assert_int_equal(GDALSetGCPs2(dataset, 4, gcp, crs), CE_None);
    GDALClose(dataset);
    GDALDeinitGCPs(4, gcp);
    OSRDestroySpatialReference(crs);
}

static void ground_control_points_are_kept(void **state)
{
    char in[TEMPDIR_PATH], out[TEMPDIR_PATH];
    tempdir_path(state, "gcp.tif", in);
    tempdir_path(state, "gcp_out.tif", out);
    make_with_gcps(in);
    sg_raster *a = open_made(in);
    write_copy(a, out);
    sg_raster *b = open_made(out);
    assert_int_equal(sg_raster_get_info(b)->gcps, 4);
    assert_true(sg_raster_get_info(b)->has_crs);
    assert_true(sg_raster_same_grid(a, b));
    assert_true(fabs(sg_raster_get_info(a)->gsd - 10) < 1e-6);
    sg_raster_close(a);
    sg_raster_close(b);
}

static void polynomials_are_kept(void **state)
{
    char in[TEMPDIR_PATH], out[TEMPDIR_PATH], list[512] = "1";
    const char *keys[] = {"LINE_OFF",   "SAMP_OFF",   "LAT_OFF",   "LONG_OFF",   "HEIGHT_OFF",
                          "LINE_SCALE", "SAMP_SCALE", "LAT_SCALE", "LONG_SCALE", "HEIGHT_SCALE"};
    tempdir_path(state, "rpc.tif", in);
    tempdir_path(state, "rpc_out.tif", out);
    for (int i = 1; i < 20; i++)
        strcat(list, " 0.5");
    char **rpc = NULL;
    for (int i = 0; i < 10; i++)
        rpc = CSLSetNameValue(rpc, keys[i], "12");
    const char *lists[] = {"LINE_NUM_COEFF", "LINE_DEN_COEFF", "SAMP_NUM_COEFF", "SAMP_DEN_COEFF"};
    for (int i = 0; i < 4; i++)
        rpc = CSLSetNameValue(rpc, lists[i], list);
    make_raster(in, &(made_raster){.w = 90, .h = 70});
    GDALDatasetH dataset = GDALOpen(in, GA_Update);
    GDALSetMetadata(dataset, rpc, "RPC");
    GDALClose(dataset);
    CSLDestroy(rpc);
    sg_raster *a = open_made(in);
    write_copy(a, out);
    sg_raster_close(a);
    dataset = GDALOpen(out, GA_ReadOnly);
    const char *value = GDALGetMetadataItem(dataset, "LAT_OFF", "RPC");
    assert_non_null(value);
    assert_true(atof(value) == 12);
    GDALClose(dataset);
}

static double gsd_of(void **state, const char *crs, const double *geotransform)
{
    char path[TEMPDIR_PATH];
    tempdir_path(state, "gsd.tif", path);
    make_raster(path, &(made_raster){.w = 100, .h = 80, .crs = crs, .geotransform = geotransform});
    sg_raster *raster = open_made(path);
    double gsd = sg_raster_get_info(raster)->gsd;
    sg_raster_close(raster);
    return gsd;
}

static void ground_sampling_distance_is_in_metres(void **state)
{
    const double equator[6] = {10, 0.001, 0, 0.04, 0, -0.001}, feet[6] = {0, 10, 0, 0, 0, -10};
    const double far_north[6] = {10, 0.001, 0, 60.04, 0, -0.001};
    const double oblong[6] = {346000, 4, 0, 3842000, 0, -9};
    assert_true(fabs(gsd_of(state, "EPSG:32618", north_up) - 10) < 1e-9);
    assert_true(fabs(gsd_of(state, "EPSG:32618", rotated) - sqrt(73)) < 1e-9);
    assert_true(fabs(gsd_of(state, "EPSG:32618", oblong) - 6) < 1e-9);
    assert_true(fabs(gsd_of(state, "EPSG:2263", feet) - 3.048006) < 1e-5); /* US survey feet */
    /* WGS 84: a degree is 111 319.49 m by 110 574.28 m at the equator, 55 800 m by 111 412 m at 60.
     */
    assert_true(fabs(gsd_of(state, "EPSG:4326", equator) - sqrt(111.31949 * 110.57428)) < 1e-3);
    assert_true(fabs(gsd_of(state, "EPSG:4326", far_north) - sqrt(55.800 * 111.412)) < 1e-2);
    assert_true(gsd_of(state, NULL, north_up) == 0);
    assert_true(gsd_of(state, NULL, NULL) == 0);
}

static bool same(void **state, int w, const char *crs, const double *gt)
{
    char path[TEMPDIR_PATH], other[TEMPDIR_PATH];
    tempdir_path(state, "same_a.tif", path);
    tempdir_path(state, "same_b.tif", other);
    make_raster(path,
                &(made_raster){.w = 100, .h = 80, .crs = "EPSG:32618", .geotransform = north_up});
    make_raster(other, &(made_raster){.w = w, .h = 80, .crs = crs, .geotransform = gt});
    sg_raster *a = open_made(path), *b = open_made(other);
    bool result = sg_raster_same_grid(a, b);
    assert_int_equal(result, sg_raster_same_grid(b, a));
    sg_raster_close(a);
    sg_raster_close(b);
    return result;
}

static void grids_are_the_same_within_a_hundredth_of_a_pixel(void **state)
{
    const double little[6] = {346000.09, 10, 0, 3842000, 0, -10};
    const double much[6] = {346000.2, 10, 0, 3842000, 0, -10};
    const double wider[6] = {346000, 10.002, 0, 3842000, 0, -10}; /* .02 pixels at the far side */
    assert_true(same(state, 100, "EPSG:32618", north_up));
    assert_true(same(state, 100, "EPSG:32618", little));
    assert_false(same(state, 100, "EPSG:32618", much));
    assert_false(same(state, 100, "EPSG:32618", wider));
    assert_false(same(state, 101, "EPSG:32618", north_up));
    assert_false(same(state, 100, "EPSG:32617", north_up));
    assert_false(same(state, 100, NULL, north_up));
    assert_false(same(state, 100, "EPSG:32618", NULL));
}

static double shared(void **state, const made_raster *first, const made_raster *second)
{
    char path[TEMPDIR_PATH], other[TEMPDIR_PATH];
    double pixels = -1;
    make_raster(tempdir_path(state, "over_a.tif", path), first);
    make_raster(tempdir_path(state, "over_b.tif", other), second);
    sg_raster *a = open_made(path), *b = open_made(other);
    sg_georef *ga = NULL, *gb = NULL;
    assert_int_equal(sg_raster_georef(a, &ga), SG_OK);
    assert_int_equal(sg_raster_georef(b, &gb), SG_OK);
    assert_int_equal(
        sg_georef_footprint_overlap(ga, first->w, first->h, gb, second->w, second->h, &pixels),
        SG_OK);
    sg_georef_close(ga);
    sg_georef_close(gb);
    sg_raster_close(a);
    sg_raster_close(b);
    return pixels;
}

static void footprints_share_what_lies_in_both(void **state)
{
    made_raster a = {.w = 100, .h = 80, .crs = "EPSG:32618", .geotransform = north_up};
    made_raster b = a;
    const double moved[6] = {346700, 10, 0, 3841800, 0, -10},
                 beside[6] = {347000, 10, 0, 3842000, 0, -10};
    assert_true(fabs(shared(state, &a, &a) - 8000) < 1e-6);
    b.geotransform = moved;
    assert_true(fabs(shared(state, &a, &b) - 30 * 60) < 1e-6);
    b.geotransform = beside;
    assert_true(shared(state, &a, &b) < 1e-6);
    const double coarse[6] = {346500, 20, 0, 3842000, 0, 20}; /* south-up: lies north of a */
    b.geotransform = coarse;
    assert_true(shared(state, &a, &b) < 1e-6);
    const double diamond[6] = {346500, 5, -5, 3841800, -5, -5}; /* 100 x 80 pixels of 50 sq m */
    b.geotransform = diamond;
    double part = shared(state, &a, &b);
    assert_true(part > 1000 && part < 4000);
    b.crs = NULL;
    assert_true(shared(state, &a, &b) == 0);
}

/* The same square kilometre in UTM and in degrees. */
static void footprints_are_compared_across_crss(void **state)
{
    made_raster a = {.w = 100, .h = 100, .crs = "EPSG:32618", .geotransform = north_up};
    const double world[6] = {-76.75, 0.0001, 0, 34.75, 0, -0.0001}; /* -76.75 .. -76.65 */
    made_raster b = {.w = 1000, .h = 1000, .crs = "EPSG:4326", .geotransform = world};
    assert_true(fabs(shared(state, &a, &b) - 10000) < 1);
    double there = shared(state, &b, &a); /* 1 sq km in pixels of about 9.15 m by 11.09 m */
    assert_true(fabs(there - 1e6 / (9.158 * 11.092)) < 100);
    const double elsewhere[6] = {10, 0.0001, 0, 50, 0, -0.0001};
    b.geotransform = elsewhere;
    assert_true(shared(state, &a, &b) == 0);
}

static void a_skeleton_holds_everything_but_pixels(void **state)
{
    char path[TEMPDIR_PATH], final_path[TEMPDIR_PATH], aux[TEMPDIR_PATH];
    struct stat status;
    sg_class_table classes = {.count = 2,
                              .item = {{"forest", 1, {1, 2, 3}}, {"a & b", 3, {200, 100, 50}}}};
    const char *metadata[] = {"SEGTILES_MODEL=abc", "B=c=d", NULL}, *names[] = {"class"};
    assert_int_equal(sg_classes_complete(&classes), SG_OK);
    sg_geotiff_options options = {.width = 20000,
                                  .height = 10000,
                                  .bands = 1,
                                  .block = 512,
                                  .classes = &classes,
                                  .band_names = names,
                                  .metadata = metadata,
                                  .has_nodata = 1,
                                  .nodata = 255};
    tempdir_path(state, "skeleton.tif.tmp", path);
    tempdir_path(state, "skeleton.tif", final_path);
    tempdir_path(state, "skeleton.tif.aux.xml", aux);
    assert_int_equal(sg_geotiff_create(path, &options), SG_OK);
    assert_int_equal(stat(path, &status), 0);
    assert_true(status.st_size < 100000);
    assert_int_equal(sg_geotiff_commit(path, final_path), SG_OK);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(access(aux, F_OK), 0);
    GDALDatasetH dataset = GDALOpen(final_path, GA_ReadOnly);
    GDALRasterBandH band = GDALGetRasterBand(dataset, 1);
    assert_null(GDALGetSpatialRef(dataset)); /* GDAL reads .aux.xml no sooner */
    char **categories = GDALGetRasterCategoryNames(band);
    int block_w = 0, block_h = 0, has = 0;
    assert_int_equal(CSLCount(categories), 4);
    assert_string_equal(categories[1], "forest");
    assert_string_equal(categories[2], "");
    assert_string_equal(categories[3], "a & b");
    GDALGetBlockSize(band, &block_w, &block_h);
    assert_true(block_w == 512 && block_h == 512);
    assert_true(GDALGetRasterNoDataValue(band, &has) == 255 && has);
    const GDALColorEntry *entry = GDALGetColorEntry(GDALGetRasterColorTable(band), 3);
    assert_true(entry->c1 == 200 && entry->c2 == 100 && entry->c3 == 50);
    assert_string_equal(GDALGetMetadataItem(dataset, "B", NULL), "c=d");
    assert_string_equal(GDALGetDescription(band), "class");
    assert_string_equal(GDALGetMetadataItem(dataset, "COMPRESSION", "IMAGE_STRUCTURE"), "DEFLATE");
    GDALClose(dataset);
}

static void bands_of_floats_are_interleaved_and_plain(void **state)
{
    char path[TEMPDIR_PATH];
    const char *names[] = {"a", "b", "c", "d"};
    sg_geotiff_options options = {
        .width = 100, .height = 90, .bands = 4, .is_float = 1, .block = 64, .band_names = names};
    tempdir_path(state, "floats.tif", path);
    for (int is_float = 0; is_float < 2; is_float++) {
        options.is_float = is_float;
        assert_int_equal(sg_geotiff_create(path, &options), SG_OK);
        sg_raster *raster = open_made(path);
        assert_int_equal(sg_raster_get_info(raster)->bands, 4); /* none became alpha */
        assert_string_equal(sg_raster_get_info(raster)->type, is_float ? "Float32" : "Byte");
        GDALDatasetH dataset = sg_raster_dataset(raster);
        assert_string_equal(GDALGetMetadataItem(dataset, "INTERLEAVE", "IMAGE_STRUCTURE"), "PIXEL");
        assert_string_equal(GDALGetDescription(GDALGetRasterBand(dataset, 4)), "d");
        sg_raster_close(raster);
    }
}

static void an_unwritable_output_is_refused_by_name(void **state)
{
    char path[TEMPDIR_PATH];
    sg_geotiff_options options = {.width = 100, .height = 90, .bands = 1, .block = 64};
    tempdir_path(state, "no/such/folder.tif", path);
    assert_int_equal(sg_geotiff_create(path, &options), SG_EOUTPUT);
    assert_non_null(strstr(sg_error_text(), path));
    options.width = (int64_t)1 << 40;
    assert_int_equal(sg_geotiff_create(path, &options), SG_EOUTPUT);
}

static void discarding_removes_both_files(void **state)
{
    char path[TEMPDIR_PATH], aux[TEMPDIR_PATH];
    sg_class_table classes = {.count = 1, .nodata = 255, .item = {{"forest", 1, {1, 2, 3}}}};
    sg_geotiff_options options = {
        .width = 100, .height = 90, .bands = 1, .block = 64, .classes = &classes};
    tempdir_path(state, "gone.tif", path);
    tempdir_path(state, "gone.tif.aux.xml", aux);
    assert_int_equal(sg_geotiff_create(path, &options), SG_OK);
    assert_int_equal(access(aux, F_OK), 0);
    sg_geotiff_discard(path);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(access(aux, F_OK), -1);
}

static int start(void **state)
{
    sg_gdal_start((size_t)64 << 20);
    return tempdir_make(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(georeferencing_goes_out_as_it_came_in),
        cmocka_unit_test(ground_control_points_are_kept),
        cmocka_unit_test(polynomials_are_kept),
        cmocka_unit_test(ground_sampling_distance_is_in_metres),
        cmocka_unit_test(grids_are_the_same_within_a_hundredth_of_a_pixel),
        cmocka_unit_test(footprints_share_what_lies_in_both),
        cmocka_unit_test(footprints_are_compared_across_crss),
        cmocka_unit_test(a_skeleton_holds_everything_but_pixels),
        cmocka_unit_test(bands_of_floats_are_interleaved_and_plain),
        cmocka_unit_test(an_unwritable_output_is_refused_by_name),
        cmocka_unit_test(discarding_removes_both_files),
    };
    return cmocka_run_group_tests(tests, start, tempdir_remove);
}
