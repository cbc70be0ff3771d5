/*
 * Labels from a vector layer. Opening takes the features that may touch the scene, transforms them
 * to the scene's CRS and on to its pixel coordinates, and keeps them in memory. A window is burned
 * by GDAL; the transformer that it gets only shifts by the window's origin, so a window shows what
 * burning the whole scene would show there. Features are burned in file order, later ones on top.
 *
 * GDAL turns all rings the same way round before it burns them, and that decides which pixels an
 * edge through pixel centres takes. So geometries keep the turning sense that they have on the map:
 * where the scene's rows run against it (north-up), y is kept negated and the transformer negates
 * it back, which is exact.
 */
#include "data/label_private.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_string.h>
#include <gdal_alg.h>
#include <math.h>
#include <ogr_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/size.h"

typedef struct {
    OGRGeometryH geometry; /* owned; scene pixel coordinates, y times y_sign */
    OGREnvelope box;       /* pixels */
    uint8_t class_index;   /* SG_NO_CLASS where the attribute's value is no class */
} feature;

struct sg_label_vector {
    char path[SG_PATH_MAX];
    feature *item; /* owned, in file order */
    size_t count, capacity;
    OGRGeometryH *burn; /* scratch: what touches a window; borrowed geometries */
    double *value;      /* scratch: their burn values */
    int32_t all_touched;
    double y_sign; /* -1: geometries hold -y */
};

/* While a layer is read. */
typedef struct {
    sg_label_vector *label;
    OGRLayerH layer;
    const sg_raster *image;
    const sg_class_table *classes;
    OGRCoordinateTransformationH to_image; /* NULL when both CRSs agree */
    double to_pixels[6];
    int field; /* index, -1 burns class 0 */
    int is_text;
} reading;

sg_err sg_vector_layer(OGRLayerH *layer, GDALDatasetH dataset, const char *path, const char *name)
{
    const bool first = !name || !*name;
    if (GDALDatasetGetLayerCount(dataset) == 0)
        return sg_fail(SG_EINPUT, "%s: holds neither raster bands nor vector layers", path);
    *layer = first ? GDALDatasetGetLayer(dataset, 0) : GDALDatasetGetLayerByName(dataset, name);
    if (*layer == NULL)
        return sg_fail(SG_EINPUT, "%s: has no layer '%s'; its first one is '%s'", path, name,
                       OGR_L_GetName(GDALDatasetGetLayer(dataset, 0)));
    return SG_OK;
}

static void list_fields(OGRFeatureDefnH definition, char *out, size_t size)
{
    out[0] = '\0';
    for (int i = 0; i < OGR_FD_GetFieldCount(definition); i++) {
        size_t used = strlen(out);
        snprintf(out + used, size - used, "%s%s", i ? ", " : "",
                 OGR_Fld_GetNameRef(OGR_FD_GetFieldDefn(definition, i)));
    }
}

static sg_err find_field(reading *r, const char *name)
{
    OGRFeatureDefnH definition = OGR_L_GetLayerDefn(r->layer);
    r->field = -1;
    if (name[0] == '\0')
        return SG_OK;
    r->field = OGR_FD_GetFieldIndex(definition, name);
    if (r->field < 0) {
        char fields[256];
        list_fields(definition, fields, sizeof(fields));
        return sg_fail(SG_EINPUT, "%s: layer '%s' has no attribute '%s'; it has: %s",
                       r->label->path, OGR_L_GetName(r->layer), name, fields);
    }
    OGRFieldType type = OGR_Fld_GetType(OGR_FD_GetFieldDefn(definition, r->field));
    r->is_text = type != OFTInteger && type != OFTInteger64 && type != OFTReal;
    return SG_OK;
}

static sg_err prepare_pixels(reading *r)
{
    const sg_georef *georef = r->image->georef;
    double geotransform[6];
    memcpy(geotransform, georef->geotransform, sizeof(geotransform));
    if (!georef->has_geotransform && georef->gcps > 0)
        return sg_fail(SG_EINPUT,
                       "%s: vector labels need a scene with a geotransform, %s has ground control "
                       "points; warp it first (gdalwarp)",
                       r->label->path, r->image->info.path);
    if (!GDALInvGeoTransform(geotransform, r->to_pixels))
        return sg_fail(SG_EINPUT, "%s: its geotransform cannot be inverted; correct it",
                       r->image->info.path);
    double turning = geotransform[1] * geotransform[5] - geotransform[2] * geotransform[4];
    r->label->y_sign = turning < 0 ? -1.0 : 1.0;
    return SG_OK;
}

