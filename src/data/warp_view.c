#include "data/warp_view.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_string.h>
#include <gdal_alg.h>
#include <gdal_utils.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/size.h"

/* Pixels may be off by this much of one, which saves transforming each. */
#define TOLERANCE "0.01"

sg_err sg_view_grid_of(sg_view_grid *grid, const sg_raster *raster)
{
    const sg_raster_info *info = sg_raster_get_info(raster);
    *grid =
        (sg_view_grid){.crs = raster->georef->crs, .width = info->width, .height = info->height};
    memcpy(grid->geotransform, info->geotransform, sizeof grid->geotransform);
    if (!info->has_geotransform)
        return sg_fail(SG_EINPUT, "%s: has no geotransform, so nothing can be laid over it",
                       info->path);
    if (!sg_is_north_up(grid->geotransform))
        return sg_fail(SG_EINPUT,
                       "%s: is not north-up, so nothing can be laid over it; warp it first "
                       "(gdalwarp)",
                       info->path);
    return SG_OK;
}

bool sg_view_is_aligned(const sg_view_grid *grid, const sg_raster *raster, int64_t *x, int64_t *y)
{
    const sg_raster_info *info = sg_raster_get_info(raster);
    double inverse[6], column, row;
    sg_georef there = {.crs = grid->crs, .has_geotransform = 1};
    memcpy(there.geotransform, grid->geotransform, sizeof there.geotransform);
    if (!info->has_geotransform || !GDALInvGeoTransform(there.geotransform, inverse))
        return false;
    GDALApplyGeoTransform(inverse, info->geotransform[0], info->geotransform[3], &column, &row);
    if (!(fabs(column) < INT32_MAX && fabs(row) < INT32_MAX))
        return false;
    *x = (int64_t)round(column);
    *y = (int64_t)round(row);
    sg_georef_shift(&there, (sg_window){*x, *y, info->width, info->height});
    return sg_georef_same(&there, raster->georef, info->width, info->height);
}

/* ---- making ---- */

static void add(char ***words, const char *option, const char *value)
{
    *words = CSLAddString(*words, option);
    if (value)
        *words = CSLAddString(*words, value);
}

static void add_number(char ***words, const char *option, double value)
{
    char text[40];
    snprintf(text, sizeof text, "%.17g", value);
    add(words, option, NULL);
    *words = CSLAddString(*words, text);
}

static void add_grid(char ***words, const sg_view_grid *grid)
{
    const double *t = grid->geotransform;
    double x = t[0] + (double)grid->width * t[1], y = t[3] + (double)grid->height * t[5];
    double box[4] = {fmin(t[0], x), fmin(t[3], y), fmax(t[0], x), fmax(t[3], y)};
    char *wkt = NULL, text[40];
    add_number(words, "-te", box[0]);
    for (int i = 1; i < 4; i++) {
        snprintf(text, sizeof text, "%.17g", box[i]);
        *words = CSLAddString(*words, text);
    }
    snprintf(text, sizeof text, "%lld", (long long)grid->width);
    add(words, "-ts", text);
    snprintf(text, sizeof text, "%lld", (long long)grid->height);
    *words = CSLAddString(*words, text);
    if (grid->crs && OSRExportToWkt(grid->crs, &wkt) == OGRERR_NONE)
        add(words, "-t_srs", wkt);
    CPLFree(wkt);
}

/* The number of an alpha band that is read as data, and so is none; or 0. */
static int alpha_that_is_data(const sg_raster *source, const sg_spec *spec)
{
    for (int i = 1; i <= source->info.raw_bands; i++)
        if (GDALGetRasterColorInterpretation(GDALGetRasterBand(source->dataset, i)) ==
            GCI_AlphaBand)
            return sg_spec_reads(spec, i) ? i : 0;
    return 0;
}

/* A pixel has data where all of its bands have; with the spec's nodata, where not all hold it. */
static void add_nodata(char ***words, const sg_raster *source, const sg_spec *spec)
{
    if (alpha_that_is_data(source, spec))
        add(words, "-nosrcalpha", NULL);
    if (!spec && source->info.has_nodata)
        return; /* the band's own stands where there is no data, too */
    if (source->info.has_nodata) {
        add(words, "-wo", "UNIFIED_SRC_NODATA=PARTIAL");
    } else if (spec && spec->has_nodata) {
        add_number(words, "-srcnodata", spec->nodata);
        add(words, "-wo", "UNIFIED_SRC_NODATA=YES");
    }
    if (spec)
        add(words, "-dstalpha", NULL);
}

static double pixel_area(const double t[6])
{
    return fabs(t[1] * t[5] - t[2] * t[4]);
}

sg_err sg_view_suggest(const sg_raster *source, OGRSpatialReferenceH crs, double geotransform[6],
                       double extent[4])
{
    char *wkt = NULL, **words = NULL, text[512];
    int w = 0, h = 0;
    CPLErrorReset();
    if (crs && OSRExportToWkt(crs, &wkt) == OGRERR_NONE)
        words = CSLSetNameValue(words, "DST_SRS", wkt);
    void *transformer = GDALCreateGenImgProjTransformer2(source->dataset, NULL, words);
    CPLErr status = CE_Failure;
    if (transformer)
        status = GDALSuggestedWarpOutput2(source->dataset, GDALGenImgProjTransform, transformer,
                                          geotransform, &w, &h, extent, 0);
    if (transformer)
        GDALDestroyGenImgProjTransformer(transformer);
    CSLDestroy(words);
    CPLFree(wkt);
    if (status == CE_None)
        return SG_OK;
    return sg_fail(SG_EINPUT, "%s: cannot be placed in the mosaic: %s", source->info.path,
                   sg_gdal_message(text, sizeof text));
}

/* How many of the source's pixels one of the grid holds, about; 1 where that cannot be told. */
static double shrinking(const sg_raster *source, const sg_view_grid *grid)
{
    double own[6], extent[4];
    if (sg_view_suggest(source, grid->crs, own, extent) != SG_OK)
        return 1;
    return pixel_area(grid->geotransform) / pixel_area(own);
}

static const char *algorithm(const sg_raster *source, const sg_view_grid *grid)
{
    if (source->info.has_palette)
        return "near";
    return shrinking(source, grid) > 1.5 ? "average" : "bilinear";
}

sg_err sg_view_make(const char *path, const sg_raster *source, const sg_view_grid *grid,
                    const sg_spec *spec, const char *method)
{
    char **words = NULL, text[512];
    add(&words, "-q", NULL);
    add(&words, "-of", "VRT");
    add(&words, "-et", TOLERANCE);
    add(&words, "-r", method ? method : algorithm(source, grid));
    add_grid(&words, grid);
    add_nodata(&words, source, spec);
    CPLErrorReset();
    GDALWarpAppOptions *options = GDALWarpAppOptionsNew(words, NULL);
    GDALDatasetH dataset = source->dataset;
    GDALDatasetH view = options ? GDALWarp(path, NULL, 1, &dataset, options, NULL) : NULL;
    GDALWarpAppOptionsFree(options);
    CSLDestroy(words);
    if (!view)
        return sg_fail(SG_EINPUT, "%s: cannot be brought onto another grid: %s", source->info.path,
                       sg_gdal_message(text, sizeof text));
    int data = alpha_that_is_data(source, spec);
    if (data > 0)
        GDALSetRasterColorInterpretation(GDALGetRasterBand(view, data), GCI_Undefined);
    GDALClose(view);
    return SG_OK;
}
