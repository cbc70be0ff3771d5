/* Reading rasters: every pixel type, any window, and the ways to say that a pixel has no data. */
#include "made.h"

#include <cpl_string.h>
#include <math.h>

static double small_values(int band, int x, int y)
{
    return (x + y + band) % 2;
}

static double wide_values(int band, int x, int y)
{
    return made_ramp(band, x, y) * 500.0;
}

static double signed_values(int band, int x, int y)
{
    return made_ramp(band, x, y) - 50.0;
}

/* The whole raster and some windows equal value(), where they lie inside the scene; outside pixels
 * are 0 and invalid. */
static void expect_values(const char *path, made_value value)
{
    sg_raster *raster = open_made(path);
    const sg_raster_info *info = sg_raster_get_info(raster);
    const sg_window windows[] = {{0, 0, info->width, info->height},
                                 {3, 5, 20, 11},
                                 {-4, -7, 30, 20},
                                 {info->width - 3, info->height - 2, 9, 8},
                                 {-5, -5, info->width + 10, info->height + 10},
                                 {1000, 1000, 4, 4}};
    for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
        sg_window w = windows[i];
        float *pixels = NULL;
        uint8_t *valid = NULL;
        read_made(raster, w, &pixels, &valid);
        for (int64_t k = 0; k < w.w * w.h; k++) {
            int64_t x = w.x + k % w.w, y = w.y + k / w.w;
            bool inside = x >= 0 && y >= 0 && x < info->width && y < info->height;
            assert_int_equal(valid[k], inside);
            for (int32_t b = 0; b < info->bands; b++)
                assert_true(pixels[k * info->bands + b] ==
                            (inside ? (float)value(b, (int)x, (int)y) : 0.0f));
        }
        free(pixels);
        free(valid);
    }
    sg_raster_close(raster);
}

static void every_pixel_type_is_read_as_written(void **state)
{
    const struct {
        GDALDataType type;
        made_value value;
    } cases[] = {
        {GDT_Byte, made_ramp},      {GDT_UInt16, wide_values},  {GDT_Int16, signed_values},
        {GDT_UInt32, wide_values},  {GDT_Int32, signed_values}, {GDT_Float32, signed_values},
        {GDT_Float64, wide_values}, {GDT_Int64, signed_values}, {GDT_UInt64, wide_values}};
    char path[TEMPDIR_PATH];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tempdir_path(state, "type.tif", path);
        make_raster(
            path,
            &(made_raster){
                .w = 37, .h = 23, .bands = 3, .type = cases[i].type, .value = cases[i].value});
        expect_values(path, cases[i].value);
    }
}

static void one_bit_and_signed_bytes_are_read_as_meant(void **state)
{
    const char *bit[] = {"NBITS=1", NULL}, *sign[] = {"PIXELTYPE=SIGNEDBYTE", NULL};
    char path[TEMPDIR_PATH];
    tempdir_path(state, "bits.tif", path);
    make_raster(path, &(made_raster){.w = 37, .h = 23, .options = bit, .value = small_values});
    expect_values(path, small_values);
    make_raster(path,
                &(made_raster){.w = 37, .h = 23, .bands = 2, .options = sign, .value = made_ramp});
    expect_values(path, made_ramp);
}

/* GDAL clamps negative values when it writes Byte, so the bytes are put as 256 + value. */
static double signed_as_bytes(int band, int x, int y)
{
    double value = signed_values(band, x, y);
    return value < 0 ? value + 256 : value;
}

static void signed_bytes_may_be_negative(void **state)
{
    const char *options[] = {"PIXELTYPE=SIGNEDBYTE", NULL};
    char path[TEMPDIR_PATH];
    tempdir_path(state, "int8.tif", path);
    make_raster(
        path,
        &(made_raster){.w = 37, .h = 23, .bands = 2, .options = options, .value = signed_as_bytes});
    expect_values(path, signed_values);
}

