/* Georeferencing: copied from in to out, compared, and measured. */
#include "data/raster_private.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <cpl_string.h>
#include <gdal_alg.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/size.h"

static OGRSpatialReferenceH clone_crs(OGRSpatialReferenceH crs)
{
    if (crs == NULL)
        return NULL;
    OGRSpatialReferenceH copy = OSRClone(crs);
    OSRSetAxisMappingStrategy(copy, OAMS_TRADITIONAL_GIS_ORDER);
    return copy;
}

sg_err sg_georef_read(sg_georef **out, GDALDatasetH dataset)
{
    sg_georef *georef = NULL;
    sg_err err = sg_calloc(1, sizeof(*georef), &georef);
    if (err)
        return err;
    const double identity[6] = {0, 1, 0, 0, 0, 1};
    georef->has_geotransform = GDALGetGeoTransform(dataset, georef->geotransform) == CE_None;
    if (!georef->has_geotransform)
        memcpy(georef->geotransform, identity, sizeof(identity));
    georef->crs = clone_crs(GDALGetSpatialRef(dataset));
    georef->gcps = GDALGetGCPCount(dataset);
    if (georef->gcps > 0) {
        georef->gcp = GDALDuplicateGCPs(georef->gcps, GDALGetGCPs(dataset));
        if (georef->crs == NULL)
            georef->crs = clone_crs(GDALGetGCPSpatialRef(dataset));
    }
    georef->rpc = CSLDuplicate(GDALGetMetadata(dataset, "RPC"));
    *out = georef;
    return SG_OK;
}

sg_err sg_georef_wkt(const sg_georef *georef, char **wkt)
{
    char *text = NULL;
    bool known = georef->crs && OSRExportToWkt(georef->crs, &text) == OGRERR_NONE;
    size_t bytes = known ? strlen(text) + 1 : 1;
    sg_err err = sg_malloc(bytes, 1, wkt);
    if (!err)
        memcpy(*wkt, known ? text : "", bytes);
    CPLFree(text);
    return err;
}

static sg_georef *copy_georef(const sg_georef *from, sg_georef *to)
{
    *to = *from;
    to->crs = clone_crs(from->crs);
    to->gcp = from->gcps > 0 ? GDALDuplicateGCPs(from->gcps, from->gcp) : NULL;
    to->rpc = CSLDuplicate(from->rpc);
    return to;
}

sg_err sg_raster_georef(const sg_raster *raster, sg_georef **out)
{
    sg_georef *georef = NULL;
    sg_err err = sg_calloc(1, sizeof(*georef), &georef);
    if (!err)
        *out = copy_georef(raster->georef, georef);
    return err;
}

void sg_georef_close(sg_georef *georef)
{
    if (georef == NULL)
        return;
    if (georef->crs)
        OSRDestroySpatialReference(georef->crs);
    if (georef->gcp) {
        GDALDeinitGCPs(georef->gcps, georef->gcp);
        CPLFree(georef->gcp);
    }
    CSLDestroy(georef->rpc);
    sg_free(georef);
}

static void shift_rpc(char ***rpc, const char *name, int64_t by)
{
    const char *text = CSLFetchNameValue(*rpc, name);
    char shifted[64];
    if (!text || by == 0)
        return;
    snprintf(shifted, sizeof shifted, "%.15g", CPLAtof(text) - (double)by);
    *rpc = CSLSetNameValue(*rpc, name, shifted);
}

void sg_georef_shift(sg_georef *georef, sg_window part)
{
    double *gt = georef->geotransform, x = (double)part.x, y = (double)part.y;
    if (georef->has_geotransform) {
        gt[0] += x * gt[1] + y * gt[2];
        gt[3] += x * gt[4] + y * gt[5];
    }
    for (int i = 0; i < georef->gcps; i++) {
        georef->gcp[i].dfGCPPixel -= x;
        georef->gcp[i].dfGCPLine -= y;
    }
    shift_rpc(&georef->rpc, "SAMP_OFF", part.x);
    shift_rpc(&georef->rpc, "LINE_OFF", part.y);
}

/* The geotransform, or the one that fits the GCPs best. */
static bool best_geotransform(const sg_georef *georef, double geotransform[6])
{
    memcpy(geotransform, georef->geotransform, sizeof(georef->geotransform));
    if (georef->has_geotransform)
        return true;
    return georef->gcps >= 3 &&
           GDALGCPsToGeoTransform(georef->gcps, georef->gcp, geotransform, TRUE);
}

