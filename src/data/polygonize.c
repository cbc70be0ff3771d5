#include "data/polygonize.h"
#include "data/raster_private.h"
#include "data/scanlines.h"

#include <cpl_conv.h>
#include <cpl_string.h>
#include <gdal_alg.h>
#include <math.h>
#include <ogr_api.h>
#include <string.h>
#include <sys/stat.h>

#include "base/size.h"

struct sg_outlines {
    sg_outlines_options options;
    OGRSpatialReferenceH crs; /* owned, or NULL */
    double to_pixels[6];      /* from the coordinates of the outlines */
    GDALDatasetH traced, out;
    OGRLayerH from, layer; /* of these; from is NULL where there is no outline */
    OGRFeatureH outline;   /* the last one read, owned */
    int field[5];          /* of the layer: see add_fields */
};
enum { VALUE, NAME, PIXELS, AREA, CONFIDENCE };

/* A GeoPackage holds the time at which it was written; the same map gives the same bytes. */
static const char WRITTEN[] = "2000-01-01T00:00:00.000Z";

static const char *driver_of(const char *path)
{
    const char *ending = strrchr(path, '.');
    if (ending != NULL && strcmp(ending, ".gpkg") == 0)
        return "GPKG";
    return ending != NULL && strcmp(ending, ".fgb") == 0 ? "FlatGeobuf" : NULL;
}

sg_err sg_outlines_check_name(const char *path)
{
    if (driver_of(path) == NULL)
        return sg_fail(SG_EUSAGE, "%s: polygons go into a file that ends in .gpkg or .fgb", path);
    return SG_OK;
}

static sg_err failed(sg_err code, const char *path, const char *what)
{
    char text[512];
    return sg_fail(code, "%s: cannot be %s: %s", path, what, sg_gdal_message(text, sizeof(text)));
}

/* ---- files ---- */

static sg_err create_file(const char *path, GDALDatasetH *dataset)
{
    CPLErrorReset();
    *dataset = GDALCreate(GDALGetDriverByName(driver_of(path)), path, 0, 0, 0, GDT_Unknown, NULL);
    return *dataset != NULL ? SG_OK : failed(SG_EOUTPUT, path, "written");
}

static OGRLayerH create_layer(GDALDatasetH dataset, const char *name, OGRSpatialReferenceH crs,
                              const char *option)
{
    const char *options[] = {option, NULL};
    return GDALDatasetCreateLayer(dataset, name, crs, wkbPolygon, (CSLConstList)options);
}

static sg_err add_field(OGRLayerH layer, const char *path, const char *name, OGRFieldType type)
{
    OGRFieldDefnH field = OGR_Fld_Create(name, type);
    OGRErr status = OGR_L_CreateField(layer, field, TRUE);
    OGR_Fld_Destroy(field);
    return status == OGRERR_NONE ? SG_OK : failed(SG_EOUTPUT, path, "written");
}

/* Drivers tell of a full disk at the latest when they close, by their message only. */
static sg_err close_file(GDALDatasetH *dataset, const char *path)
{
    CPLErrorReset();
    GDALClose(*dataset);
    *dataset = NULL;
    return CPLGetLastErrorType() >= CE_Failure ? failed(SG_EOUTPUT, path, "written") : SG_OK;
}

/* ---- outlines ---- */

static sg_err trace(const char *path, GDALRasterBandH band, bool corners)
{
    const char *const options[] = {corners ? "8CONNECTED=8" : NULL, NULL};
    GDALDatasetH dataset = NULL;
    sg_err err = create_file(path, &dataset);
    if (err != SG_OK)
        return err;
    OGRLayerH layer = create_layer(dataset, "outlines", NULL, "SPATIAL_INDEX=NO");
    err = layer != NULL ? SG_OK : failed(SG_EOUTPUT, path, "written");
    GIntBig cache = sg_scanlines_begin(band);
    CPLErrorReset();
    if (err == SG_OK && !sg_gdal_succeeded(GDALPolygonize(band, GDALGetMaskBand(band), layer, -1,
                                                          (char **)options, NULL, NULL)))
        err = failed(SG_EOUTPUT, path, "written");
    sg_scanlines_end(cache);
    sg_err closed = close_file(&dataset, path);
    return err != SG_OK ? err : closed;
}

