/* Label windows to polygons: GDAL polygonises in memory, the rings go to the file one by one. */
#include "data/scene_writer.h"
#include "data/raster_private.h"
#include "data/scene_private.h"

#include <cpl_conv.h>
#include <gdal_alg.h>
#include <ogr_api.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"

struct sg_polygons {
    GDALDatasetH dataset;
    OGRLayerH layer; /* of dataset */
    OGRSpatialReferenceH crs, file_crs;
    OGRCoordinateTransformationH transform; /* NULL: same CRS */
    double geotransform[6];
    const sg_class_table *classes; /* borrowed */
    char path[SG_PATH_MAX];
    bool unfinished; /* the file is being written */
};

static sg_err output_error(const sg_polygons *polygons)
{
    char text[512];
    return sg_fail(SG_EOUTPUT, "%s cannot be written: %s", polygons->path,
                   sg_gdal_message(text, sizeof(text)));
}

static sg_err find_driver(const char *path, const char **driver)
{
    static const char *const known[][2] = {
        {".gpkg", "GPKG"}, {".shp", "ESRI Shapefile"}, {".geojson", "GeoJSON"}};
    const char *ending = strrchr(path, '.');
    for (size_t i = 0; ending != NULL && i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(ending, known[i][0]) == 0) {
            *driver = known[i][1];
            return SG_OK;
        }
    }
    return sg_fail(SG_EUSAGE, "%s: vector files end in .gpkg, .shp or .geojson", path);
}

static sg_err set_crs(sg_polygons *polygons, const sg_polygon_options *options)
{
    sg_err err = sg_crs_parse(options->crs, &polygons->crs);
    if (err == SG_OK)
        err = sg_crs_parse(options->file_crs[0] != '\0' ? options->file_crs : options->crs,
                           &polygons->file_crs);
    if (err != SG_OK || polygons->crs == NULL || polygons->file_crs == NULL ||
        OSRIsSame(polygons->crs, polygons->file_crs))
        return err;
    polygons->transform = OCTNewCoordinateTransformation(polygons->crs, polygons->file_crs);
    if (polygons->transform == NULL)
        return sg_fail(SG_EUSAGE, "there is no way from %s to %s", options->crs, options->file_crs);
    return SG_OK;
}

static sg_err add_field(sg_polygons *polygons, const char *name, OGRFieldType type)
{
    OGRFieldDefnH field = OGR_Fld_Create(name, type);
    OGRErr status = OGR_L_CreateField(polygons->layer, field, TRUE);
    OGR_Fld_Destroy(field);
    return status == OGRERR_NONE ? SG_OK : output_error(polygons);
}

static sg_err create_layer(sg_polygons *polygons)
{
    const char *driver = NULL;
    char stem[SG_PATH_MAX];
    sg_err err = find_driver(polygons->path, &driver);
    if (err == SG_OK)
        err = sg_path_stem(stem, polygons->path);
    if (err != SG_OK)
        return err;
    CPLErrorReset();
    GDALDeleteDataset(GDALGetDriverByName(driver), polygons->path);
    CPLErrorReset();
    polygons->dataset =
        GDALCreate(GDALGetDriverByName(driver), polygons->path, 0, 0, 0, GDT_Unknown, NULL);
    if (polygons->dataset == NULL)
        return output_error(polygons);
    polygons->unfinished = true;
    polygons->layer =
        GDALDatasetCreateLayer(polygons->dataset, stem, polygons->file_crs, wkbPolygon, NULL);
    if (polygons->layer == NULL)
        return output_error(polygons);
    err = add_field(polygons, "value", OFTInteger);
    if (err == SG_OK)
        err = add_field(polygons, "name", OFTString);
    GDALDatasetStartTransaction(polygons->dataset, FALSE);
    return err;
}

sg_err sg_polygons_create(sg_polygons **out, const char *path, const sg_polygon_options *options)
{
    sg_polygons *polygons = NULL;
    *out = NULL;
    sg_err err = sg_calloc(1, sizeof(*polygons), &polygons);
    if (err != SG_OK)
        return err;
    memcpy(polygons->geotransform, options->geotransform, sizeof(polygons->geotransform));
    polygons->classes = options->classes;
    err = sg_path_format(polygons->path, "%s", path);
    if (err == SG_OK)
        err = set_crs(polygons, options);
    if (err == SG_OK)
        err = create_layer(polygons);
    if (err != SG_OK) {
        sg_polygons_close(polygons);
        return err;
    }
    *out = polygons;
    return SG_OK;
}

