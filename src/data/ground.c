/*
 * The zone of an ellipsoid below latitude p covers, per radian of longitude,
 *   b^2 / 2 (sin p / (1 - e^2 sin^2 p) + atanh(e sin p) / e)
 * (J. P. Snyder, Map Projections: A Working Manual, USGS Professional Paper 1395, 1987, eq. 3-12).
 * Between two latitudes that lie close together the difference of two such values would lose most
 * of its digits, so it is written with the difference of the sines.
 */
#include "data/ground.h"
#include "data/raster_private.h"

#include <math.h>
#include <string.h>

static double within(double value, double most)
{
    return fmax(-most, fmin(most, value));
}

double sg_ground_zone(const sg_ground *g, double middle, double height)
{
    double half = height / 2, e2 = g->e2, e = sqrt(e2);
    if (fabs(middle) + half > M_PI / 2) {
        double south = within(middle - half, M_PI / 2), north = within(middle + half, M_PI / 2);
        middle = (south + north) / 2;
        half = (north - south) / 2;
    }
    double s = sin(middle - half), t = sin(middle + half);
    double difference = 2 * cos(middle) * sin(half); /* t - s */
    double first = difference * (1 + e2 * s * t) / ((1 - e2 * s * s) * (1 - e2 * t * t));
    double second = e > 0 ? atanh(e * difference / (1 - e2 * s * t)) / e : difference;
    return g->a * g->a * (1 - e2) / 2 * (first + second);
}

static void make_geographic(sg_ground *g, OGRSpatialReferenceH crs)
{
    OGRErr status = OGRERR_NONE;
    double inverse = OSRGetInvFlattening(crs, &status);
    double f = inverse > 0 ? 1 / inverse : 0;
    g->geographic = true;
    g->a = OSRGetSemiMajor(crs, &status);
    g->e2 = f * (2 - f);
    g->unit = OSRGetAngularUnits(crs, NULL);
}

void sg_ground_make(sg_ground *g, const sg_georef *georef)
{
    *g = (sg_ground){0};
    if (georef == NULL || georef->crs == NULL || !georef->has_geotransform)
        return;
    const double *gt = georef->geotransform;
    memcpy(g->geotransform, gt, sizeof(g->geotransform));
    if (OSRIsGeographic(georef->crs)) {
        make_geographic(g, georef->crs);
        g->known = true;
    } else if (OSRIsProjected(georef->crs) || OSRIsLocal(georef->crs)) {
        double metres = OSRGetLinearUnits(georef->crs, NULL);
        g->pixel = fabs(gt[1] * gt[5] - gt[2] * gt[4]) * metres * metres;
        g->known = isfinite(g->pixel) && g->pixel > 0;
    }
}

/* A pixel, which may be a slanted one: its share of the zone that is as high as it is. */
static double cell(const sg_ground *g, double x, double y)
{
    const double *gt = g->geotransform;
    double middle = (gt[3] + (x + 0.5) * gt[4] + (y + 0.5) * gt[5]) * g->unit;
    double height = (fabs(gt[4]) + fabs(gt[5])) * g->unit;
    double size = fabs(gt[1] * gt[5] - gt[2] * gt[4]) * g->unit * g->unit;
    return height > 0 ? sg_ground_zone(g, middle, height) * (size / height) : 0;
}

/* All pixels of a row lie between the same parallels. */
static bool is_upright(const sg_ground *g)
{
    return g->geotransform[4] == 0;
}

void sg_ground_set_row(sg_ground *g, int64_t y)
{
    g->y = y;
    if (g->geographic && is_upright(g))
        g->pixel = cell(g, 0, (double)y);
}

double sg_ground_run(const sg_ground *g, int64_t x, int64_t n)
{
    double sum = 0;
    if (!g->geographic || is_upright(g))
        return g->pixel * (double)n;
    for (int64_t i = 0; i < n; i++)
        sum += cell(g, (double)(x + i), (double)g->y);
    return sum;
}

double sg_ground_total(const sg_ground *g, int64_t pixels, double sum)
{
    return g->geographic ? sum : g->pixel * (double)pixels;
}
