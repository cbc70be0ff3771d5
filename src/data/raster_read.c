/* Reading a window: pixels to f32, and which of them are valid. */
#include "data/raster_private.h"

#include <cpl_error.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/size.h"
#include "data/mosaic_private.h"

/* The part of a window that lies inside the scene, and where its pixels go. */
typedef struct {
    sg_raster *raster;
    sg_window inner; /* scene coordinates, not empty */
    float *pixels;   /* of inner's first pixel; rows are stride pixels apart */
    uint8_t *valid;
    size_t stride;
} area;

static sg_err read_failed(const area *a)
{
    char text[512];
    return sg_fail(SG_EINPUT,
                   "%s: reading %lld x %lld pixels at column %lld, row %lld failed; the file may "
                   "be damaged or truncated: %s",
                   a->raster->info.path, (long long)a->inner.w, (long long)a->inner.h,
                   (long long)a->inner.x, (long long)a->inner.y,
                   sg_gdal_message(text, sizeof(text)));
}

/* One band's inner window, rows packed. */
static sg_err read_band(const area *a, GDALRasterBandH band, GDALDataType type, void *out)
{
    int w = (int)a->inner.w, h = (int)a->inner.h;
    CPLErrorReset();
    CPLErr status =
        GDALRasterIO(band, GF_Read, (int)a->inner.x, (int)a->inner.y, w, h, out, w, h, type, 0, 0);
    return sg_gdal_succeeded(status) ? SG_OK : read_failed(a);
}

static sg_err read_pixels_f32(const area *a)
{
    sg_raster *raster = a->raster;
    int w = (int)a->inner.w, h = (int)a->inner.h;
    GSpacing pixel = (GSpacing)((size_t)raster->bands * sizeof(float));
    GSpacing line = pixel * (GSpacing)a->stride;
    CPLErrorReset();
    CPLErr status = GDALDatasetRasterIOEx(
        raster->dataset, GF_Read, (int)a->inner.x, (int)a->inner.y, w, h, a->pixels, w, h,
        GDT_Float32, raster->bands, raster->number, pixel, line, sizeof(float), NULL);
    return sg_gdal_succeeded(status) ? SG_OK : read_failed(a);
}

static void fix_signed_bytes(const area *a, int32_t band)
{
    int32_t bands = a->raster->bands;
    for (int64_t y = 0; y < a->inner.h; y++) {
        float *row = a->pixels + (size_t)y * a->stride * (size_t)bands + band;
        for (int64_t x = 0; x < a->inner.w; x++)
            if (row[x * bands] >= 128.0f)
                row[x * bands] -= 256.0f;
    }
}

/* Bands that f32 cannot hold exactly are compared with their nodata value in f64. */
static sg_err read_band_wide(const area *a, int32_t index)
{
    sg_raster *raster = a->raster;
    const sg_raster_band *band = &raster->band[index];
    size_t count = 0;
    sg_err err = sg_size_mul((size_t)a->inner.w, (size_t)a->inner.h, &count);
    if (!err)
        err = sg_grow(&raster->wide, &raster->wide_capacity, count, sizeof(double));
    if (!err)
        err = read_band(a, band->handle, GDT_Float64, raster->wide);
    if (err)
        return err;
    double low = band->has_nodata ? band->low : INFINITY;
    double high = band->has_nodata ? band->high : -INFINITY;
    for (int64_t y = 0; y < a->inner.h; y++) {
        const double *in = raster->wide + y * a->inner.w;
        float *out = a->pixels + (size_t)y * a->stride * (size_t)raster->bands + index;
        uint8_t *valid = a->valid + (size_t)y * a->stride;
        for (int64_t x = 0; x < a->inner.w; x++) {
            valid[x] &= !(in[x] >= low && in[x] <= high);
            out[x * raster->bands] = (float)in[x];
        }
    }
    return SG_OK;
}

