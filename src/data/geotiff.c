/* The skeleton of an output GeoTIFF: everything but the pixels. */
#include "data/raster_private.h"

#include <cpl_error.h>
#include <cpl_string.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"

static sg_err write_failed(const char *path, const char *what)
{
    char text[512];
    return sg_fail(SG_EOUTPUT, "%s: cannot write %s: %s", path, what,
                   sg_gdal_message(text, sizeof(text)));
}

static sg_err create_dataset(const char *path, const sg_geotiff_options *options,
                             GDALDatasetH *dataset)
{
    char block_x[32], block_y[32];
    snprintf(block_x, sizeof(block_x), "BLOCKXSIZE=%d", options->block);
    snprintf(block_y, sizeof(block_y), "BLOCKYSIZE=%d", options->block);
    const char *creation[] = {"TILED=YES",
                              block_x,
                              block_y,
                              "COMPRESS=DEFLATE",
                              "PREDICTOR=1",
                              "SPARSE_OK=TRUE",
                              "BIGTIFF=IF_SAFER",
                              "INTERLEAVE=PIXEL",
                              options->classes && options->bands == 1 ? "PHOTOMETRIC=PALETTE"
                                                                      : "PHOTOMETRIC=MINISBLACK",
                              NULL};
    GDALDriverH driver = GDALGetDriverByName("GTiff");
    SG_ASSERT(driver != NULL); /* sg_gdal_start comes first */
    if (options->width > INT32_MAX || options->height > INT32_MAX)
        return sg_fail(SG_EOUTPUT, "%s: %lld x %lld pixels are more than a GeoTIFF can hold", path,
                       (long long)options->width, (long long)options->height);
    CPLErrorReset();
    *dataset = GDALCreate(driver, path, (int)options->width, (int)options->height, options->bands,
                          options->is_float ? GDT_Float32 : GDT_Byte, (CSLConstList)creation);
    return *dataset ? SG_OK : write_failed(path, "the GeoTIFF");
}

static CPLErr put_georef(GDALDatasetH dataset, const sg_georef *georef)
{
    CPLErr status = CE_None;
    if (georef->has_geotransform || georef->gcps == 0) {
        if (georef->crs)
            status = GDALSetSpatialRef(dataset, georef->crs);
        if (georef->has_geotransform && status == CE_None)
            status = GDALSetGeoTransform(dataset, (double *)georef->geotransform);
    } else {
        status = GDALSetGCPs2(dataset, georef->gcps, georef->gcp, georef->crs);
    }
    if (georef->rpc && status == CE_None)
        status = GDALSetMetadata(dataset, georef->rpc, "RPC");
    return status;
}

static CPLErr put_colours(GDALRasterBandH band, const sg_class_table *classes)
{
    GDALColorTableH colours = GDALCreateColorTable(GPI_RGB);
    for (int32_t i = 0; i < classes->count; i++) {
        const sg_class *item = &classes->item[i];
        GDALColorEntry entry = {item->colour[0], item->colour[1], item->colour[2], 255};
        GDALSetColorEntry(colours, item->value, &entry);
    }
    CPLErr status = GDALSetRasterColorTable(band, colours);
    GDALDestroyColorTable(colours);
    return status;
}

/* names[value] up to the highest value; values without a class have an empty name. */
static CPLErr put_category_names(GDALRasterBandH band, const sg_class_table *classes)
{
    const char *names[257] = {NULL};
    int32_t highest = 0;
    for (int32_t i = 0; i < classes->count; i++) {
        names[classes->item[i].value] = classes->item[i].name;
        if (classes->item[i].value > highest)
            highest = classes->item[i].value;
    }
    for (int32_t value = 0; value <= highest; value++)
        if (names[value] == NULL)
            names[value] = "";
    return GDALSetRasterCategoryNames(band, (CSLConstList)names);
}

CPLErr sg_band_put_classes(GDALRasterBandH band, const sg_class_table *classes)
{
    CPLErr status = put_colours(band, classes);
    return status == CE_None ? put_category_names(band, classes) : status;
}

static CPLErr put_bands(GDALDatasetH dataset, const sg_geotiff_options *options)
{
    CPLErr status = CE_None;
    for (int32_t i = 0; i < options->bands && status == CE_None; i++) {
        GDALRasterBandH band = GDALGetRasterBand(dataset, i + 1);
        if (options->has_nodata)
            status = GDALSetRasterNoDataValue(band, options->nodata);
        if (options->scale > 0 && status == CE_None)
            status = GDALSetRasterScale(band, options->scale);
        if (options->scale > 0 && status == CE_None)
            status = GDALSetRasterOffset(band, 0);
        if (options->band_names && options->band_names[i])
            GDALSetDescription(band, options->band_names[i]);
    }
    if (options->classes == NULL || options->bands != 1 || status != CE_None)
        return status;
    return sg_band_put_classes(GDALGetRasterBand(dataset, 1), options->classes);
}

static CPLErr put_metadata(GDALDatasetH dataset, const char *const *metadata)
{
    return GDALSetMetadata(dataset, (CSLConstList)metadata, NULL);
}

/* GDAL only warns when it cannot write the file beside the GeoTIFF that holds the class names. */
static bool closing_failed(void)
{
    return CPLGetLastErrorType() >= CE_Failure ||
           strstr(CPLGetLastErrorMsg(), "Unable to save auxiliary information") != NULL;
}

sg_err sg_geotiff_create(const char *path, const sg_geotiff_options *options)
{
    GDALDatasetH dataset = NULL;
    sg_err err = create_dataset(path, options, &dataset);
    if (err)
        return err;
    CPLErrorReset();
    if (options->georef && put_georef(dataset, options->georef) != CE_None)
        err = write_failed(path, "the georeferencing");
    if (!err && put_bands(dataset, options) != CE_None)
        err = write_failed(path, "nodata, colours or names");
    if (!err && options->metadata && put_metadata(dataset, options->metadata) != CE_None)
        err = write_failed(path, "the metadata");
    if (!err)
        CPLErrorReset();
    GDALClose(dataset); /* tells of a full disk by its message only */
    if (!err && closing_failed())
        err = write_failed(path, "the GeoTIFF");
    return err;
}

static sg_err aux_path(const char *path, char *aux)
{
    return sg_path_format(aux, "%s.aux.xml", path);
}

sg_err sg_geotiff_commit(const char *temporary, const char *final_path)
{
    char from[SG_PATH_MAX], to[SG_PATH_MAX];
    sg_err err = aux_path(temporary, from);
    if (!err)
        err = aux_path(final_path, to);
    if (err)
        return err;
    if (sg_file_exists(from))
        err = sg_file_commit(from, to);
    else
        sg_file_discard(to); /* of an older file of this name */
    if (!err)
        err = sg_file_commit(temporary, final_path);
    if (err && !sg_file_exists(final_path))
        sg_file_discard(to); /* of no file at all */
    return err;
}

void sg_geotiff_discard(const char *temporary)
{
    char aux[SG_PATH_MAX];
    sg_file_discard(temporary);
    if (aux_path(temporary, aux) == SG_OK)
        sg_file_discard(aux);
}
