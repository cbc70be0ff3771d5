#include "data/scene_writer.h"
#include "data/raster_private.h"
#include "data/scene_private.h"

#include <cpl_conv.h>
#include <cpl_string.h>
#include <ogr_api.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"

struct sg_scene_writer {
    GDALDatasetH dataset;
    GDALRasterBandH mask; /* of the dataset, NULL as long as all pixels have data */
    int32_t bands;
    char path[SG_PATH_MAX], temporary[SG_PATH_MAX];
};

sg_err sg_crs_parse(const char *text, OGRSpatialReferenceH *crs)
{
    *crs = NULL;
    if (text[0] == '\0')
        return SG_OK;
    *crs = OSRNewSpatialReference(NULL);
    if (*crs == NULL || OSRSetFromUserInput(*crs, text) != OGRERR_NONE) {
        OSRDestroySpatialReference(*crs);
        *crs = NULL;
        return sg_fail(SG_EUSAGE, "\"%s\" is no coordinate system; try one like EPSG:32632", text);
    }
    OSRSetAxisMappingStrategy(*crs, OAMS_TRADITIONAL_GIS_ORDER);
    return SG_OK;
}

static sg_err set_georef(sg_scene_writer *writer, const sg_scene_options *options)
{
    OGRSpatialReferenceH crs = NULL;
    double geotransform[6];
    memcpy(geotransform, options->geotransform, sizeof(geotransform));
    if (options->crs[0] == '\0')
        return SG_OK;
    sg_err err = sg_crs_parse(options->crs, &crs);
    if (err == SG_OK && (GDALSetSpatialRef(writer->dataset, crs) != CE_None ||
                         GDALSetGeoTransform(writer->dataset, geotransform) != CE_None))
        err = sg_fail(SG_EOUTPUT, "%s cannot take a coordinate system", writer->path);
    OSRDestroySpatialReference(crs);
    return err;
}

static sg_err create_dataset(sg_scene_writer *writer, const sg_scene_options *options)
{
    char text[512], block[32];
    GDALDataType type = GDALGetDataTypeByName(options->type);
    if (type == GDT_Unknown || GDALDataTypeIsComplex(type))
        return sg_fail(SG_EUSAGE, "\"%s\" is no pixel type; try Byte, UInt16 or Float32",
                       options->type);
    if (options->width > INT32_MAX || options->height > INT32_MAX)
        return sg_fail(SG_EUSAGE, "%s: a scene has at most %d rows and columns", writer->path,
                       INT32_MAX);
    char **create = CSLSetNameValue(NULL, "BIGTIFF", "IF_SAFER");
    create = CSLSetNameValue(create, "INTERLEAVE", "PIXEL");
    create = CSLSetNameValue(create, "COMPRESS", options->compress);
    create = CSLSetNameValue(create, "NUM_THREADS", "ALL_CPUS");
    if (options->block > 0) {
        snprintf(block, sizeof(block), "%d", options->block);
        create = CSLSetNameValue(create, "TILED", "YES");
        create = CSLSetNameValue(create, "BLOCKXSIZE", block);
        create = CSLSetNameValue(create, "BLOCKYSIZE", block);
    }
    CPLErrorReset();
    writer->dataset =
        GDALCreate(GDALGetDriverByName("GTiff"), writer->temporary, (int)options->width,
                   (int)options->height, options->bands, type, create);
    CSLDestroy(create);
    if (writer->dataset == NULL)
        return sg_fail(SG_EOUTPUT, "%s cannot be written: %s", writer->path,
                       sg_gdal_message(text, sizeof(text)));
    return SG_OK;
}

