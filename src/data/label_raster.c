/*
 * Labels from a raster. On the scene's own grid they are read as they are; on another grid through
 * GDAL's warped VRT with nearest neighbour. The VRT's alpha band tells pixels that the label raster
 * does not cover, since 0 may well be a class.
 */
#include "data/label_private.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <gdal_alg.h>
#include <gdal_vrt.h>
#include <gdalwarper.h>
#include <math.h>
#include <string.h>

#include "base/size.h"

struct sg_label_raster {
    char path[SG_PATH_MAX];
    GDALDatasetH source;  /* owned */
    GDALDatasetH warped;  /* owned; NULL when the grids agree */
    void *transformer;    /* owned; used by warped */
    GDALRasterBandH mask; /* of the source when it is not warped and has a mask or alpha */
    int has_nodata;
    double nodata;
    uint8_t class_of[256]; /* by value */
    double *values;        /* scratch: a window in f64, then its coverage */
    size_t capacity;
};

/* A warped label may be off by this much, in pixels: far below what moves a nearest neighbour, and
 * much cheaper than transforming each pixel. */
static const double WARP_TOLERANCE = 0.01;

/* The source's alpha band, 0 when there is none. */
static int alpha_band(const sg_label_raster *label, int *data_bands)
{
    int alpha = 0, bands = GDALGetRasterCount(label->source);
    *data_bands = 0;
    for (int i = 1; i <= bands; i++) {
        GDALRasterBandH band = GDALGetRasterBand(label->source, i);
        if (GDALGetRasterColorInterpretation(band) == GCI_AlphaBand)
            alpha = i;
        else
            (*data_bands)++;
    }
    return alpha;
}

static sg_err check_source(sg_label_raster *label)
{
    GDALRasterBandH band = GDALGetRasterBand(label->source, 1);
    GDALDataType type = GDALGetRasterDataType(band);
    int data_bands = 0;
    alpha_band(label, &data_bands);
    if (data_bands != 1)
        return sg_fail(SG_EINPUT,
                       "%s: has %d bands; labels are one band of class values (take one out with "
                       "gdal_translate -b)",
                       label->path, data_bands);
    if (GDALDataTypeIsComplex(type))
        return sg_fail(SG_EINPUT, "%s: labels cannot be complex numbers (%s)", label->path,
                       GDALGetDataTypeName(type));
    label->nodata = GDALGetRasterNoDataValue(band, &label->has_nodata);
    return SG_OK;
}

static void map_values(sg_label_raster *label, const sg_class_table *classes, int32_t ignore)
{
    memset(label->class_of, SG_NO_CLASS, sizeof(label->class_of));
    for (int32_t i = 0; i < classes->count; i++)
        label->class_of[classes->item[i].value] = (uint8_t)i;
    if (ignore >= 0 && ignore <= 255)
        label->class_of[ignore] = SG_NO_CLASS;
}

/* One side without CRS, or both: the pixels must correspond one to one. */
static sg_err match_without_crs(const sg_label_raster *label, const sg_raster *image,
                                const sg_georef *georef, bool *direct)
{
    const sg_raster_info *info = &image->info;
    int width = GDALGetRasterXSize(label->source), height = GDALGetRasterYSize(label->source);
    bool one_side = (georef->crs == NULL) != (image->georef->crs == NULL);
    if (width != info->width || height != info->height)
        return sg_fail(SG_EINPUT,
                       "%s: %d x %d labels cannot be laid over the %lld x %lld scene %s: %s has no "
                       "CRS; give it one, or labels of the scene's size",
                       label->path, width, height, (long long)info->width, (long long)info->height,
                       info->path, georef->crs ? "the scene" : "the label file");
    bool both_placed = georef->has_geotransform && image->georef->has_geotransform;
    sg_georef plain = *georef;
    plain.crs = image->georef->crs;
    *direct = !both_placed || sg_georef_same(&plain, image->georef, info->width, info->height);
    if (!*direct && one_side)
        return sg_fail(SG_EINPUT,
                       "%s: lies elsewhere than the scene %s, and only one of them has a CRS; give "
                       "the other one its CRS",
                       label->path, info->path);
    return SG_OK;
}