/* Metres per degree of longitude and latitude, here per angular unit, on the CRS's ellipsoid. */
static void angular_scale(OGRSpatialReferenceH crs, double y, double *metres_x, double *metres_y)
{
    OGRErr status = OGRERR_NONE;
    double unit = OSRGetAngularUnits(crs, NULL);
    double a = OSRGetSemiMajor(crs, &status), inverse = OSRGetInvFlattening(crs, &status);
    double f = inverse > 0.0 ? 1.0 / inverse : 0.0;
    double e2 = f * (2.0 - f), s = sin(y * unit), w = 1.0 - e2 * s * s;
    *metres_x = a / sqrt(w) * cos(y * unit) * unit;
    *metres_y = a * (1.0 - e2) / (w * sqrt(w)) * unit;
}

double sg_georef_gsd(const sg_georef *georef, int64_t width, int64_t height)
{
    double gt[6], metres_x = 0.0, metres_y = 0.0;
    if (georef->crs == NULL || !best_geotransform(georef, gt))
        return 0.0;
    if (OSRIsGeographic(georef->crs)) {
        double y = gt[3] + gt[4] * (double)width / 2 + gt[5] * (double)height / 2;
        angular_scale(georef->crs, y, &metres_x, &metres_y);
    } else if (OSRIsProjected(georef->crs) || OSRIsLocal(georef->crs)) {
        metres_x = metres_y = OSRGetLinearUnits(georef->crs, NULL);
    }
    double across = hypot(gt[1] * metres_x, gt[4] * metres_y);
    double down = hypot(gt[2] * metres_x, gt[5] * metres_y);
    double gsd = sqrt(across * down);
    return isfinite(gsd) ? gsd : 0.0;
}

bool sg_georef_same_crs(const sg_georef *a, const sg_georef *b)
{
    if (a->crs == NULL || b->crs == NULL)
        return a->crs == b->crs;
    const char *options[] = {"IGNORE_DATA_AXIS_TO_SRS_AXIS_MAPPING=YES", "CRITERION=EQUIVALENT",
                             NULL};
    return OSRIsSameEx(a->crs, b->crs, options);
}

static bool same_gcps(const sg_georef *a, const sg_georef *b)
{
    if (a->gcps != b->gcps)
        return false;
    for (int i = 0; i < a->gcps; i++) {
        const GDAL_GCP *p = &a->gcp[i], *q = &b->gcp[i];
        if (p->dfGCPPixel != q->dfGCPPixel || p->dfGCPLine != q->dfGCPLine ||
            p->dfGCPX != q->dfGCPX || p->dfGCPY != q->dfGCPY)
            return false;
    }
    return true;
}

static bool same_geotransform(const double a[6], const double b[6], int64_t width, int64_t height)
{
    double inverse[6];
    if (!GDALInvGeoTransform((double *)a, inverse))
        return memcmp(a, b, 6 * sizeof(double)) == 0;
    for (int i = 0; i < 4; i++) {
        double x = i & 1 ? (double)width : 0.0, y = i & 2 ? (double)height : 0.0;
        double geo_x, geo_y, back_x, back_y;
        GDALApplyGeoTransform((double *)b, x, y, &geo_x, &geo_y);
        GDALApplyGeoTransform(inverse, geo_x, geo_y, &back_x, &back_y);
        if (!(fabs(back_x - x) <= 0.01 && fabs(back_y - y) <= 0.01))
            return false;
    }
    return true;
}

bool sg_georef_same(const sg_georef *a, const sg_georef *b, int64_t width, int64_t height)
{
    if (!sg_georef_same_crs(a, b) || a->has_geotransform != b->has_geotransform)
        return false;
    if (!a->has_geotransform)
        return same_gcps(a, b);
    return same_geotransform(a->geotransform, b->geotransform, width, height);
}

bool sg_raster_same_grid(const sg_raster *a, const sg_raster *b)
{
    return a->info.width == b->info.width && a->info.height == b->info.height &&
           sg_georef_same(a->georef, b->georef, a->info.width, a->info.height);
}

/* A polygon in the plane; clipping it by a rectangle adds at most a few points per side. */
enum { EDGE_POINTS = 32, POLYGON_MAX = 4 * EDGE_POINTS * 4 };
typedef struct {
    int count;
    double x[POLYGON_MAX], y[POLYGON_MAX];
} polygon;