static void any_block_layout_and_odd_shape_reads_alike(void **state)
{
    const char *tiled[] = {"TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=32", "COMPRESS=DEFLATE", NULL};
    const char *strip[] = {"BLOCKYSIZE=100000", "INTERLEAVE=BAND", "COMPRESS=LZW", NULL};
    const char *const *layouts[] = {tiled, strip};
    const int sizes[][2] = {{1, 1}, {50, 1}, {1, 50}, {61, 47}};
    char path[TEMPDIR_PATH];
    tempdir_path(state, "layout.tif", path);
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 4; k++) {
            make_raster(path, &(made_raster){.w = sizes[k][0],
                                             .h = sizes[k][1],
                                             .bands = 5,
                                             .type = GDT_UInt16,
                                             .options = layouts[i]});
            expect_values(path, made_ramp);
        }
}

static void random_windows_equal_the_whole(void **state)
{
    const char *tiled[] = {"TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=64", NULL};
    char path[TEMPDIR_PATH];
    uint32_t seed = 5;
    const double nodata = 42;
    tempdir_path(state, "windows.tif", path);
    make_raster(
        path, &(made_raster){.w = 200, .h = 150, .bands = 2, .options = tiled, .nodata = &nodata});
    sg_raster *raster = open_made(path);
    for (int i = 0; i < 50; i++) {
        sg_window w = {(int)made_random(&seed, 240) - 40, (int)made_random(&seed, 190) - 40,
                       1 + made_random(&seed, 90), 1 + made_random(&seed, 90)};
        float *pixels = NULL;
        uint8_t *valid = NULL;
        read_made(raster, w, &pixels, &valid);
        for (int64_t k = 0; k < w.w * w.h; k++) {
            int x = (int)(w.x + k % w.w), y = (int)(w.y + k / w.w);
            bool has = x >= 0 && y >= 0 && x < 200 && y < 150 && made_ramp(0, x, y) != 42 &&
                       made_ramp(1, x, y) != 42;
            assert_int_equal(valid[k], has);
            assert_true(pixels[2 * k] == (has ? (float)made_ramp(0, x, y) : 0.0f));
            assert_true(pixels[2 * k + 1] == (has ? (float)made_ramp(1, x, y) : 0.0f));
        }
        free(pixels);
        free(valid);
    }
    sg_raster_close(raster);
}

static void validity_may_be_left_out(void **state)
{
    char path[TEMPDIR_PATH];
    const double nodata = 6;
    float pixels[6] = {9, 9, 9, 9, 9, 9};
    tempdir_path(state, "novalid.tif", path);
    make_raster(path, &(made_raster){.w = 4, .h = 1, .nodata = &nodata});
    sg_raster *raster = open_made(path);
    assert_int_equal(sg_raster_read(raster, (sg_window){-1, 0, 6, 1}, pixels, NULL), SG_OK);
    const float expected[6] = {0, 0, 3, 0, 9, 0};
    assert_memory_equal(pixels, expected, sizeof(expected));
    sg_raster_close(raster);
}

static void chosen_bands_come_in_the_chosen_order(void **state)
{
    char path[TEMPDIR_PATH];
    const int32_t bands[3] = {4, 1, 4};
    float pixel[3];
    uint8_t valid = 0;
    tempdir_path(state, "order.tif", path);
    make_raster(path, &(made_raster){.w = 8, .h = 8, .bands = 5, .type = GDT_Int16});
    sg_raster *raster = NULL;
    assert_int_equal(sg_raster_open(&raster, path, bands, 3), SG_OK);
    assert_int_equal(sg_raster_bands(raster), 3);
    assert_int_equal(sg_raster_read(raster, (sg_window){2, 3, 1, 1}, pixel, &valid), SG_OK);
    for (int i = 0; i < 3; i++)
        assert_true(pixel[i] == (float)made_ramp(bands[i] - 1, 2, 3));
    sg_raster_close(raster);
}

/* A row of values in one band; which of them count as valid. */
static double row_values[8];
static double from_row(int band, int x, int y)
{
    return row_values[x];
}