static sg_err prepare_crs(reading *r)
{
    OGRSpatialReferenceH layer_crs = OGR_L_GetSpatialRef(r->layer),
                         image_crs = r->image->georef->crs;
    if ((layer_crs == NULL) != (image_crs == NULL))
        return sg_fail(SG_EINPUT, "%s: %s no CRS, the scene %s %s; give it one (%s)",
                       r->label->path, layer_crs ? "has a CRS" : "has", r->image->info.path,
                       image_crs ? "has one" : "has none",
                       image_crs ? "ogr2ogr -a_srs" : "gdal_edit.py -a_srs");
    if (layer_crs == NULL)
        return SG_OK;
    OGRSpatialReferenceH from = OSRClone(layer_crs);
    OSRSetAxisMappingStrategy(from, OAMS_TRADITIONAL_GIS_ORDER);
    sg_georef side = {.crs = from};
    sg_err err = SG_OK;
    if (!sg_georef_same_crs(&side, r->image->georef)) {
        CPLErrorReset();
        r->to_image = OCTNewCoordinateTransformation(from, image_crs);
        char text[512];
        if (r->to_image == NULL)
            err = sg_fail(SG_EINPUT, "%s: cannot be transformed to the CRS of %s: %s",
                          r->label->path, r->image->info.path, sg_gdal_message(text, sizeof(text)));
    }
    OSRDestroySpatialReference(from);
    return err;
}

/* The scene's outline in the layer's coordinates, as a filter that spares reading what lies far
 * away. Too large does no harm, so it grows by a twentieth. */
static void filter_layer(reading *r)
{
    enum { POINTS = 21 };
    const sg_raster_info *info = &r->image->info;
    double gt[6], x[POINTS * POINTS], y[POINTS * POINTS];
    OGREnvelope box = {INFINITY, -INFINITY, INFINITY, -INFINITY};
    int success[POINTS * POINTS], all = 1;
    memcpy(gt, info->geotransform, sizeof(gt));
    for (int i = 0; i < POINTS * POINTS; i++)
        GDALApplyGeoTransform(gt, (double)(i % POINTS) / (POINTS - 1) * (double)info->width,
                              (double)(i / POINTS) / (POINTS - 1) * (double)info->height, &x[i],
                              &y[i]);
    if (r->to_image) {
        OGRCoordinateTransformationH back = OCTGetInverse(r->to_image);
        if (back == NULL)
            return;
        all = OCTTransformEx(back, POINTS * POINTS, x, y, NULL, success);
        OCTDestroyCoordinateTransformation(back);
    }
    for (int i = 0; i < POINTS * POINTS && all; i++) {
        box.MinX = fmin(box.MinX, x[i]);
        box.MaxX = fmax(box.MaxX, x[i]);
        box.MinY = fmin(box.MinY, y[i]);
        box.MaxY = fmax(box.MaxY, y[i]);
    }
    double slack_x = (box.MaxX - box.MinX) / 20, slack_y = (box.MaxY - box.MinY) / 20;
    if (all && isfinite(slack_x) && isfinite(slack_y))
        OGR_L_SetSpatialFilterRect(r->layer, box.MinX - slack_x, box.MinY - slack_y,
                                   box.MaxX + slack_x, box.MaxY + slack_y);
}

static uint8_t class_of_number(const sg_class_table *classes, double value)
{
    for (int32_t i = 0; i < classes->count; i++)
        if ((double)classes->item[i].value == value)
            return (uint8_t)i;
    return SG_NO_CLASS;
}

/* Text names a class, or else is a number. */
static uint8_t class_of_text(const sg_class_table *classes, const char *text)
{
    int32_t index = sg_classes_find(classes, text);
    if (index >= 0)
        return (uint8_t)index;
    char *end = NULL;
    double value = CPLStrtod(text, &end);
    return end != text && *end == '\0' ? class_of_number(classes, value) : SG_NO_CLASS;
}