sg_err sg_scene_create(sg_scene_writer **out, const char *path, const sg_scene_options *options)
{
    sg_scene_writer *writer = NULL;
    *out = NULL;
    sg_err err = sg_calloc(1, sizeof(*writer), &writer);
    if (err != SG_OK)
        return err;
    writer->bands = options->bands;
    err = sg_path_format(writer->path, "%s", path);
    if (err == SG_OK)
        err = sg_file_temporary(path, writer->temporary);
    if (err == SG_OK)
        err = create_dataset(writer, options);
    if (err == SG_OK)
        err = set_georef(writer, options);
    for (int32_t b = 1; err == SG_OK && options->has_nodata && b <= options->bands; b++)
        GDALSetRasterNoDataValue(GDALGetRasterBand(writer->dataset, b), options->nodata);
    if (err == SG_OK && options->classes != NULL)
        sg_band_put_classes(GDALGetRasterBand(writer->dataset, 1), options->classes);
    if (err != SG_OK) {
        sg_scene_close(writer);
        return err;
    }
    *out = writer;
    return SG_OK;
}

static sg_err write_failed(const sg_scene_writer *writer)
{
    char text[512];
    return sg_fail(SG_EOUTPUT, "%s: writing failed: %s", writer->path,
                   sg_gdal_message(text, sizeof(text)));
}

sg_err sg_scene_write(sg_scene_writer *writer, sg_window window, const float *pixels)
{
    GSpacing bands = writer->bands;
    CPLErr status = GDALDatasetRasterIOEx(writer->dataset, GF_Write, (int)window.x, (int)window.y,
                                          (int)window.w, (int)window.h, (void *)pixels,
                                          (int)window.w, (int)window.h, GDT_Float32, writer->bands,
                                          NULL, bands * 4, bands * 4 * window.w, 4, NULL);
    return status == CE_None ? SG_OK : write_failed(writer);
}

/* Inside of the file, and all valid so far. */
static sg_err make_mask(sg_scene_writer *writer)
{
    CPLSetThreadLocalConfigOption("GDAL_TIFF_INTERNAL_MASK", "YES");
    CPLErr status = GDALCreateDatasetMaskBand(writer->dataset, GMF_PER_DATASET);
    CPLSetThreadLocalConfigOption("GDAL_TIFF_INTERNAL_MASK", NULL);
    if (status == CE_None)
        writer->mask = GDALGetMaskBand(GDALGetRasterBand(writer->dataset, 1));
    if (!writer->mask || GDALFillRaster(writer->mask, 255, 0) != CE_None)
        return write_failed(writer);
    return SG_OK;
}

sg_err sg_scene_write_mask(sg_scene_writer *writer, sg_window window, const uint8_t *valid)
{
    size_t count = (size_t)(window.w * window.h);
    uint8_t *opaque = NULL;
    sg_err err = SG_OK;
    if (!writer->mask && !memchr(valid, 0, count))
        return SG_OK;
    if (!writer->mask)
        err = make_mask(writer);
    if (err == SG_OK)
        err = sg_malloc(count, 1, &opaque);
    for (size_t i = 0; err == SG_OK && i < count; i++)
        opaque[i] = valid[i] ? 255 : 0;
    if (err == SG_OK && GDALRasterIO(writer->mask, GF_Write, (int)window.x, (int)window.y,
                                     (int)window.w, (int)window.h, opaque, (int)window.w,
                                     (int)window.h, GDT_Byte, 0, 0) != CE_None)
        err = write_failed(writer);
    sg_free(opaque);
    return err;
}

sg_err sg_scene_commit(sg_scene_writer *writer)
{
    CPLErrorReset();
    GDALClose(writer->dataset); /* returns nothing in GDAL 3.6: its error state tells */
    writer->dataset = NULL;
    sg_err err = SG_OK;
    if (CPLGetLastErrorType() >= CE_Failure)
        err = write_failed(writer);
    else
        err = sg_geotiff_commit(writer->temporary, writer->path);
    if (err == SG_OK)
        writer->temporary[0] = '\0';
    sg_scene_close(writer);
    return err;
}

void sg_scene_close(sg_scene_writer *writer)
{
    if (writer == NULL)
        return;
    if (writer->dataset != NULL)
        GDALClose(writer->dataset);
    if (writer->temporary[0] != '\0')
        sg_geotiff_discard(writer->temporary);
    sg_free(writer);
}