static sg_err read_pixels(const area *a)
{
    sg_raster *raster = a->raster;
    sg_err err = SG_OK;
    if (raster->exact_f32)
        err = read_pixels_f32(a);
    for (int32_t i = 0; i < raster->bands && !err; i++)
        if (!raster->exact_f32)
            err = read_band_wide(a, i);
    for (int32_t i = 0; i < raster->bands && !err; i++)
        if (raster->band[i].is_signed_byte)
            fix_signed_bytes(a, i);
    return err;
}

static sg_err apply_mask(const area *a, GDALRasterBandH mask)
{
    sg_raster *raster = a->raster;
    size_t count = 0;
    sg_err err = sg_size_mul((size_t)a->inner.w, (size_t)a->inner.h, &count);
    if (!err)
        err = sg_grow(&raster->mask_bytes, &raster->mask_capacity, count, 1);
    if (!err)
        err = read_band(a, mask, GDT_Byte, raster->mask_bytes);
    if (err)
        return err;
    for (int64_t y = 0; y < a->inner.h; y++) {
        const uint8_t *in = raster->mask_bytes + y * a->inner.w;
        uint8_t *valid = a->valid + (size_t)y * a->stride;
        for (int64_t x = 0; x < a->inner.w; x++)
            valid[x] &= in[x] != 0;
    }
    return SG_OK;
}

static sg_err apply_masks(const area *a)
{
    const sg_raster *raster = a->raster;
    sg_err err = SG_OK;
    if (raster->mask)
        err = apply_mask(a, raster->mask);
    if (raster->alpha && !err)
        err = apply_mask(a, raster->alpha);
    for (int32_t i = 0; i < raster->bands && !err; i++)
        if (raster->band[i].mask)
            err = apply_mask(a, raster->band[i].mask);
    return err;
}

static void check_row(const sg_raster *raster, const float *row, int64_t width, uint8_t *valid)
{
    int32_t bands = raster->bands;
    for (int32_t b = 0; b < bands; b++) {
        const sg_raster_band *band = &raster->band[b];
        const float *in = row + b;
        if (band->is_float || !raster->exact_f32) /* NaN, infinite, or too large for f32 */
            for (int64_t x = 0; x < width; x++)
                valid[x] &= fabsf(in[x * bands]) <= FLT_MAX;
        if (band->has_nodata && raster->exact_f32) {
            float low = (float)band->low, high = (float)band->high;
            for (int64_t x = 0; x < width; x++)
                valid[x] &= !(in[x * bands] >= low && in[x * bands] <= high);
        }
    }
}

static void check_fill(const sg_raster *raster, const float *row, int64_t width, uint8_t *valid)
{
    for (int64_t x = 0; x < width; x++) {
        bool filled = true;
        for (int32_t b = 0; b < raster->bands; b++)
            filled &= row[x * raster->bands + b] == raster->fill;
        valid[x] &= !filled;
    }
}

static void check_values(const area *a)
{
    size_t pixel = (size_t)a->raster->bands * sizeof(float);
    for (int64_t y = 0; y < a->inner.h; y++) {
        float *row = a->pixels + (size_t)y * a->stride * (size_t)a->raster->bands;
        uint8_t *valid = a->valid + (size_t)y * a->stride;
        check_row(a->raster, row, a->inner.w, valid);
        if (a->raster->has_fill)
            check_fill(a->raster, row, a->inner.w, valid);
        if (memchr(valid, 0, (size_t)a->inner.w) == NULL)
            continue;
        for (int64_t x = 0; x < a->inner.w; x++)
            if (!valid[x])
                memset(row + x * a->raster->bands, 0, pixel);
    }
}

static sg_err read_inner(const area *a)
{
    for (int64_t y = 0; y < a->inner.h; y++)
        memset(a->valid + (size_t)y * a->stride, 1, (size_t)a->inner.w);
    sg_err err = apply_masks(a);
    if (!err)
        err = read_pixels(a);
    if (!err)
        check_values(a);
    return err;
}

