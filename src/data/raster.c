/* Opening a raster: what it is, which bands are wanted, and how it tells missing data. */
#include "data/raster_private.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_string.h>
#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"
#include "data/mosaic_private.h"
#include "data/stack.h"

void sg_gdal_start(size_t cache_bytes)
{
    GDALAllRegister();
    GDALSetCacheMax64((GIntBig)cache_bytes);
    CPLSetErrorHandler(CPLQuietErrorHandler); /* we put GDAL's text into our own one line */
}

void sg_gdal_cache(size_t bytes)
{
    GDALSetCacheMax64((GIntBig)bytes);
}

double sg_raster_block_bytes(const sg_raster_info *info)
{
    int bits = GDALGetDataTypeSizeBits(GDALGetDataTypeByName(info->type));
    return 2.0 * info->block_w * info->block_h * info->raw_bands * bits / 8;
}

const char *sg_gdal_message(char *buffer, size_t size)
{
    snprintf(buffer, size, "%s", CPLGetLastErrorMsg());
    for (char *c = buffer; *c; c++)
        if (*c == '\n' || *c == '\r')
            *c = ' ';
    return buffer;
}

static sg_err open_dataset(sg_raster *raster, const char *path)
{
    char text[512];
    if (strlen(path) >= sizeof(raster->info.path))
        return sg_fail(SG_EINPUT, "%.64s...: the path is longer than %d characters", path,
                       SG_PATH_MAX - 1);
    snprintf(raster->info.path, sizeof(raster->info.path), "%s", path);
    CPLErrorReset();
    raster->dataset = GDALOpenEx(path, GDAL_OF_RASTER | GDAL_OF_READONLY | GDAL_OF_VERBOSE_ERROR,
                                 NULL, NULL, NULL);
    if (raster->dataset == NULL)
        return sg_fail(SG_EINPUT, "%s: cannot be opened as a raster: %s", path,
                       sg_gdal_message(text, sizeof(text)));
    return SG_OK;
}

static sg_err check_has_bands(const sg_raster *raster)
{
    if (GDALGetRasterCount(raster->dataset) > 0)
        return SG_OK;
    char **parts = GDALGetMetadata(raster->dataset, "SUBDATASETS");
    const char *first = CSLFetchNameValue(parts, "SUBDATASET_1_NAME");
    if (first)
        return sg_fail(SG_EINPUT, "%s: holds several rasters; name one of them, e.g. '%s'",
                       raster->info.path, first);
    return sg_fail(SG_EINPUT, "%s: has no raster bands", raster->info.path);
}

static bool is_alpha(GDALRasterBandH band)
{
    return GDALGetRasterColorInterpretation(band) == GCI_AlphaBand;
}

static void fill_bands_info(sg_raster *raster)
{
    sg_raster_info *info = &raster->info;
    info->raw_bands = GDALGetRasterCount(raster->dataset);
    for (int32_t i = 1; i <= info->raw_bands; i++) {
        if (is_alpha(GDALGetRasterBand(raster->dataset, i)))
            info->has_alpha = 1;
        else
            info->bands++;
    }
    GDALRasterBandH first = GDALGetRasterBand(raster->dataset, 1);
    int flags = GDALGetMaskFlags(first);
    int own_mask = !(flags & (GMF_ALL_VALID | GMF_ALPHA | GMF_NODATA));
    info->has_mask = own_mask || (flags & GMF_NODATA && flags & GMF_PER_DATASET);
    info->has_palette = GDALGetRasterColorTable(first) != NULL;
    info->nodata = GDALGetRasterNoDataValue(first, &info->has_nodata);
    GDALDataType type = GDALGetRasterDataType(first);
    snprintf(info->type, sizeof(info->type), "%s", GDALGetDataTypeName(type));
    int block_w = 0, block_h = 0;
    GDALGetBlockSize(first, &block_w, &block_h);
    info->block_w = block_w;
    info->block_h = block_h;
}

static sg_err fill_info(sg_raster *raster)
{
    sg_raster_info *info = &raster->info;
    GDALDriverH driver = GDALGetDatasetDriver(raster->dataset);
    snprintf(info->driver, sizeof(info->driver), "%s", driver ? GDALGetDescription(driver) : "");
    info->width = GDALGetRasterXSize(raster->dataset);
    info->height = GDALGetRasterYSize(raster->dataset);
    fill_bands_info(raster);
    sg_err err = sg_georef_read(&raster->georef, raster->dataset);
    if (err)
        return err;
    memcpy(info->geotransform, raster->georef->geotransform, sizeof(info->geotransform));
    info->has_geotransform = raster->georef->has_geotransform;
    info->has_crs = raster->georef->crs != NULL;
    info->gcps = raster->georef->gcps;
    info->gsd = sg_georef_gsd(raster->georef, info->width, info->height);
    return SG_OK;
}

