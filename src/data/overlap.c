/*
 * The outline of one scene is brought into the pixel coordinates of the other and clipped to it:
 * Sutherland and Hodgman, "Reentrant polygon clipping", CACM 1974.
 */
#include "data/overlap.h"

#include <gdal_alg.h>
#include <math.h>
#include <ogr_srs_api.h>
#include "base/size.h"
#include "data/raster_private.h"

/* An edge bends when its CRS changes, so it is followed in this many steps. */
enum { STEPS = 16, OUTLINE = 4 * STEPS, CLIPPED = 2 * OUTLINE + 16 };

/* Neighbours' outlines agree to a small part of a pixel: an overlap thinner than this is none. */
static const double SLACK = 0.5;

typedef struct {
    int count;
    double x[CLIPPED], y[CLIPPED];
} polygon;

/* The outline of a scene in map coordinates. */
static void outline(const sg_raster_info *info, const sg_georef *georef, polygon *out)
{
    static const double corner[5][2] = {{0, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 0}};
    out->count = OUTLINE;
    for (int i = 0; i < OUTLINE; i++) {
        const double *from = corner[i / STEPS], *to = corner[i / STEPS + 1];
        double t = (double)(i % STEPS) / STEPS;
        GDALApplyGeoTransform(
            (double *)georef->geotransform, (from[0] + t * (to[0] - from[0])) * (double)info->width,
            (from[1] + t * (to[1] - from[1])) * (double)info->height, &out->x[i], &out->y[i]);
    }
}

/* Map coordinates of one CRS to another's. 0: not possible for every point. */
static int change_crs(polygon *p, const sg_georef *from, const sg_georef *to)
{
    if (sg_georef_same_crs(from, to))
        return 1;
    OGRCoordinateTransformationH change = OCTNewCoordinateTransformation(from->crs, to->crs);
    if (!change)
        return 0;
    int done = OCTTransform(change, p->count, p->x, p->y, NULL);
    OCTDestroyCoordinateTransformation(change);
    for (int i = 0; done && i < p->count; i++)
        done = isfinite(p->x[i]) && isfinite(p->y[i]);
    return done;
}

static int to_pixels(polygon *p, const sg_georef *georef)
{
    double inverse[6];
    if (!GDALInvGeoTransform((double *)georef->geotransform, inverse))
        return 0;
    for (int i = 0; i < p->count; i++)
        GDALApplyGeoTransform(inverse, p->x[i], p->y[i], &p->x[i], &p->y[i]);
    return 1;
}

static void add_point(polygon *p, double x, double y)
{
    if (p->count == CLIPPED)
        return;
    p->x[p->count] = x;
    p->y[p->count++] = y;
}

/* Keep the part where sign * (coordinate - limit) >= 0, the coordinate being x or y. */
static void clip(polygon *p, int along_y, double sign, double limit)
{
    polygon in = *p;
    p->count = 0;
    for (int i = 0; i < in.count; i++) {
        int j = (i + 1) % in.count;
        double from = sign * ((along_y ? in.y[i] : in.x[i]) - limit);
        double to = sign * ((along_y ? in.y[j] : in.x[j]) - limit);
        if (from >= 0)
            add_point(p, in.x[i], in.y[i]);
        if ((from >= 0) == (to >= 0))
            continue;
        double t = from / (from - to);
        add_point(p, in.x[i] + t * (in.x[j] - in.x[i]), in.y[i] + t * (in.y[j] - in.y[i]));
    }
}

static double area(const polygon *p)
{
    double sum = 0;
    for (int i = 0; i < p->count; i++) {
        int j = (i + 1) % p->count;
        sum += p->x[i] * p->y[j] - p->x[j] * p->y[i];
    }
    return fabs(sum) / 2;
}

int sg_scenes_overlap(const sg_raster_info *a, const sg_georef *a_georef, const sg_raster_info *b,
                      const sg_georef *b_georef)
{
    if (!a->has_geotransform || !b->has_geotransform || !a_georef->crs || !b_georef->crs)
        return 0;
    polygon p;
    outline(b, b_georef, &p);
    if (!change_crs(&p, b_georef, a_georef) || !to_pixels(&p, a_georef))
        return 0;
    double right = (double)a->width, lower = (double)a->height;
    double slack_x = fmin(SLACK, right / 4), slack_y = fmin(SLACK, lower / 4);
    clip(&p, 0, 1, slack_x);
    clip(&p, 0, -1, right - slack_x);
    clip(&p, 1, 1, slack_y);
    clip(&p, 1, -1, lower - slack_y);
    return p.count > 2 && area(&p) > SLACK * SLACK;
}