static void expect_row(const char *path, GDALDataType type, const double *nodata,
                       const double values[8], const uint8_t expected[8])
{
    float pixels[8];
    uint8_t valid[8];
    memcpy(row_values, values, sizeof(row_values));
    make_raster(path,
                &(made_raster){.w = 8, .h = 1, .type = type, .nodata = nodata, .value = from_row});
    sg_raster *raster = open_made(path);
    assert_int_equal(sg_raster_read(raster, (sg_window){0, 0, 8, 1}, pixels, valid), SG_OK);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(valid[i], expected[i]);
        assert_true(pixels[i] == (expected[i] ? (float)values[i] : 0.0f));
    }
    sg_raster_close(raster);
}

static void nan_and_infinity_are_invalid(void **state)
{
    char path[TEMPDIR_PATH];
    const double values[8] = {1, NAN, 2, INFINITY, -INFINITY, 0, -3, 4};
    const uint8_t expected[8] = {1, 0, 1, 0, 0, 1, 1, 1}, last[8] = {1, 0, 1, 0, 0, 1, 1, 0};
    const double not_a_number = NAN, four = 4;
    tempdir_path(state, "nan.tif", path);
    expect_row(path, GDT_Float32, NULL, values, expected);
    expect_row(path, GDT_Float64, NULL, values, expected);
    expect_row(path, GDT_Float32, &not_a_number, values, expected);
    expect_row(path, GDT_Float64, &four, values, last);
}

static void f64_values_beyond_f32_are_invalid(void **state)
{
    char path[TEMPDIR_PATH];
    const double values[8] = {1, 1e39, 2, -1e300, 3, 1e38, 0, 4};
    tempdir_path(state, "huge.tif", path);
    expect_row(path, GDT_Float64, NULL, values, (const uint8_t[8]){1, 0, 1, 0, 1, 1, 1, 1});
}

static void nodata_is_exact_for_integers(void **state)
{
    char path[TEMPDIR_PATH];
    tempdir_path(state, "nodata.tif", path);
    const double minus = -9999, top = 4294967295.0, low = -2147483648.0, outside = -10000;
    const double shorts[8] = {-9999, -9998, 0, 1, 2, -9999, 9999, 5};
    expect_row(path, GDT_Int16, &minus, shorts, (const uint8_t[8]){0, 1, 1, 1, 1, 0, 1, 1});
    const double words[8] = {4294967295.0, 4294967294.0, 4294967040.0, 0, 1, 4294967295.0, 7, 8};
    expect_row(path, GDT_UInt32, &top, words, (const uint8_t[8]){0, 1, 1, 1, 1, 0, 1, 1});
    const double ints[8] = {-2147483648.0, -2147483647.0, 0, 1, 2, 3, 4, 2147483647.0};
    expect_row(path, GDT_Int32, &low, ints, (const uint8_t[8]){0, 1, 1, 1, 1, 1, 1, 1});
    const double bytes[8] = {0, 1, 2, 3, 4, 5, 254, 255};
    expect_row(path, GDT_Byte, &outside, bytes, (const uint8_t[8]){1, 1, 1, 1, 1, 1, 1, 1});
}

static double filled(int band, int x, int y)
{
    if (x < 3)
        return 255; /* all bands */
    return x == 5 && band == 1 ? 255 : made_ramp(band, x, y);
}

static void undeclared_nodata_is_what_all_bands_hold(void **state)
{
    char path[TEMPDIR_PATH];
    float *pixels;
    uint8_t *valid;
    sg_raster *raster = NULL;
    sg_spec spec = {.bands = 2, .band = {1, 2}, .has_nodata = 1, .nodata = 255};
    make_raster(tempdir_path(state, "filled.tif", path),
                &(made_raster){.w = 8, .h = 2, .bands = 3, .value = filled});
    assert_int_equal(sg_raster_open_spec(&raster, path, &spec), SG_OK);
    read_made(raster, (sg_window){0, 0, 8, 2}, &pixels, &valid);
    for (int i = 0; i < 16; i++) {
        assert_int_equal(valid[i], i % 8 >= 3);
        for (int b = 0; b < 2; b++)
            assert_true(pixels[2 * i + b] == (valid[i] ? filled(b, i % 8, i / 8) : 0));
    }
    free(pixels);
    free(valid);
    sg_raster_close(raster);
    spec = (sg_spec){.bands = 1, .band = {2}, .has_nodata = 1, .nodata = 255};
    assert_int_equal(sg_raster_open_spec(&raster, path, &spec), SG_OK);
    read_made(raster, (sg_window){5, 0, 1, 1}, &pixels, &valid);
    assert_int_equal(valid[0], 0); /* one band is all bands */
    free(pixels);
    free(valid);
    sg_raster_close(raster);
}