static uint8_t class_of_feature(const reading *r, OGRFeatureH f)
{
    if (r->field < 0)
        return 0;
    if (!OGR_F_IsFieldSetAndNotNull(f, r->field))
        return SG_NO_CLASS;
    if (r->is_text)
        return class_of_text(r->classes, OGR_F_GetFieldAsString(f, r->field));
    return class_of_number(r->classes, OGR_F_GetFieldAsDouble(f, r->field));
}

/* Replace coordinates by pixels, part by part. */
static void geometry_to_pixels(OGRGeometryH geometry, double to_pixels[6], double y_sign)
{
    int parts = OGR_G_GetGeometryCount(geometry);
    for (int i = 0; i < parts; i++)
        geometry_to_pixels(OGR_G_GetGeometryRef(geometry, i), to_pixels, y_sign);
    int points = parts == 0 ? OGR_G_GetPointCount(geometry) : 0;
    for (int i = 0; i < points; i++) {
        double x = OGR_G_GetX(geometry, i), y = OGR_G_GetY(geometry, i);
        GDALApplyGeoTransform(to_pixels, x, y, &x, &y);
        OGR_G_SetPoint_2D(geometry, i, x, y_sign * y);
    }
}

/* A flat copy without curves, in pixels; NULL in *out when the feature has no geometry. */
static sg_err make_geometry(const reading *r, OGRFeatureH f, OGRGeometryH *out)
{
    OGRGeometryH source = OGR_F_GetGeometryRef(f);
    *out = NULL;
    if (source == NULL || OGR_G_IsEmpty(source))
        return SG_OK;
    OGRGeometryH geometry = OGR_G_GetLinearGeometry(source, 0.0, NULL);
    OGR_G_FlattenTo2D(geometry);
    CPLErrorReset();
    if (r->to_image && OGR_G_Transform(geometry, r->to_image) != OGRERR_NONE) {
        char text[512];
        OGR_G_DestroyGeometry(geometry);
        return sg_fail(SG_EINPUT,
                       "%s: feature %lld cannot be transformed to the CRS of %s; clip or remove "
                       "it: %s",
                       r->label->path, (long long)OGR_F_GetFID(f), r->image->info.path,
                       sg_gdal_message(text, sizeof(text)));
    }
    geometry_to_pixels(geometry, (double *)r->to_pixels, r->label->y_sign);
    *out = geometry;
    return SG_OK;
}

/* Boxes touch within a pixel: lines and touched pixels reach a little over their coordinates. */
static bool box_touches(const OGREnvelope *box, sg_window w)
{
    return box->MaxX >= (double)w.x - 1 && box->MinX <= (double)(w.x + w.w) + 1 &&
           box->MaxY >= (double)w.y - 1 && box->MinY <= (double)(w.y + w.h) + 1;
}

static sg_err add_feature(const reading *r, OGRFeatureH f)
{
    sg_label_vector *label = r->label;
    OGRGeometryH geometry = NULL;
    OGREnvelope box;
    sg_err err = make_geometry(r, f, &geometry);
    if (err || geometry == NULL)
        return err;
    OGR_G_GetEnvelope(geometry, &box);
    if (label->y_sign < 0)
        box = (OGREnvelope){box.MinX, box.MaxX, -box.MaxY, -box.MinY};
    sg_window scene = {0, 0, r->image->info.width, r->image->info.height};
    if (box_touches(&box, scene))
        err = sg_grow(&label->item, &label->capacity, label->count + 1, sizeof(*label->item));
    if (err || !box_touches(&box, scene)) {
        OGR_G_DestroyGeometry(geometry);
        return err;
    }
    label->item[label->count++] = (feature){geometry, box, class_of_feature(r, f)};
    return SG_OK;
}

static sg_err read_features(const reading *r)
{
    sg_err err = SG_OK;
    OGRFeatureH f = NULL;
    CPLErrorReset();
    OGR_L_ResetReading(r->layer);
    while (!err && (f = OGR_L_GetNextFeature(r->layer)) != NULL) {
        err = add_feature(r, f);
        OGR_F_Destroy(f);
        CPLErrorReset();
    }
    char text[512];
    if (!err && CPLGetLastErrorType() >= CE_Failure)
        err = sg_fail(SG_EINPUT, "%s: reading layer '%s' failed: %s", r->label->path,
                      OGR_L_GetName(r->layer), sg_gdal_message(text, sizeof(text)));
    if (!err && r->label->count == 0)
        err = sg_fail(SG_EINPUT,
                      "%s: no feature of layer '%s' touches the scene %s; check the CRS "
                      "of both",
                      r->label->path, OGR_L_GetName(r->layer), r->image->info.path);
    return err;
}