static const sg_class *class_of(const sg_class_table *classes, int value)
{
    for (int32_t i = 0; i < classes->count; i++) {
        if (classes->item[i].value == value)
            return &classes->item[i];
    }
    return NULL;
}

/* The window's labels as a raster in memory, in the scene's coordinates. */
static GDALDatasetH memory_raster(const sg_polygons *polygons, sg_window window,
                                  const uint8_t *labels)
{
    const double *g = polygons->geotransform;
    double x = (double)window.x, y = (double)window.y;
    double shifted[6] = {g[0] + x * g[1] + y * g[2], g[1], g[2],
                         g[3] + x * g[4] + y * g[5], g[4], g[5]};
    GDALDatasetH raster =
        GDALCreate(GDALGetDriverByName("MEM"), "", (int)window.w, (int)window.h, 1, GDT_Byte, NULL);
    if (raster == NULL || GDALSetGeoTransform(raster, shifted) != CE_None ||
        GDALRasterIO(GDALGetRasterBand(raster, 1), GF_Write, 0, 0, (int)window.w, (int)window.h,
                     (void *)labels, (int)window.w, (int)window.h, GDT_Byte, 0, 0) != CE_None) {
        GDALClose(raster);
        return NULL;
    }
    return raster;
}

static sg_err copy_feature(sg_polygons *polygons, OGRFeatureH from)
{
    int value = OGR_F_GetFieldAsInteger(from, 0);
    const sg_class *class = value != 0 ? class_of(polygons->classes, value) : NULL;
    if (class == NULL)
        return SG_OK;
    OGRFeatureH to = OGR_F_Create(OGR_L_GetLayerDefn(polygons->layer));
    OGRGeometryH geometry = OGR_F_StealGeometry(from);
    sg_err err = SG_OK;
    if (polygons->transform != NULL &&
        OGR_G_Transform(geometry, polygons->transform) != OGRERR_NONE)
        err = output_error(polygons);
    OGR_F_SetFieldInteger(to, 0, value);
    OGR_F_SetFieldString(to, 1, class->name);
    OGR_F_SetGeometryDirectly(to, geometry);
    if (err == SG_OK && OGR_L_CreateFeature(polygons->layer, to) != OGRERR_NONE)
        err = output_error(polygons);
    OGR_F_Destroy(to);
    return err;
}

sg_err sg_polygons_add(sg_polygons *polygons, sg_window window, const uint8_t *labels)
{
    sg_err err = SG_OK;
    CPLErrorReset();
    GDALDatasetH raster = memory_raster(polygons, window, labels);
    GDALDatasetH rings = GDALCreate(GDALGetDriverByName("Memory"), "", 0, 0, 0, GDT_Unknown, NULL);
    OGRLayerH layer =
        rings != NULL ? GDALDatasetCreateLayer(rings, "rings", NULL, wkbPolygon, NULL) : NULL;
    if (raster == NULL || layer == NULL) {
        err = output_error(polygons);
        goto done;
    }
    OGRFieldDefnH field = OGR_Fld_Create("value", OFTInteger);
    OGR_L_CreateField(layer, field, TRUE);
    OGR_Fld_Destroy(field);
    if (GDALPolygonize(GDALGetRasterBand(raster, 1), NULL, layer, 0, NULL, NULL, NULL) != CE_None)
        err = output_error(polygons);
    OGR_L_ResetReading(layer);
    for (OGRFeatureH f = NULL; err == SG_OK && (f = OGR_L_GetNextFeature(layer)) != NULL;) {
        err = copy_feature(polygons, f);
        OGR_F_Destroy(f);
    }
done:
    GDALClose(rings);
    GDALClose(raster);
    return err;
}

sg_err sg_polygons_commit(sg_polygons *polygons)
{
    CPLErrorReset();
    GDALDatasetCommitTransaction(polygons->dataset);
    GDALClose(polygons->dataset);
    polygons->dataset = NULL;
    sg_err err = CPLGetLastErrorType() >= CE_Failure ? output_error(polygons) : SG_OK;
    polygons->unfinished = err != SG_OK;
    sg_polygons_close(polygons);
    return err;
}

void sg_polygons_close(sg_polygons *polygons)
{
    const char *driver = NULL;
    if (polygons == NULL)
        return;
    if (polygons->dataset != NULL)
        GDALClose(polygons->dataset);
    if (polygons->unfinished && find_driver(polygons->path, &driver) == SG_OK)
        GDALDeleteDataset(GDALGetDriverByName(driver), polygons->path);
    OCTDestroyCoordinateTransformation(polygons->transform);
    OSRDestroySpatialReference(polygons->crs);
    OSRDestroySpatialReference(polygons->file_crs);
    sg_free(polygons);
}
