#include "data/part.h"

#include <gdal.h>
#include <math.h>
#include <stdio.h>
#include "base/size.h"

static const double TOLERANCE = 1e-3; /* of a pixel */

enum { EXTENT_TEXT = 160 };

/* "x from .. to .., y from .. to .." */
static const char *extent_text(const double low[2], const double high[2], char text[EXTENT_TEXT])
{
    snprintf(text, EXTENT_TEXT, "x %.12g .. %.12g, y %.12g .. %.12g", low[0], high[0], low[1],
             high[1]);
    return text;
}

/* The least rectangle around the corners of another one, seen through a geotransform. */
static void bounding_box(const double geotransform[6], const double x[2], const double y[2],
                         double low[2], double high[2])
{
    low[0] = low[1] = INFINITY;
    high[0] = high[1] = -INFINITY;
    for (int i = 0; i < 4; i++) {
        double corner[2];
        GDALApplyGeoTransform((double *)geotransform, x[i & 1], y[i >> 1], &corner[0], &corner[1]);
        for (int k = 0; k < 2; k++) {
            low[k] = fmin(low[k], corner[k]);
            high[k] = fmax(high[k], corner[k]);
        }
    }
}

static const char *name_of(const sg_part_wish *wish)
{
    return wish->kind == SG_PART_TE        ? "-te"
           : wish->kind == SG_PART_PROJWIN ? "-projwin"
                                           : "-srcwin";
}

static sg_err check_srcwin(const double value[4])
{
    for (int i = 0; i < 4; i++)
        if (value[i] != floor(value[i]) || fabs(value[i]) > INT32_MAX)
            return sg_fail(SG_EUSAGE, "-srcwin: %.12g is no whole number of pixels", value[i]);
    if (value[2] < 1 || value[3] < 1)
        return sg_fail(SG_EUSAGE, "-srcwin: %.12g x %.12g pixels; at least one of each is needed",
                       value[2], value[3]);
    return SG_OK;
}

sg_err sg_part_check(const sg_part_wish *wish)
{
    const double *v = wish->value;
    for (int i = 0; i < 4 && wish->kind != SG_PART_WHOLE; i++)
        if (!isfinite(v[i]))
            return sg_fail(SG_EUSAGE, "%s: %g is no place", name_of(wish), v[i]);
    if (wish->kind == SG_PART_SRCWIN)
        return check_srcwin(v);
    if (wish->kind == SG_PART_TE && !(v[0] < v[2] && v[1] < v[3]))
        return sg_fail(SG_EUSAGE,
                       "-te %.12g %.12g %.12g %.12g: the order is xmin ymin xmax ymax, and "
                       "maxima are larger than minima",
                       v[0], v[1], v[2], v[3]);
    if (wish->kind == SG_PART_PROJWIN && !(v[0] != v[2] && v[1] != v[3]))
        return sg_fail(SG_EUSAGE, "-projwin %.12g %.12g %.12g %.12g has no area", v[0], v[1], v[2],
                       v[3]);
    return SG_OK;
}

static double snap_down(double pixel)
{
    return floor(pixel + TOLERANCE);
}

static double snap_up(double pixel)
{
    return ceil(pixel - TOLERANCE);
}

/* Pixels [low, high) of a length, which may lie far away. */
static void clip(double low, double high, int64_t length, int64_t *first, int64_t *count)
{
    double from = fmax(low, 0), to = fmin(high, (double)length);
    *first = to > from ? (int64_t)from : 0;
    *count = to > from ? (int64_t)(to - from) : 0;
}

static void clip_both(const sg_raster_info *info, const double low[2], const double high[2],
                      sg_window *part)
{
    clip(low[0], high[0], info->width, &part->x, &part->w);
    clip(low[1], high[1], info->height, &part->y, &part->h);
}

static sg_err find_srcwin(const sg_raster_info *info, const double v[4], sg_window *part)
{
    const double low[2] = {v[0], v[1]}, high[2] = {v[0] + v[2], v[1] + v[3]};
    clip_both(info, low, high, part);
    if (!sg_window_is_empty(*part))
        return SG_OK;
    return sg_fail(SG_EUSAGE,
                   "-srcwin %.12g %.12g %.12g %.12g lies outside of %s, which has %lld x %lld "
                   "pixels",
                   v[0], v[1], v[2], v[3], info->path, (long long)info->width,
                   (long long)info->height);
}

static sg_err outside(const sg_raster_info *info, const sg_part_wish *wish, const double x[2],
                      const double y[2])
{
    const double across[2] = {0, (double)info->width}, down[2] = {0, (double)info->height};
    double low[2], high[2], wanted_low[2] = {fmin(x[0], x[1]), fmin(y[0], y[1])},
                            wanted_high[2] = {fmax(x[0], x[1]), fmax(y[0], y[1])};
    char scene[EXTENT_TEXT], wanted[EXTENT_TEXT];
    bounding_box(info->geotransform, across, down, low, high);
    return sg_fail(SG_EUSAGE,
                   "%s: %s lies outside of %s, which covers %s; give it in the scene's CRS",
                   name_of(wish), extent_text(wanted_low, wanted_high, wanted), info->path,
                   extent_text(low, high, scene));
}

sg_err sg_part_find(const sg_raster_info *info, const sg_part_wish *wish, sg_window *part)
{
    *part = (sg_window){0, 0, info->width, info->height};
    if (wish->kind == SG_PART_WHOLE)
        return SG_OK;
    if (wish->kind == SG_PART_SRCWIN)
        return find_srcwin(info, wish->value, part);
    const double x[2] = {wish->value[0], wish->value[2]}, y[2] = {wish->value[1], wish->value[3]};
    double inverse[6], low[2], high[2];
    if (!info->has_geotransform || !GDALInvGeoTransform((double *)info->geotransform, inverse))
        return sg_fail(SG_EUSAGE,
                       "%s: %s has no geotransform; give the part in pixels with -srcwin",
                       name_of(wish), info->path);
    bounding_box(inverse, x, y, low, high);
    for (int i = 0; i < 2; i++) {
        low[i] = snap_down(low[i]);
        high[i] = fmax(snap_up(high[i]), low[i] + 1);
    }
    clip_both(info, low, high, part);
    return sg_window_is_empty(*part) ? outside(info, wish, x, y) : SG_OK;
}