/* Band numbers into raster->number; all data bands where none are given. */
static sg_err choose_bands(sg_raster *raster, const int32_t *band, int32_t bands)
{
    const sg_raster_info *info = &raster->info;
    int32_t count = band ? bands : info->bands;
    if (count < 1)
        return sg_fail(SG_EINPUT, "%s: has no data bands, only alpha; choose bands by number",
                       info->path);
    if (count > SG_BANDS_MAX)
        return sg_fail(SG_EINPUT, "%s: %d bands are wanted, at most %d can be used; choose some",
                       info->path, count, SG_BANDS_MAX);
    sg_err err = sg_calloc((size_t)count, sizeof(*raster->number), &raster->number);
    if (!err)
        err = sg_calloc((size_t)count, sizeof(*raster->band), &raster->band);
    if (err)
        return err;
    for (int32_t i = 1; !band && i <= info->raw_bands; i++)
        if (!is_alpha(GDALGetRasterBand(raster->dataset, i)))
            raster->number[raster->bands++] = i;
    for (int32_t i = 0; band && i < bands; i++) {
        if (band[i] < 1 || band[i] > info->raw_bands)
            return sg_fail(SG_EINPUT,
                           "%s: band %d does not exist, the file has %d; choose among "
                           "1 .. %d",
                           info->path, band[i], info->raw_bands, info->raw_bands);
        raster->number[raster->bands++] = band[i];
    }
    return SG_OK;
}

static double band_nodata(GDALRasterBandH band, GDALDataType type, int *has)
{
    if (type == GDT_Int64)
        return (double)GDALGetRasterNoDataValueAsInt64(band, has);
    if (type == GDT_UInt64)
        return (double)GDALGetRasterNoDataValueAsUInt64(band, has);
    return GDALGetRasterNoDataValue(band, has);
}

/* Float nodata is compared as GDAL does it, within two units in the last place of a f32: files
 * often carry it as rounded text. */
static void set_nodata(sg_raster_band *band, GDALDataType type)
{
    int has = 0;
    double value = band_nodata(band->handle, type, &has);
    if (!has || isnan(value))
        return; /* NaN is invalid anyway */
    double slack = band->is_float && isfinite(value) ? 2.0 * FLT_EPSILON * fabs(value) : 0.0;
    band->has_nodata = 1;
    band->low = value - slack;
    band->high = value + slack;
}

static sg_err setup_band(sg_raster *raster, int32_t index)
{
    sg_raster_band *band = &raster->band[index];
    band->number = raster->number[index];
    band->handle = GDALGetRasterBand(raster->dataset, band->number);
    GDALDataType type = GDALGetRasterDataType(band->handle);
    if (GDALDataTypeIsComplex(type))
        return sg_fail(SG_EINPUT,
                       "%s: band %d holds complex numbers (%s); write its intensity or another "
                       "real quantity to a new file first",
                       raster->info.path, band->number, GDALGetDataTypeName(type));
    const char *pixel_type = GDALGetMetadataItem(band->handle, "PIXELTYPE", "IMAGE_STRUCTURE");
    band->is_signed_byte = type == GDT_Byte && pixel_type && EQUAL(pixel_type, "SIGNEDBYTE");
    band->is_float = type == GDT_Float32 || type == GDT_Float64;
    set_nodata(band, type);
    if (GDALGetMaskFlags(band->handle) == 0)
        band->mask = GDALGetMaskBand(band->handle);
    bool small = type == GDT_Byte || type == GDT_UInt16 || type == GDT_Int16;
    raster->small_integers &= small;
    raster->exact_f32 &= small || type == GDT_Float32;
    return SG_OK;
}

/* Find what says for the whole dataset which pixels are transparent. An alpha band that was chosen
 * by number is data, not transparency. */