static void float_nodata_may_be_rounded_text(void **state)
{
    char path[TEMPDIR_PATH];
    const double lowest = -3.40282306e38, lowest64 = -1.7976931348623157e308, zero = 0;
    const double values[8] = {-3.4028234663852886e38, 0, 1, -3e38, 2, 3, 4, 5};
    tempdir_path(state, "fnodata.tif", path);
    expect_row(path, GDT_Float32, &lowest, values, (const uint8_t[8]){0, 1, 1, 1, 1, 1, 1, 1});
    expect_row(path, GDT_Float32, &zero, values, (const uint8_t[8]){1, 0, 1, 1, 1, 1, 1, 1});
    const double wide[8] = {-1.7976931348623157e308, 0, 1, 2, 3, 4, 5, 6};
    expect_row(path, GDT_Float64, &lowest64, wide, (const uint8_t[8]){0, 1, 1, 1, 1, 1, 1, 1});
}

static void bands_of_a_vrt_may_have_different_nodata_and_types(void **state)
{
    char path[TEMPDIR_PATH], vrt[TEMPDIR_PATH];
    tempdir_path(state, "base.tif", path);
    tempdir_path(state, "bands.vrt", vrt);
    make_raster(path, &(made_raster){.w = 20, .h = 10, .bands = 2});
    write_text(vrt,
               "<VRTDataset rasterXSize='20' rasterYSize='10'>"
               "<VRTRasterBand dataType='Byte' band='1'><NoDataValue>30</NoDataValue><SimpleSource>"
               "<SourceFilename relativeToVRT='1'>base.tif</SourceFilename><SourceBand>1"
               "</SourceBand></SimpleSource></VRTRasterBand>"
               "<VRTRasterBand dataType='Float64' band='2'><NoDataValue>47</NoDataValue>"
               "<SimpleSource><SourceFilename relativeToVRT='1'>base.tif</SourceFilename>"
               "<SourceBand>2</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>");
    sg_raster *raster = open_made(vrt);
    float *pixels = NULL;
    uint8_t *valid = NULL;
    int holes = 0;
    read_made(raster, (sg_window){0, 0, 20, 10}, &pixels, &valid);
    for (int i = 0; i < 200; i++) {
        int x = i % 20, y = i / 20;
        bool has = made_ramp(0, x, y) != 30 && made_ramp(1, x, y) != 47;
        holes += !has;
        assert_int_equal(valid[i], has);
        assert_true(pixels[2 * i + 1] == (has ? (float)made_ramp(1, x, y) : 0.0f));
    }
    assert_true(holes == 6);
    free(pixels);
    free(valid);
    sg_raster_close(raster);
}

/* Opaque in the left half, half transparent next, and transparent on the right. */
static double with_alpha(int band, int x, int y)
{
    if (band == 3)
        return x < 10 ? 255 : x < 15 ? 128 : 0;
    return made_ramp(band, x, y);
}

static void expect_left(sg_raster *raster, int64_t edge)
{
    float *pixels = NULL;
    uint8_t *valid = NULL;
    int32_t bands = sg_raster_bands(raster);
    read_made(raster, (sg_window){0, 0, 20, 6}, &pixels, &valid);
    for (int64_t i = 0; i < 120; i++) {
        assert_int_equal(valid[i], i % 20 < edge);
        assert_true(pixels[i * bands] ==
                    (i % 20 < edge ? (float)made_ramp(0, (int)(i % 20), (int)(i / 20)) : 0.0f));
    }
    free(pixels);
    free(valid);
    sg_raster_close(raster);
}

