#include "data/resample.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_string.h>
#include <cpl_vsi.h>
#include <gdal_alg.h>
#include <gdalwarper.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include "base/size.h"
#include "data/raster_private.h"

/* No pixel has this value: for bands without nodata beside others with it. */
static const double NO_VALUE = -1.2345e300;

typedef struct {
    GDALDatasetH source;
    const sg_raster_info *info;
    const sg_spec *spec;
    int width, height;
    double geotransform[6];
    int alpha; /* number of the source's alpha band, 0: none, or it is read as data */
} view;

static int find_alpha(GDALDatasetH source, const sg_spec *spec)
{
    for (int i = 1; i <= GDALGetRasterCount(source); i++)
        if (GDALGetRasterColorInterpretation(GDALGetRasterBand(source, i)) == GCI_AlphaBand &&
            !sg_spec_reads(spec, i))
            return i;
    return 0;
}

/* Whole pixels of about the wanted size that cover the scene exactly. */
static void lay_out(view *v, const sg_georef *georef, double gsd)
{
    double factor = v->info->gsd / gsd;
    v->width = (int)fmax(1, round((double)v->info->width * factor));
    v->height = (int)fmax(1, round((double)v->info->height * factor));
    double x = (double)v->info->width / v->width, y = (double)v->info->height / v->height;
    for (int i = 0; i < 6; i++) {
        double step = i % 3 == 0 ? 1 : i % 3 == 1 ? x : y;
        v->geotransform[i] = georef->geotransform[i] * step;
    }
}

static GDALResampleAlg algorithm(const view *v)
{
    if (v->info->has_palette)
        return GRA_NearestNeighbour;
    return v->width < v->info->width ? GRA_Average : GRA_Bilinear;
}

static void copy_nodata(GDALWarpOptions *options, const view *v)
{
    GDALWarpInitSrcNoDataReal(options, NO_VALUE);
    GDALWarpInitDstNoDataReal(options, NO_VALUE);
    for (int i = 0; i < options->nBandCount; i++) {
        int has = 0;
        double value = GDALGetRasterNoDataValue(GDALGetRasterBand(v->source, i + 1), &has);
        options->padfSrcNoDataReal[i] = has ? value : NO_VALUE;
        options->padfDstNoDataReal[i] = has ? value : 0;
    }
    options->papszWarpOptions = CSLSetNameValue(options->papszWarpOptions, "INIT_DEST", "NO_DATA");
}

/* The spec's nodata: pixels that hold it in all bands take no part, and it stands where there are
 * no others. The view does not declare it, as single bands may hold it. */
static void fill_nodata(GDALWarpOptions *options, double value)
{
    char text[64];
    snprintf(text, sizeof text, "%.17g", value);
    GDALWarpInitSrcNoDataReal(options, value);
    options->papszWarpOptions = CSLSetNameValue(options->papszWarpOptions, "INIT_DEST", text);
    options->papszWarpOptions =
        CSLSetNameValue(options->papszWarpOptions, "UNIFIED_SRC_NODATA", "YES");
}

static GDALWarpOptions *make_options(const view *v)
{
    GDALWarpOptions *options = GDALCreateWarpOptions();
    int count = v->info->raw_bands;
    options->hSrcDS = v->source;
    options->eResampleAlg = algorithm(v);
    options->nBandCount = count;
    options->panSrcBands = CPLMalloc((size_t)count * sizeof(int));
    options->panDstBands = CPLMalloc((size_t)count * sizeof(int));
    for (int i = 0; i < count; i++)
        options->panSrcBands[i] = options->panDstBands[i] = i + 1;
    if (v->info->has_nodata)
        copy_nodata(options, v);
    else if (v->spec->has_nodata)
        fill_nodata(options, v->spec->nodata);
    if (v->alpha > 0 || v->info->has_mask) {
        options->nSrcAlphaBand = v->alpha;
        options->nDstAlphaBand = count + 1;
    }
    options->pfnTransformer = GDALGenImgProjTransform;
    options->pTransformerArg = GDALCreateGenImgProjTransformer2(v->source, NULL, NULL);
    if (options->pTransformerArg)
        GDALSetGenImgProjTransformerDstGeoTransform(options->pTransformerArg, v->geotransform);
    return options;
}

/* The file in memory is written when the dataset closes. */
static sg_err write_view(view *v, const sg_georef *georef, const char *path)
{
    GDALWarpOptions *options = make_options(v);
    GDALDatasetH vrt = NULL;
    char text[512];
    CPLErrorReset();
    if (options->pTransformerArg)
        vrt = GDALCreateWarpedVRT(v->source, v->width, v->height, v->geotransform, options);
    GDALDestroyWarpOptions(options);
    if (!vrt)
        return sg_fail(SG_EINPUT, "%s: cannot be resampled: %s", v->info->path,
                       sg_gdal_message(text, sizeof text));
    if (georef->crs)
        GDALSetSpatialRef(vrt, georef->crs);
    if (v->alpha > 0)
        GDALSetRasterColorInterpretation(GDALGetRasterBand(vrt, v->alpha), GCI_Undefined);
    GDALSetDescription(vrt, path);
    GDALClose(vrt);
    return SG_OK;
}

sg_err sg_resample_open(const sg_raster *raster, const sg_spec *spec, char *path)
{
    static atomic_int counter; /* names must differ within the process */
    view v = {
        .source = sg_raster_dataset(raster), .info = sg_raster_get_info(raster), .spec = spec};
    if (!v.info->has_geotransform)
        return sg_fail(SG_EINPUT, "%s: has no geotransform, so it cannot be resampled",
                       v.info->path);
    sg_err err =
        sg_path_format(path, "/vsimem/resampled_%d.vrt", atomic_fetch_add(&counter, 1) + 1);
    if (err != SG_OK)
        return err;
    v.alpha = find_alpha(v.source, spec);
    lay_out(&v, raster->georef, spec->gsd);
    return write_view(&v, raster->georef, path);
}

void sg_resample_close(const char *path)
{
    if (*path)
        VSIUnlink(path);
}