static sg_err read_layer(reading *r, GDALDatasetH dataset, const sg_label_options *options)
{
    sg_label_vector *label = r->label;
    sg_err err = sg_vector_layer(&r->layer, dataset, r->label->path, options->layer);
    if (!err)
        err = find_field(r, options->attribute);
    if (!err)
        err = prepare_pixels(r);
    if (!err)
        err = prepare_crs(r);
    if (!err) {
        filter_layer(r);
        err = read_features(r);
    }
    if (r->to_image)
        OCTDestroyCoordinateTransformation(r->to_image);
    if (!err)
        err = sg_calloc(label->count, sizeof(*label->burn), &label->burn);
    if (!err)
        err = sg_calloc(label->count, sizeof(*label->value), &label->value);
    return err;
}

sg_err sg_label_vector_open(sg_label_vector **out, GDALDatasetH dataset, const char *path,
                            const sg_raster *image, const sg_class_table *classes,
                            const sg_label_options *options)
{
    sg_label_vector *label = NULL;
    sg_err err = sg_calloc(1, sizeof(*label), &label);
    if (err)
        return err;
    reading r = {.label = label, .image = image, .classes = classes};
    label->all_touched = options->all_touched;
    err = sg_path_format(label->path, "%s", path);
    if (!err)
        err = read_layer(&r, dataset, options);
    if (err) {
        sg_label_vector_close(label);
        return err;
    }
    *out = label;
    return SG_OK;
}

void sg_label_vector_close(sg_label_vector *label)
{
    if (label == NULL)
        return;
    for (size_t i = 0; i < label->count; i++)
        OGR_G_DestroyGeometry(label->item[i].geometry);
    sg_free(label->item);
    sg_free(label->burn);
    sg_free(label->value);
    sg_free(label);
}

sg_window sg_label_vector_bounds(const sg_label_vector *label)
{
    OGREnvelope all = {INFINITY, -INFINITY, INFINITY, -INFINITY};
    for (size_t i = 0; i < label->count; i++) {
        const OGREnvelope *box = &label->item[i].box;
        all.MinX = fmin(all.MinX, box->MinX);
        all.MaxX = fmax(all.MaxX, box->MaxX);
        all.MinY = fmin(all.MinY, box->MinY);
        all.MaxY = fmax(all.MaxY, box->MaxY);
    }
    const double most = 1 << 30; /* pixels: GDAL's rasters are no larger than twice that */
    int64_t x = (int64_t)floor(fmax(all.MinX, -most)), y = (int64_t)floor(fmax(all.MinY, -most));
    int64_t right = (int64_t)ceil(fmin(all.MaxX, 2 * most));
    int64_t low = (int64_t)ceil(fmin(all.MaxY, 2 * most));
    return (sg_window){x, y, sg_max64(right - x, 0), sg_max64(low - y, 0)};
}

static uint64_t hash_geometry(uint64_t hash, OGRGeometryH geometry)
{
    int32_t parts = OGR_G_GetGeometryCount(geometry);
    int32_t points = parts == 0 ? OGR_G_GetPointCount(geometry) : 0;
    int32_t counts[2] = {parts, points};
    hash = sg_hash(hash, counts, sizeof counts);
    for (int32_t i = 0; i < parts; i++)
        hash = hash_geometry(hash, OGR_G_GetGeometryRef(geometry, i));
    for (int32_t i = 0; i < points; i++) {
        double point[2] = {OGR_G_GetX(geometry, i), OGR_G_GetY(geometry, i)};
        hash = sg_hash(hash, point, sizeof point);
    }
    return hash;
}

uint64_t sg_label_vector_hash(const sg_label_vector *label)
{
    uint64_t hash = SG_HASH_START;
    for (size_t i = 0; i < label->count; i++)
        hash = hash_geometry(hash, label->item[i].geometry);
    return hash;
}