static void outline(const double geotransform[6], int64_t width, int64_t height, polygon *p)
{
    const double corner[5][2] = {{0, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 0}};
    p->count = 0;
    for (int side = 0; side < 4; side++) {
        for (int i = 0; i < EDGE_POINTS; i++) {
            double t = (double)i / EDGE_POINTS;
            double x = corner[side][0] + t * (corner[side + 1][0] - corner[side][0]);
            double y = corner[side][1] + t * (corner[side + 1][1] - corner[side][1]);
            GDALApplyGeoTransform((double *)geotransform, x * (double)width, y * (double)height,
                                  &p->x[p->count], &p->y[p->count]);
            p->count++;
        }
    }
}

/* Keep what lies on the inner side of one line: sign * coordinate <= sign * limit (Sutherland and
 * Hodgman 1974). */
static void clip_side(polygon *p, int along_y, double sign, double limit)
{
    polygon out = {.count = 0};
    for (int i = 0; i < p->count; i++) {
        int j = (i + 1) % p->count;
        double a = sign * ((along_y ? p->y[i] : p->x[i]) - limit);
        double b = sign * ((along_y ? p->y[j] : p->x[j]) - limit);
        if (a <= 0.0 && out.count < POLYGON_MAX) {
            out.x[out.count] = p->x[i];
            out.y[out.count++] = p->y[i];
        }
        if ((a <= 0.0) != (b <= 0.0) && out.count < POLYGON_MAX) {
            double t = a / (a - b);
            out.x[out.count] = p->x[i] + t * (p->x[j] - p->x[i]);
            out.y[out.count++] = p->y[i] + t * (p->y[j] - p->y[i]);
        }
    }
    *p = out;
}

static double polygon_area(const polygon *p)
{
    double twice = 0.0;
    for (int i = 0; i < p->count; i++) {
        int j = (i + 1) % p->count;
        twice += p->x[i] * p->y[j] - p->x[j] * p->y[i];
    }
    return fabs(twice) / 2.0;
}

/* Take the points of p from one CRS to the other; points that have no image are dropped. */
static sg_err change_crs(polygon *p, OGRSpatialReferenceH from, OGRSpatialReferenceH to)
{
    int success[POLYGON_MAX];
    int count = 0;
    CPLErrorReset();
    OGRCoordinateTransformationH change = OCTNewCoordinateTransformation(from, to);
    if (change == NULL) {
        char text[512];
        return sg_fail(SG_EINPUT, "two scenes' coordinate systems cannot be compared: %s",
                       sg_gdal_message(text, sizeof(text)));
    }
    OCTTransformEx(change, p->count, p->x, p->y, NULL, success);
    for (int i = 0; i < p->count; i++) {
        if (!success[i] || !isfinite(p->x[i]) || !isfinite(p->y[i]))
            continue;
        p->x[count] = p->x[i];
        p->y[count++] = p->y[i];
    }
    p->count = count;
    OCTDestroyCoordinateTransformation(change);
    return SG_OK;
}

sg_err sg_georef_footprint_overlap(const sg_georef *a, int64_t a_width, int64_t a_height,
                                   const sg_georef *b, int64_t b_width, int64_t b_height,
                                   double *shared_pixels)
{
    double a_gt[6], b_gt[6], inverse[6];
    polygon p;
    *shared_pixels = 0.0;
    if (a->crs == NULL || b->crs == NULL || !best_geotransform(a, a_gt) ||
        !best_geotransform(b, b_gt) || !GDALInvGeoTransform(a_gt, inverse))
        return SG_OK;
    outline(b_gt, b_width, b_height, &p);
    if (!sg_georef_same_crs(a, b)) {
        sg_err err = change_crs(&p, b->crs, a->crs);
        if (err)
            return err;
    }
    for (int i = 0; i < p.count; i++)
        GDALApplyGeoTransform(inverse, p.x[i], p.y[i], &p.x[i], &p.y[i]);
    clip_side(&p, 0, -1.0, 0.0);
    clip_side(&p, 0, 1.0, (double)a_width);
    clip_side(&p, 1, -1.0, 0.0);
    clip_side(&p, 1, 1.0, (double)a_height);
    *shared_pixels = polygon_area(&p);
    return SG_OK;
}