/* FlatGeobuf leaves an empty file where there is no outline at all. */
static sg_err open_traced(sg_outlines *outlines)
{
    const char *path = outlines->options.traced;
    struct stat info;
    if (stat(path, &info) == 0 && info.st_size == 0)
        return SG_OK;
    CPLErrorReset();
    outlines->traced = GDALOpenEx(path, GDAL_OF_VECTOR | GDAL_OF_READONLY, NULL, NULL, NULL);
    if (outlines->traced == NULL)
        return failed(SG_EINPUT, path, "read");
    outlines->from = GDALDatasetGetLayer(outlines->traced, 0);
    OGR_L_ResetReading(outlines->from);
    return SG_OK;
}

static sg_err take_mask(sg_outlines *outlines)
{
    const char *path = outlines->options.mask;
    double geotransform[6];
    CPLErrorReset();
    GDALDatasetH mask = GDALOpenEx(path, GDAL_OF_RASTER | GDAL_OF_READONLY, NULL, NULL, NULL);
    if (mask == NULL)
        return failed(SG_EINPUT, path, "read");
    sg_err err = SG_OK;
    GDALGetGeoTransform(mask, geotransform); /* what GDAL's polygons are in, without one too */
    if (!GDALInvGeoTransform(geotransform, outlines->to_pixels))
        err = sg_fail(SG_EINPUT, "%s: its geotransform cannot be inverted: no polygons", path);
    if (err == SG_OK && GDALGetSpatialRef(mask) != NULL)
        outlines->crs = OSRClone(GDALGetSpatialRef(mask));
    if (err == SG_OK)
        err =
            trace(outlines->options.traced, GDALGetRasterBand(mask, 1), outlines->options.corners);
    GDALClose(mask);
    return err;
}

/* ---- the output ---- */

static sg_err add_fields(sg_outlines *outlines)
{
    static const struct {
        const char *name;
        OGRFieldType type;
    } fields[] = {[VALUE] = {"value", OFTInteger},
                  [NAME] = {"name", OFTString},
                  [PIXELS] = {"pixels", OFTInteger64},
                  [AREA] = {"area_m2", OFTReal},
                  [CONFIDENCE] = {"confidence", OFTReal}};
    sg_err err = SG_OK;
    int count = 0;
    for (int i = 0; err == SG_OK && i <= CONFIDENCE; i++) {
        outlines->field[i] = -1;
        if ((i == AREA && !outlines->options.has_area) ||
            (i == CONFIDENCE && !outlines->options.has_confidence))
            continue;
        err = add_field(outlines->layer, outlines->options.path, fields[i].name, fields[i].type);
        outlines->field[i] = count++;
    }
    return err;
}

static sg_err begin_output(sg_outlines *outlines)
{
    const char *path = outlines->options.path;
    sg_err err = create_file(path, &outlines->out);
    if (err != SG_OK)
        return err;
    outlines->layer =
        create_layer(outlines->out, outlines->options.layer, outlines->crs, "SPATIAL_INDEX=YES");
    err = outlines->layer != NULL ? add_fields(outlines) : failed(SG_EOUTPUT, path, "written");
    if (err == SG_OK && GDALDatasetTestCapability(outlines->out, ODsCTransactions) &&
        GDALDatasetStartTransaction(outlines->out, FALSE) != OGRERR_NONE)
        err = failed(SG_EOUTPUT, path, "written");
    return err;
}

/* Nothing of the file is worth keeping until it is whole: what SQLite does against crashes is left
 * out, as it would leave a journal of its own beside the file. */
static void set_writing(bool on)
{
    CPLSetThreadLocalConfigOption("OGR_CURRENT_DATE", on ? WRITTEN : NULL);
    CPLSetThreadLocalConfigOption("OGR_SQLITE_SYNCHRONOUS", on ? "OFF" : NULL);
    CPLSetThreadLocalConfigOption("OGR_SQLITE_JOURNAL", on ? "MEMORY" : NULL);
}

sg_err sg_outlines_open(sg_outlines **out, const sg_outlines_options *options)
{
    sg_outlines *outlines = NULL;
    *out = NULL;
    sg_err err = sg_calloc(1, sizeof(*outlines), &outlines);
    if (err != SG_OK)
        return err;
    outlines->options = *options;
    set_writing(true);
    err = take_mask(outlines);
    if (err == SG_OK)
        err = open_traced(outlines);
    if (err == SG_OK)
        err = begin_output(outlines);
    if (err != SG_OK) {
        sg_outlines_close(outlines);
        return err;
    }
    *out = outlines;
    return SG_OK;
}