static void setup_mask(sg_raster *raster)
{
    GDALRasterBandH alpha = NULL;
    for (int32_t i = 1; i <= raster->info.raw_bands && !alpha; i++)
        if (is_alpha(GDALGetRasterBand(raster->dataset, i)))
            alpha = GDALGetRasterBand(raster->dataset, i);
    for (int32_t i = 0; i < raster->bands; i++)
        if (raster->band[i].handle == alpha)
            alpha = NULL;
    int flags = GDALGetMaskFlags(raster->band[0].handle);
    bool covers_alpha = flags & GMF_ALPHA;
    if (flags & GMF_PER_DATASET && (alpha || !covers_alpha))
        raster->mask = GDALGetMaskBand(raster->band[0].handle);
    if (!covers_alpha)
        raster->alpha = alpha;
}

static sg_err prepare(sg_raster *raster, const char *path, const int32_t *band, int32_t bands)
{
    sg_err err = open_dataset(raster, path);
    if (!err)
        err = check_has_bands(raster);
    if (!err)
        err = fill_info(raster);
    if (!err)
        err = choose_bands(raster, band, bands);
    for (int32_t i = 0; i < raster->bands && !err; i++)
        err = setup_band(raster, i);
    if (!err)
        setup_mask(raster);
    if (!err)
        err = sg_mosaic_open(&raster->mosaic, raster->dataset);
    return err;
}

sg_err sg_raster_open(sg_raster **out, const char *path, const int32_t *band, int32_t bands)
{
    sg_raster *raster = NULL;
    sg_gdal_watch watch;
    sg_err err = sg_calloc(1, sizeof(*raster), &raster);
    if (err)
        return err;
    raster->exact_f32 = raster->small_integers = 1;
    sg_gdal_watch_start(&watch);
    err = sg_gdal_watch_end(&watch, prepare(raster, path, band, bands), path);
    if (err) {
        sg_raster_close(raster);
        return err;
    }
    *out = raster;
    return SG_OK;
}

/* The stack lies in memory for as long as the raster is open; messages name the scene. */
static sg_err open_stack(sg_raster **raster, const char *path, const sg_spec *spec,
                         const int32_t *band)
{
    static atomic_int counter; /* names must differ within the process */
    char *stack = NULL;
    sg_err err = sg_malloc(SG_PATH_MAX, 1, &stack);
    if (err)
        return err;
    err = sg_path_format(stack, "/vsimem/segtiles_stack/%d.vrt", atomic_fetch_add(&counter, 1) + 1);
    if (!err)
        err = sg_stack_of_scene(stack, path, spec->layer, spec->layers);
    if (!err)
        err = sg_raster_open(raster, stack, band, spec->bands);
    if (err) {
        sg_stack_remove(stack);
        sg_free(stack);
        return err;
    }
    (*raster)->stack = stack;
    return sg_path_format((*raster)->info.path, "%s", path);
}

sg_err sg_raster_open_spec(sg_raster **raster, const char *path, const sg_spec *spec)
{
    const int32_t *band = spec->bands > 0 ? spec->band : NULL;
    sg_err err = spec->layers > 0 ? open_stack(raster, path, spec, band)
                                  : sg_raster_open(raster, path, band, spec->bands);
    if (err)
        return err;
    (*raster)->has_fill = spec->has_nodata;
    (*raster)->fill = (float)spec->nodata;
    return SG_OK;
}

void sg_raster_close(sg_raster *raster)
{
    if (raster == NULL)
        return;
    sg_mosaic_close(raster->mosaic);
    if (raster->dataset)
        GDALClose(raster->dataset);
    if (raster->stack)
        sg_stack_remove(raster->stack);
    sg_free(raster->stack);
    sg_georef_close(raster->georef);
    sg_free(raster->band);
    sg_free(raster->number);
    sg_free(raster->mask_bytes);
    sg_free(raster->valid_bytes);
    sg_free(raster->wide);
    sg_free(raster);
}

const sg_raster_info *sg_raster_get_info(const sg_raster *raster)
{
    return &raster->info;
}

int32_t sg_raster_bands(const sg_raster *raster)
{
    return raster->bands;
}

const char *sg_raster_exact_type(const sg_raster *raster)
{
    GDALDataType type = GDT_Byte;
    for (int32_t i = 0; i < raster->bands; i++) {
        GDALDataType one = GDALGetRasterDataType(raster->band[i].handle);
        type = GDALDataTypeUnion(type, raster->band[i].is_signed_byte ? GDT_Int16 : one);
    }
    bool fits = type == GDT_Byte || type == GDT_UInt16 || type == GDT_Int16;
    return fits ? GDALGetDataTypeName(type) : "Float32";
}

void *sg_raster_dataset(const sg_raster *raster)
{
    return raster->dataset;
}
