#include "made.h"

#include <cpl_string.h>
#include <ogr_srs_api.h>

const double north_up[6] = {346000, 10, 0, 3842000, 0, -10};

double made_ramp(int band, int x, int y)
{
    return (7 * band + 3 * x + 5 * y) % 100;
}

static GDALDatasetH create(const char *path, const made_raster *made)
{
    GDALDriverH driver = GDALGetDriverByName(made->driver ? made->driver : "GTiff");
    GDALDataType type = made->type ? made->type : GDT_Byte;
    GDALDatasetH dataset = GDALCreate(driver, path, made->w, made->h, made->bands ? made->bands : 1,
                                      type, (CSLConstList)made->options);
    assert_non_null(dataset);
    return dataset;
}

static void place(GDALDatasetH dataset, const made_raster *made)
{
    if (made->geotransform)
        GDALSetGeoTransform(dataset, (double *)made->geotransform);
    if (made->crs == NULL)
        return;
    OGRSpatialReferenceH crs = OSRNewSpatialReference(NULL);
    assert_int_equal(OSRSetFromUserInput(crs, made->crs), OGRERR_NONE);
    GDALSetSpatialRef(dataset, crs);
    OSRDestroySpatialReference(crs);
}

static void fill(GDALRasterBandH band, int index, const made_raster *made)
{
    made_value value = made->value ? made->value : made_ramp;
    double *row = malloc((size_t)made->w * sizeof(double));
    for (int y = 0; y < made->h; y++) {
        for (int x = 0; x < made->w; x++)
            row[x] = value(index, x, y);
        CPLErr status =
            GDALRasterIO(band, GF_Write, 0, y, made->w, 1, row, made->w, 1, GDT_Float64, 0, 0);
        assert_int_equal(status, CE_None);
    }
    free(row);
}

void make_raster(const char *path, const made_raster *made)
{
    GDALDatasetH dataset = create(path, made);
    place(dataset, made);
    for (int i = 0; i < GDALGetRasterCount(dataset); i++) {
        GDALRasterBandH band = GDALGetRasterBand(dataset, i + 1);
        if (made->alpha == i + 1)
            GDALSetRasterColorInterpretation(band, GCI_AlphaBand);
        if (made->nodata)
            GDALSetRasterNoDataValue(band, *made->nodata);
    }
    for (int i = 0; i < GDALGetRasterCount(dataset); i++)
        fill(GDALGetRasterBand(dataset, i + 1), i, made);
    GDALClose(dataset);
}

sg_raster *open_made(const char *path)
{
    sg_raster *raster = NULL;
    sg_err err = sg_raster_open(&raster, path, NULL, 0);
    if (err)
        fail_msg("%s", sg_error_text());
    return raster;
}

/* A window as it is stored holds the same numbers, and the same pixels are valid. */
static void expect_stored(sg_raster *raster, sg_window window, const float *pixels,
                          const uint8_t *valid)
{
    const int32_t bands = sg_raster_bands(raster);
    const sg_raw_type type = sg_raster_raw_type(raster);
    size_t count = (size_t)(window.w * window.h), values = count * (size_t)bands;
    if (type == SG_RAW_F32 || count == 0)
        return;
    void *stored = malloc(values * sg_raw_size(type));
    float *numbers = malloc(values * sizeof *numbers);
    uint8_t *own = malloc(count);
    memset(own, 77, count);
    assert_int_equal(sg_raster_read_raw(raster, window, stored, own), SG_OK);
    const sg_raw_image image = {.type = type, .values = stored, .valid = own};
    sg_raw_to_f32(&image, window.h, window.w, bands, numbers);
    assert_memory_equal(own, valid, count);
    assert_memory_equal(numbers, pixels, values * sizeof *numbers);
    free(stored);
    free(numbers);
    free(own);
}

void read_made(sg_raster *raster, sg_window window, float **pixels, uint8_t **valid)
{
    size_t count = (size_t)window.w * (size_t)window.h;
    *pixels = malloc(count * (size_t)sg_raster_bands(raster) * sizeof(float));
    *valid = malloc(count);
    if (sg_raster_read(raster, window, *pixels, *valid))
        fail_msg("%s", sg_error_text());
    expect_stored(raster, window, *pixels, *valid);
}

void expect_refused(const char *path, const int32_t *band, int32_t bands, const char *word)
{
    sg_raster *raster = NULL;
    assert_int_equal(sg_raster_open(&raster, path, band, bands), SG_EINPUT);
    assert_null(raster);
    assert_non_null(strstr(sg_error_text(), path));
    if (strstr(sg_error_text(), word) == NULL)
        fail_msg("'%s' lacks '%s'", sg_error_text(), word);
    assert_null(strchr(sg_error_text(), '\n'));
}

void write_text(const char *path, const char *format, ...)
{
    va_list arguments;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    va_start(arguments, format);
    vfprintf(file, format, arguments);
    va_end(arguments);
    fclose(file);
}

uint32_t made_random(uint32_t *state, uint32_t n)
{
    *state = *state * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)*state * n) >> 32);
}

const char *real_imagery(void)
{
    const char *path = getenv("SEGTILES_TEST_DATA");
    if (path == NULL)
        path = SHARED_DATA;
    return access(path, R_OK) == 0 ? path : NULL;
}