static void widen_first(const sg_outlines *outlines, OGRGeometryH ring, sg_outline_place *first)
{
    for (int i = 0; i < OGR_G_GetPointCount(ring); i++) {
        double column, row;
        GDALApplyGeoTransform((double *)outlines->to_pixels, OGR_G_GetX(ring, i),
                              OGR_G_GetY(ring, i), &column, &row);
        sg_outline_place at = {llround(column), llround(row)};
        if (at.y < first->y || (at.y == first->y && at.x < first->x))
            *first = at;
    }
}

/* The upper left corner of a patch's first pixel is the first point of its rings in row order; of
 * pixels that touch with corners it need not be the outer one, as GDAL has several. */
static sg_outline_place first_pixel(const sg_outlines *outlines, OGRGeometryH polygon)
{
    int rings = outlines->options.corners ? OGR_G_GetGeometryCount(polygon) : 1;
    sg_outline_place first = {INT64_MAX, INT64_MAX};
    for (int i = 0; i < rings; i++)
        widen_first(outlines, OGR_G_GetGeometryRef(polygon, i), &first);
    return first;
}

sg_err sg_outlines_next(sg_outlines *outlines, sg_outline_place *place, bool *more)
{
    *more = false;
    if (outlines->from == NULL)
        return SG_OK;
    if (outlines->outline != NULL)
        OGR_F_Destroy(outlines->outline);
    CPLErrorReset();
    outlines->outline = OGR_L_GetNextFeature(outlines->from);
    if (CPLGetLastErrorType() >= CE_Failure)
        return failed(SG_EINPUT, outlines->options.traced, "read");
    if (outlines->outline == NULL)
        return SG_OK;
    *more = true;
    *place = first_pixel(outlines, OGR_F_GetGeometryRef(outlines->outline));
    return SG_OK;
}

static const char *name_of(const sg_class_table *classes, int32_t value)
{
    for (int32_t i = 0; i < classes->count; i++)
        if (classes->item[i].value == value)
            return classes->item[i].name;
    return "";
}

sg_err sg_outlines_put(sg_outlines *outlines, const sg_outline_facts *facts)
{
    const int *field = outlines->field;
    OGRFeatureH feature = OGR_F_Create(OGR_L_GetLayerDefn(outlines->layer));
    OGR_F_SetGeometryDirectly(feature, OGR_F_StealGeometry(outlines->outline));
    OGR_F_SetFieldInteger(feature, field[VALUE], facts->value);
    OGR_F_SetFieldString(feature, field[NAME], name_of(outlines->options.classes, facts->value));
    OGR_F_SetFieldInteger64(feature, field[PIXELS], facts->pixels);
    if (field[AREA] >= 0)
        OGR_F_SetFieldDouble(feature, field[AREA], facts->area);
    if (field[CONFIDENCE] >= 0)
        OGR_F_SetFieldDouble(feature, field[CONFIDENCE], facts->confidence);
    CPLErrorReset();
    OGRErr status = OGR_L_CreateFeature(outlines->layer, feature);
    OGR_F_Destroy(feature);
    return status == OGRERR_NONE ? SG_OK : failed(SG_EOUTPUT, outlines->options.path, "written");
}

sg_err sg_outlines_finish(sg_outlines *outlines)
{
    const char *path = outlines->options.path;
    CPLErrorReset();
    if (GDALDatasetTestCapability(outlines->out, ODsCTransactions) &&
        GDALDatasetCommitTransaction(outlines->out) != OGRERR_NONE)
        return failed(SG_EOUTPUT, path, "written");
    return close_file(&outlines->out, path);
}

void sg_outlines_close(sg_outlines *outlines)
{
    if (outlines == NULL)
        return;
    if (outlines->outline != NULL)
        OGR_F_Destroy(outlines->outline);
    if (outlines->traced != NULL)
        GDALClose(outlines->traced);
    if (outlines->out != NULL)
        GDALClose(outlines->out);
    OSRDestroySpatialReference(outlines->crs);
    set_writing(false);
    sg_free(outlines);
}