static void transparent_pixels_of_an_alpha_band_are_invalid(void **state)
{
    char path[TEMPDIR_PATH];
    const int32_t chosen[2] = {1, 4};
    const double nodata = 200;
    sg_raster *raster = NULL;
    tempdir_path(state, "alpha.tif", path);
    make_raster(path, &(made_raster){.w = 20, .h = 6, .bands = 4, .alpha = 4, .value = with_alpha});
    raster = open_made(path);
    assert_int_equal(sg_raster_get_info(raster)->bands, 3);
    assert_int_equal(sg_raster_get_info(raster)->raw_bands, 4);
    assert_int_equal(sg_raster_get_info(raster)->has_alpha, 1);
    expect_left(raster, 15);
    assert_int_equal(sg_raster_open(&raster, path, chosen, 2), SG_OK);
    expect_left(raster, 20); /* chosen by number: data */
    make_raster(
        path, &(made_raster){
                  .w = 20, .h = 6, .bands = 4, .alpha = 4, .nodata = &nodata, .value = with_alpha});
    expect_left(open_made(path), 15); /* GDAL's mask then knows of nodata only */
}

/* Add a dataset mask that is transparent right of column 12. */
static void add_mask(const char *path)
{
    uint8_t mask[120];
    for (int i = 0; i < 120; i++)
        mask[i] = i % 20 < 12 ? 255 : 0;
    GDALDatasetH dataset = GDALOpen(path, GA_Update);
    assert_int_equal(GDALCreateDatasetMaskBand(dataset, GMF_PER_DATASET), CE_None);
    GDALRasterBandH band = GDALGetMaskBand(GDALGetRasterBand(dataset, 1));
    assert_int_equal(GDALRasterIO(band, GF_Write, 0, 0, 20, 6, mask, 20, 6, GDT_Byte, 0, 0), 0);
    GDALClose(dataset);
}

static void mask_files_and_internal_masks_are_heeded(void **state)
{
    char path[TEMPDIR_PATH], mask_file[TEMPDIR_PATH];
    for (int internal = 0; internal < 2; internal++) {
        tempdir_path(state, internal ? "internal.tif" : "external.tif", path);
        tempdir_path(state, internal ? "internal.tif.msk" : "external.tif.msk", mask_file);
        make_raster(path, &(made_raster){.w = 20, .h = 6, .bands = 3});
        CPLSetConfigOption("GDAL_TIFF_INTERNAL_MASK", internal ? "YES" : "NO");
        add_mask(path);
        CPLSetConfigOption("GDAL_TIFF_INTERNAL_MASK", NULL);
        assert_int_equal(access(mask_file, F_OK) == 0, !internal);
        sg_raster *raster = open_made(path);
        assert_int_equal(sg_raster_get_info(raster)->has_mask, 1);
        assert_int_equal(sg_raster_get_info(raster)->bands, 3);
        expect_left(raster, 12);
    }
}

static void a_palettes_indices_are_read(void **state)
{
    char path[TEMPDIR_PATH];
    tempdir_path(state, "palette.png", path);
    GDALDatasetH memory = GDALCreate(GDALGetDriverByName("MEM"), "", 20, 6, 1, GDT_Byte, NULL);
    GDALColorTableH colours = GDALCreateColorTable(GPI_RGB);
    for (int i = 0; i < 256; i++)
        GDALSetColorEntry(colours, i, &(GDALColorEntry){(short)(255 - i), (short)i, 7, 255});
    GDALSetRasterColorTable(GDALGetRasterBand(memory, 1), colours);
    GDALDestroyColorTable(colours);
    uint8_t index[120];
    for (int i = 0; i < 120; i++)
        index[i] = (uint8_t)made_ramp(0, i % 20, i / 20);
    GDALRasterBandH band = GDALGetRasterBand(memory, 1);
    assert_int_equal(GDALRasterIO(band, GF_Write, 0, 0, 20, 6, index, 20, 6, GDT_Byte, 0, 0), 0);
    GDALClose(GDALCreateCopy(GDALGetDriverByName("PNG"), path, memory, 1, NULL, NULL, NULL));
    GDALClose(memory);
    sg_raster *raster = open_made(path);
    assert_int_equal(sg_raster_get_info(raster)->has_palette, 1);
    expect_left(raster, 20);
}