sg_err sg_raster_read(sg_raster *raster, sg_window window, float *pixels, uint8_t *valid)
{
    size_t count = 0, bytes = 0;
    SG_ASSERT(window.w >= 0 && window.h >= 0);
    sg_err err = sg_size_mul((size_t)window.w, (size_t)window.h, &count);
    if (!err)
        err = sg_size_mul3(count, (size_t)raster->bands, sizeof(float), &bytes);
    if (!err && valid == NULL) {
        err = sg_grow(&raster->valid_bytes, &raster->valid_capacity, count, 1);
        valid = raster->valid_bytes;
    }
    if (err)
        return err;
    sg_window scene = {0, 0, raster->info.width, raster->info.height};
    if (raster->mosaic || !sg_window_contains(scene, window)) {
        memset(pixels, 0, bytes);
        memset(valid, 0, count);
    }
    sg_window inner = sg_window_intersect(window, scene);
    if (sg_window_is_empty(inner))
        return SG_OK;
    size_t skip = (size_t)(inner.y - window.y) * (size_t)window.w + (size_t)(inner.x - window.x);
    if (raster->mosaic)
        return sg_mosaic_read(raster, inner, pixels + skip * (size_t)raster->bands, valid + skip,
                              (size_t)window.w);
    area a = {raster, inner, pixels + skip * (size_t)raster->bands, valid + skip, (size_t)window.w};
    return read_inner(&a);
}

/* ---- as stored ---- */

static sg_raw_type raw_type_of(GDALDataType type)
{
    return type == GDT_Byte     ? SG_RAW_U8
           : type == GDT_UInt16 ? SG_RAW_U16
           : type == GDT_Int16  ? SG_RAW_I16
                                : SG_RAW_F32;
}

sg_raw_type sg_raster_raw_type(const sg_raster *raster)
{
    GDALDataType type = GDALGetRasterDataType(raster->band[0].handle);
    if (raster->mosaic || raster->stack)
        return SG_RAW_F32;
    for (int32_t i = 0; i < raster->bands; i++)
        if (GDALGetRasterDataType(raster->band[i].handle) != type || raster->band[i].is_signed_byte)
            return SG_RAW_F32;
    return raw_type_of(type);
}

static sg_err read_values(const area *a, uint8_t *values)
{
    sg_raster *raster = a->raster;
    int w = (int)a->inner.w, h = (int)a->inner.h;
    GDALDataType type = GDALGetRasterDataType(raster->band[0].handle);
    GSpacing bytes = GDALGetDataTypeSizeBytes(type), pixel = bytes * raster->bands;
    CPLErrorReset();
    CPLErr status = GDALDatasetRasterIOEx(
        raster->dataset, GF_Read, (int)a->inner.x, (int)a->inner.y, w, h, values, w, h, type,
        raster->bands, raster->number, pixel, pixel * (GSpacing)a->stride, bytes, NULL);
    return sg_gdal_succeeded(status) ? SG_OK : read_failed(a);
}

static bool has_nodata(const sg_raster *raster)
{
    bool has = raster->has_fill;
    for (int32_t b = 0; b < raster->bands; b++)
        has |= raster->band[b].has_nodata;
    return has;
}

/* Row by row as f32: the comparisons are those of sg_raster_read. */
static sg_err check_stored(const area *a, sg_raw_type type, const uint8_t *values)
{
    sg_raster *raster = a->raster;
    size_t count = (size_t)a->inner.w * (size_t)raster->bands, size = sg_raw_size(type);
    if (!has_nodata(raster))
        return SG_OK;
    sg_err err = sg_grow(&raster->wide, &raster->wide_capacity, count, sizeof(double));
    for (int64_t y = 0; !err && y < a->inner.h; y++) {
        size_t first = (size_t)y * a->stride;
        const sg_raw_image row = {.type = type,
                                  .values = values + first * (size_t)raster->bands * size};
        sg_raw_to_f32(&row, 1, a->inner.w, raster->bands, (float *)raster->wide);
        check_row(raster, (float *)raster->wide, a->inner.w, a->valid + first);
        if (raster->has_fill)
            check_fill(raster, (float *)raster->wide, a->inner.w, a->valid + first);
    }
    return err;
}