/* Where a window lies, for the transformer. */
typedef struct {
    double x, y, y_sign;
} placing;

/* GDAL's transformer from geometry to raster coordinates: a shift by the window's origin. */
static int place_in_window(void *user, int to_source, int count, double *x, double *y, double *z,
                           int *success)
{
    const placing *p = user;
    for (int i = 0; i < count; i++) {
        x[i] = to_source ? x[i] + p->x : x[i] - p->x;
        y[i] = to_source ? p->y_sign * (y[i] + p->y) : p->y_sign * y[i] - p->y;
        success[i] = TRUE;
    }
    return TRUE;
}

/* A MEM dataset over memory of ours. */
static GDALDatasetH wrap_memory(uint8_t *out, sg_window window, size_t stride)
{
    char pointer[64] = "", address[96], line[48];
    CPLPrintPointer(pointer, out, sizeof(pointer) - 1);
    snprintf(address, sizeof(address), "DATAPOINTER=%s", pointer);
    snprintf(line, sizeof(line), "LINEOFFSET=%zu", stride);
    const char *band[] = {address, line, NULL};
    GDALDatasetH dataset =
        GDALCreate(GDALGetDriverByName("MEM"), "", (int)window.w, (int)window.h, 0, GDT_Byte, NULL);
    if (dataset && GDALAddBand(dataset, GDT_Byte, (char **)band) != CE_None) {
        GDALClose(dataset);
        dataset = NULL;
    }
    return dataset;
}

static sg_err burn(sg_label_vector *label, sg_window window, uint8_t *out, size_t stride)
{
    int count = 0, band = 1;
    placing place = {(double)window.x, (double)window.y, label->y_sign};
    for (int64_t y = 0; y < window.h; y++)
        memset(out + (size_t)y * stride, SG_NO_CLASS, (size_t)window.w);
    for (size_t i = 0; i < label->count; i++) {
        if (!box_touches(&label->item[i].box, window))
            continue;
        label->burn[count] = label->item[i].geometry;
        label->value[count++] = label->item[i].class_index;
    }
    if (count == 0)
        return SG_OK;
    CPLErrorReset();
    GDALDatasetH dataset = wrap_memory(out, window, stride);
    const char *options[] = {label->all_touched ? "ALL_TOUCHED=TRUE" : NULL, NULL};
    CPLErr status = CE_Failure;
    if (dataset)
        status = GDALRasterizeGeometries(dataset, 1, &band, count, label->burn, place_in_window,
                                         &place, label->value, (CSLConstList)options, NULL, NULL);
    GDALClose(dataset);
    char text[512];
    if (!sg_gdal_succeeded(status))
        return sg_fail(SG_EINTERNAL, "%s: burning %d features failed: %s", label->path, count,
                       sg_gdal_message(text, sizeof(text)));
    return SG_OK;
}

/* GDAL clips the lines of ALL_TOUCHED to the raster that it burns, and may decide otherwise about a
 * pixel of which a line touches a corner only. Burning fixed blocks of the scene keeps the labels
 * independent of the window all the same. */
enum { BLOCK = 256 };

static sg_err burn_blocks(sg_label_vector *label, sg_window inner, uint8_t *out, size_t stride)
{
    uint8_t *pixels = NULL;
    sg_err err = sg_malloc(BLOCK, BLOCK, &pixels);
    for (int64_t y = inner.y / BLOCK * BLOCK; y < inner.y + inner.h && !err; y += BLOCK) {
        for (int64_t x = inner.x / BLOCK * BLOCK; x < inner.x + inner.w && !err; x += BLOCK) {
            sg_window block = {x, y, BLOCK, BLOCK}, part = sg_window_intersect(block, inner);
            err = burn(label, block, pixels, BLOCK);
            for (int64_t row = part.y; row < part.y + part.h && !err; row++)
                memcpy(out + (size_t)(row - inner.y) * stride + (part.x - inner.x),
                       pixels + (row - y) * BLOCK + (part.x - x), (size_t)part.w);
        }
    }
    sg_free(pixels);
    return err;
}

sg_err sg_label_vector_read(sg_label_vector *label, sg_window inner, uint8_t *out, size_t stride)
{
    return label->all_touched ? burn_blocks(label, inner, out, stride)
                              : burn(label, inner, out, stride);
}