static void what_cannot_be_read_is_refused_by_name(void **state)
{
    char path[TEMPDIR_PATH];
    tempdir_path(state, "absent.tif", path);
    expect_refused(path, NULL, 0, "cannot be opened");
    tempdir_path(state, "text.tif", path);
    write_text(path, "no raster at all");
    expect_refused(path, NULL, 0, "not recognized");
    expect_refused((const char *)*state, NULL, 0, "cannot be opened");
    tempdir_path(state, "complex.tif", path);
    make_raster(path, &(made_raster){.w = 4, .h = 4, .type = GDT_CFloat32});
    expect_refused(path, NULL, 0, "complex numbers (CFloat32)");
    tempdir_path(state, "three.tif", path);
    make_raster(path, &(made_raster){.w = 4, .h = 4, .bands = 3});
    expect_refused(path, (const int32_t[]){1, 4}, 2, "band 4 does not exist, the file has 3");
    expect_refused(path, (const int32_t[]){0}, 1, "band 0");
    tempdir_path(state, "onlyalpha.tif", path);
    make_raster(path, &(made_raster){.w = 4, .h = 4, .alpha = 1});
    expect_refused(path, NULL, 0, "only alpha");
}

static void a_truncated_file_names_itself_and_the_window(void **state)
{
    const char *tiled[] = {"TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=64", NULL};
    char path[TEMPDIR_PATH];
    tempdir_path(state, "cut.tif", path);
    make_raster(path, &(made_raster){.w = 256, .h = 256, .options = tiled});
    assert_int_equal(truncate(path, 40000), 0);
    sg_raster *raster = open_made(path);
    float *pixels = malloc(256 * 256 * sizeof(float));
    assert_int_equal(sg_raster_read(raster, (sg_window){0, 0, 64, 64}, pixels, NULL), SG_OK);
    assert_int_equal(sg_raster_read(raster, (sg_window){100, 190, 60, 50}, pixels, NULL),
                     SG_EINPUT);
    assert_non_null(strstr(sg_error_text(), path));
    assert_non_null(strstr(sg_error_text(), "60 x 50 pixels at column 100, row 190"));
    assert_non_null(strstr(sg_error_text(), "truncated"));
    assert_int_equal(sg_raster_read(raster, (sg_window){0, 0, 64, 64}, pixels, NULL), SG_OK);
    free(pixels);
    sg_raster_close(raster);
}

static void hundreds_of_bands_are_read(void **state)
{
    char path[TEMPDIR_PATH];
    tempdir_path(state, "many.tif", path);
    make_raster(path, &(made_raster){.w = 40, .h = 30, .bands = 300, .type = GDT_Int16});
    expect_values(path, made_ramp);
    make_raster(path, &(made_raster){.w = 4, .h = 3, .bands = 600});
    expect_refused(path, NULL, 0, "600 bands");
}

