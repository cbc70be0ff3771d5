/*
 * How much ground the pixels of a raster cover. In a geographic CRS a pixel is a cell between two
 * parallels and two meridians of the ellipsoid, and its true area is taken; in a projected one the
 * area that the projection gives it, which is the true one where that is equal-area and close to
 * it where distances are kept, as in UTM. [local]
 */
#ifndef SG_DATA_GROUND_H
#define SG_DATA_GROUND_H

#include "data/raster.h"

typedef struct {
    bool known;      /* false: no CRS or no geotransform, so no areas: all are 0 */
    bool geographic; /* latitudes decide; else every pixel is alike */
    double pixel;    /* m2 of a pixel; geographic and not slanted: of the row */
    double a, e2;    /* semi-major axis, metres; eccentricity squared */
    double unit;     /* radians of a unit of the coordinates */
    double geotransform[6];
    int64_t y; /* the row */
} sg_ground;

void sg_ground_make(sg_ground *ground, const sg_georef *georef); /* georef NULL: unknown */
/* From now on pixels are those of row y. */
void sg_ground_set_row(sg_ground *ground, int64_t y);
/* Square metres of n pixels of the row that begin at x. */
double sg_ground_run(const sg_ground *ground, int64_t x, int64_t n);
/* Square metres of so many pixels whose runs have this sum: without its rounding where all pixels
 * are alike. */
double sg_ground_total(const sg_ground *ground, int64_t pixels, double sum);

/* Square metres of a zone of the ellipsoid, one radian wide: height around a latitude, radians;
 * what lies beyond a pole is left out. */
double sg_ground_zone(const sg_ground *ground, double middle, double height);

#endif
