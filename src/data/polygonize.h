/*
 * The patches of a mask as polygons in a vector file. GDAL traces their outlines, nodata left out,
 * line by line over the whole file, so that there are no seams; here they are read again one by
 * one, and each is written with what the caller knows about it. Rank 0 alone. All [local].
 */
#ifndef SG_DATA_POLYGONIZE_H
#define SG_DATA_POLYGONIZE_H

#include "base/file.h"
#include "data/classes.h"

typedef struct sg_outlines sg_outlines;

typedef struct {
    const char *mask;              /* a finished mask */
    const char *traced, *path;     /* outlines alone, and the output: .fgb; .gpkg or .fgb */
    const char *layer;             /* its name */
    const sg_class_table *classes; /* names */
    bool has_confidence, has_area; /* fields that are wanted */
    bool corners;                  /* pixels that touch with a corner are connected, too */
} sg_outlines_options;             /* borrowed until closed */

/* Where a patch begins in row order; every patch has such a pixel of its own. */
typedef struct {
    int64_t x, y;
} sg_outline_place;

typedef struct {
    int32_t value;
    int64_t pixels;
    double area;       /* m2 */
    double confidence; /* mean */
} sg_outline_facts;

/* SG_EUSAGE: a file's name ends otherwise. */
sg_err sg_outlines_check_name(const char *path);
/* Trace the outlines and begin the output. SG_EINPUT, SG_EOUTPUT name the file. Memory: a few
 * numbers for each patch. */
sg_err sg_outlines_open(sg_outlines **outlines, const sg_outlines_options *options);
/* The next outline, in the order in which they end from top to bottom, a few rows aside; more:
 * there was one. */
sg_err sg_outlines_next(sg_outlines *outlines, sg_outline_place *place, bool *more);
/* Write it. */
sg_err sg_outlines_put(sg_outlines *outlines, const sg_outline_facts *facts);
/* All is written. */
sg_err sg_outlines_finish(sg_outlines *outlines);
void sg_outlines_close(sg_outlines *outlines); /* leaves the files; NULL is fine */

#endif