static void the_info_tells_what_the_file_is(void **state)
{
    char path[TEMPDIR_PATH];
    const double nodata = -7;
    const char *tiled[] = {"TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=32", NULL};
    tempdir_path(state, "info.tif", path);
    make_raster(path, &(made_raster){.w = 70,
                                     .h = 50,
                                     .bands = 2,
                                     .type = GDT_Int16,
                                     .options = tiled,
                                     .crs = "EPSG:32618",
                                     .geotransform = north_up,
                                     .nodata = &nodata});
    sg_raster *raster = open_made(path);
    const sg_raster_info *info = sg_raster_get_info(raster);
    assert_string_equal(info->path, path);
    assert_string_equal(info->driver, "GTiff");
    assert_string_equal(info->type, "Int16");
    assert_true(info->width == 70 && info->height == 50 && info->bands == 2);
    assert_true(info->block_w == 64 && info->block_h == 32);
    assert_true(info->has_nodata && info->nodata == -7);
    assert_true(info->has_crs && info->has_geotransform && info->gcps == 0);
    assert_true(!info->has_alpha && !info->has_mask && !info->has_palette);
    assert_memory_equal(info->geotransform, north_up, sizeof(north_up));
    assert_true(fabs(info->gsd - 10) < 1e-9);
    sg_raster_close(raster);
}

static void real_scenes_open_as_described(void **state)
{
    const struct {
        const char *name;
        int64_t width;
        int32_t bands;
        double gsd;
    } scenes[] = {
        {"amazon/images/val_97_3.tif", 512, 3, 10},   {"india/images/s019.tif", 1640, 4, 0},
        {"scenes/sentinel2_8band.tif", 2629, 8, 8.2}, {"scenes/naip_2014.tif", 934, 4, 5},
        {"odd/alpha_nodata.tif", 686, 3, 0.353},      {"odd/rotated_sar.tif", 2000, 1, 0.594},
        {"odd/palette_7168x8704.tif", 7168, 1, 1.19}, {"odd/float_nodata_nan.tif", 549, 1, 200}};
    if (real_imagery() == NULL) {
        print_message("no real imagery beside the project: skipped\n");
        skip();
    }
    for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
        char path[SG_PATH_MAX];
        assert_int_equal(sg_path_format(path, "%s/%s", real_imagery(), scenes[i].name), SG_OK);
        sg_raster *raster = open_made(path);
        const sg_raster_info *info = sg_raster_get_info(raster);
        assert_int_equal(info->width, scenes[i].width);
        assert_int_equal(info->bands, scenes[i].bands);
        assert_true(fabs(info->gsd - scenes[i].gsd) <= 0.01 * scenes[i].gsd);
        float *pixels = NULL;
        uint8_t *valid = NULL;
        read_made(raster, (sg_window){info->width / 2, info->height / 2, 300, 300}, &pixels,
                  &valid);
        free(pixels);
        free(valid);
        sg_raster_close(raster);
    }
}

static int start(void **state)
{
    sg_gdal_start((size_t)64 << 20);
    return tempdir_make(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pixel_type_is_read_as_written),
        cmocka_unit_test(one_bit_and_signed_bytes_are_read_as_meant),
        cmocka_unit_test(signed_bytes_may_be_negative),
        cmocka_unit_test(any_block_layout_and_odd_shape_reads_alike),
        cmocka_unit_test(random_windows_equal_the_whole),
        cmocka_unit_test(validity_may_be_left_out),
        cmocka_unit_test(chosen_bands_come_in_the_chosen_order),
        cmocka_unit_test(nan_and_infinity_are_invalid),
        cmocka_unit_test(f64_values_beyond_f32_are_invalid),
        cmocka_unit_test(nodata_is_exact_for_integers),
        cmocka_unit_test(undeclared_nodata_is_what_all_bands_hold),
        cmocka_unit_test(float_nodata_may_be_rounded_text),
        cmocka_unit_test(bands_of_a_vrt_may_have_different_nodata_and_types),
        cmocka_unit_test(transparent_pixels_of_an_alpha_band_are_invalid),
        cmocka_unit_test(mask_files_and_internal_masks_are_heeded),
        cmocka_unit_test(a_palettes_indices_are_read),
        cmocka_unit_test(what_cannot_be_read_is_refused_by_name),
        cmocka_unit_test(a_truncated_file_names_itself_and_the_window),
        cmocka_unit_test(hundreds_of_bands_are_read),
        cmocka_unit_test(the_info_tells_what_the_file_is),
        cmocka_unit_test(real_scenes_open_as_described),
    };
    return cmocka_run_group_tests(tests, start, tempdir_remove);
}