sg_err sg_raster_read_raw(sg_raster *raster, sg_window window, void *values, uint8_t *valid)
{
    sg_raw_type type = sg_raster_raw_type(raster);
    size_t pixel = (size_t)raster->bands * sg_raw_size(type), count = 0, bytes = 0;
    sg_window scene = {0, 0, raster->info.width, raster->info.height};
    sg_window inner = sg_window_intersect(window, scene);
    SG_ASSERT(type != SG_RAW_F32 && window.w >= 0 && window.h >= 0);
    sg_err err = sg_size_mul((size_t)window.w, (size_t)window.h, &count);
    if (!err)
        err = sg_size_mul(count, pixel, &bytes);
    if (err)
        return err;
    if (!sg_window_contains(scene, window)) {
        memset(values, 0, bytes);
        memset(valid, 0, count);
    }
    if (sg_window_is_empty(inner))
        return SG_OK;
    size_t skip = (size_t)(inner.y - window.y) * (size_t)window.w + (size_t)(inner.x - window.x);
    area a = {raster, inner, NULL, valid + skip, (size_t)window.w};
    uint8_t *first = (uint8_t *)values + skip * pixel;
    for (int64_t y = 0; y < inner.h; y++)
        memset(a.valid + (size_t)y * a.stride, 1, (size_t)inner.w);
    err = apply_masks(&a);
    if (!err)
        err = read_values(&a, first);
    return err ? err : check_stored(&a, type, first);
}

/* Does the format say that nothing is stored there? Then all pixels of the band are alike. */
static bool stores_nothing(GDALRasterBandH band, sg_window w)
{
    return GDALGetDataCoverageStatus(band, (int)w.x, (int)w.y, (int)w.w, (int)w.h, 0, NULL) ==
           GDAL_DATA_COVERAGE_STATUS_EMPTY;
}

/* Opaque nowhere. */
static sg_err is_transparent(const area *pixel, GDALRasterBandH mask, sg_window window, bool *blank)
{
    uint8_t value = 1;
    if (!mask || !stores_nothing(mask, window))
        return SG_OK;
    sg_err err = read_band(pixel, mask, GDT_Byte, &value);
    *blank |= err == SG_OK && value == 0;
    return err;
}

/* Where all chosen bands store nothing, one pixel stands for all; but a mask may differ. */
static sg_err bands_are_blank(sg_raster *raster, sg_window window, bool *blank)
{
    float *pixel = NULL;
    uint8_t valid = 1;
    for (int32_t i = 0; i < raster->bands; i++)
        if (raster->band[i].mask || !stores_nothing(raster->band[i].handle, window))
            return SG_OK;
    sg_err err = sg_malloc((size_t)raster->bands, sizeof *pixel, &pixel);
    if (!err)
        err = sg_raster_read(raster, (sg_window){window.x, window.y, 1, 1}, pixel, &valid);
    *blank = !err && !valid;
    sg_free(pixel);
    return err;
}

sg_err sg_raster_is_blank(sg_raster *raster, sg_window window, bool *blank)
{
    area pixel = {.raster = raster, .inner = {window.x, window.y, 1, 1}};
    if (raster->mosaic)
        return sg_mosaic_is_blank(raster, window, blank);
    *blank = false;
    sg_err err = is_transparent(&pixel, raster->mask, window, blank);
    if (!err)
        err = is_transparent(&pixel, raster->alpha, window, blank);
    for (int32_t i = 0; i < raster->bands && !err; i++)
        err = is_transparent(&pixel, raster->band[i].mask, window, blank);
    if (!err && !*blank && !raster->mask && !raster->alpha)
        err = bands_are_blank(raster, window, blank);
    return err;
}