static sg_err check_overlap(const sg_label_raster *label, const sg_raster *image,
                            const sg_georef *georef)
{
    double shared = 0.0;
    int width = GDALGetRasterXSize(label->source), height = GDALGetRasterYSize(label->source);
    if (georef->crs == NULL)
        return SG_OK;
    sg_err err = sg_georef_footprint_overlap(image->georef, image->info.width, image->info.height,
                                             georef, width, height, &shared);
    if (!err && !(shared > 0.0))
        err =
            sg_fail(SG_EINPUT, "%s: the labels do not overlap the scene %s; check the CRS of both",
                    label->path, image->info.path);
    return err;
}

static sg_err warp_failed(const sg_label_raster *label, const sg_raster *image)
{
    char text[512];
    return sg_fail(SG_EINPUT, "%s: cannot be warped to the grid of %s: %s", label->path,
                   image->info.path, sg_gdal_message(text, sizeof(text)));
}

/* From the scene's pixels to the label's. */
static void *make_transformer(const sg_label_raster *label, const sg_raster *image)
{
    CPLErrorReset();
    void *exact = GDALCreateGenImgProjTransformer2(label->source, image->dataset, NULL);
    if (exact == NULL)
        return NULL;
    void *approximate = GDALCreateApproxTransformer(GDALGenImgProjTransform, exact, WARP_TOLERANCE);
    GDALApproxTransformerOwnsSubtransformer(approximate, TRUE);
    return approximate;
}

static GDALWarpOptions *warp_options(const sg_label_raster *label)
{
    GDALWarpOptions *options = GDALCreateWarpOptions();
    options->hSrcDS = label->source;
    options->eResampleAlg = GRA_NearestNeighbour;
    options->pfnTransformer = GDALApproxTransform;
    options->pTransformerArg = label->transformer;
    options->nBandCount = 1;
    options->panSrcBands = CPLMalloc(sizeof(int));
    options->panDstBands = CPLMalloc(sizeof(int));
    options->panSrcBands[0] = 1;
    options->panDstBands[0] = 1;
    options->nDstAlphaBand = 2;
    int data_bands = 0;
    options->nSrcAlphaBand = alpha_band(label, &data_bands);
    return options;
}

static sg_err warp(sg_label_raster *label, const sg_raster *image)
{
    label->transformer = make_transformer(label, image);
    if (label->transformer == NULL)
        return warp_failed(label, image);
    GDALWarpOptions *options = warp_options(label);
    double geotransform[6];
    memcpy(geotransform, image->georef->geotransform, sizeof(geotransform));
    label->warped = GDALCreateWarpedVRT(label->source, (int)image->info.width,
                                        (int)image->info.height, geotransform, options);
    GDALDestroyWarpOptions(options);
    return label->warped ? SG_OK : warp_failed(label, image);
}

static sg_err align(sg_label_raster *label, const sg_raster *image)
{
    const sg_raster_info *info = &image->info;
    sg_georef *georef = NULL;
    bool direct = false;
    sg_err err = sg_georef_read(&georef, label->source);
    if (err)
        return err;
    if (georef->crs == NULL || image->georef->crs == NULL)
        err = match_without_crs(label, image, georef, &direct);
    else
        direct = GDALGetRasterXSize(label->source) == info->width &&
                 GDALGetRasterYSize(label->source) == info->height &&
                 sg_georef_same(georef, image->georef, info->width, info->height);
    if (!err && !direct)
        err = check_overlap(label, image, georef);
    if (!err && !direct)
        err = warp(label, image);
    GDALRasterBandH band = GDALGetRasterBand(label->source, 1);
    if (!err && direct && GDALGetMaskFlags(band) & GMF_PER_DATASET)
        label->mask = GDALGetMaskBand(band);
    sg_georef_close(georef);
    return err;
}

sg_err sg_label_raster_open(sg_label_raster **out, GDALDatasetH dataset, const char *path,
                            const sg_raster *image, const sg_class_table *classes,
                            const sg_label_options *options)
{
    sg_label_raster *label = NULL;
    sg_err err = sg_calloc(1, sizeof(*label), &label);
    if (err) {
        GDALClose(dataset);
        return err;
    }
    label->source = dataset;
    err = sg_path_format(label->path, "%s", path);
    if (!err)
        err = check_source(label);
    if (!err)
        err = align(label, image);
    if (err) {
        sg_label_raster_close(label);
        return err;
    }
    map_values(label, classes, options->ignore);
    *out = label;
    return SG_OK;
}

void sg_label_raster_close(sg_label_raster *label)
{
    if (label == NULL)
        return;
    if (label->warped)
        GDALClose(label->warped);
    if (label->transformer)
        GDALDestroyTransformer(label->transformer);
    GDALClose(label->source);
    sg_free(label->values);
    sg_free(label);
}

static sg_err read_band(const sg_label_raster *label, GDALRasterBandH band, sg_window w,
                        GDALDataType type, void *out)
{
    char text[512];
    CPLErrorReset();
    CPLErr status = GDALRasterIO(band, GF_Read, (int)w.x, (int)w.y, (int)w.w, (int)w.h, out,
                                 (int)w.w, (int)w.h, type, 0, 0);
    if (sg_gdal_succeeded(status))
        return SG_OK;
    return sg_fail(SG_EINPUT,
                   "%s: reading labels for %lld x %lld pixels at column %lld, row %lld failed; the "
                   "file may be damaged or truncated: %s",
                   label->path, (long long)w.w, (long long)w.h, (long long)w.x, (long long)w.y,
                   sg_gdal_message(text, sizeof(text)));
}

static uint8_t class_of_value(const sg_label_raster *label, double value)
{
    if (!(value >= 0.0 && value <= 255.0) || value != floor(value))
        return SG_NO_CLASS; /* NaN too */
    if (label->has_nodata && value == label->nodata)
        return SG_NO_CLASS;
    return label->class_of[(int)value];
}

/* Where the label raster has no pixel, or a transparent one, there is no label. */
static sg_err apply_cover(sg_label_raster *label, GDALRasterBandH cover, sg_window inner,
                          uint8_t *out, size_t stride)
{
    uint8_t *covered = (uint8_t *)label->values; /* the values are used up */
    sg_err err = read_band(label, cover, inner, GDT_Byte, covered);
    for (int64_t y = 0; y < inner.h && !err; y++)
        for (int64_t x = 0; x < inner.w; x++)
            if (!covered[y * inner.w + x])
                out[(size_t)y * stride + (size_t)x] = SG_NO_CLASS;
    return err;
}

sg_err sg_label_raster_read(sg_label_raster *label, sg_window inner, uint8_t *out, size_t stride)
{
    size_t count = (size_t)inner.w * (size_t)inner.h;
    GDALDatasetH dataset = label->warped ? label->warped : label->source;
    GDALRasterBandH cover = label->warped ? GDALGetRasterBand(label->warped, 2) : label->mask;
    sg_err err = sg_grow(&label->values, &label->capacity, count, sizeof(double));
    if (!err)
        err = read_band(label, GDALGetRasterBand(dataset, 1), inner, GDT_Float64, label->values);
    for (int64_t y = 0; y < inner.h && !err; y++)
        for (int64_t x = 0; x < inner.w; x++)
            out[(size_t)y * stride + (size_t)x] =
                class_of_value(label, label->values[y * inner.w + x]);
    return err || cover == NULL ? err : apply_cover(label, cover, inner, out, stride);
}
