/*
 * Which part of a scene is meant, as GDAL's users say it, in whole pixels. [local]
 */
#ifndef SG_DATA_PART_H
#define SG_DATA_PART_H

#include "data/raster.h"

typedef enum {
    SG_PART_WHOLE,
    SG_PART_TE,      /* xmin ymin xmax ymax in the scene's CRS, as gdalwarp has it */
    SG_PART_PROJWIN, /* ulx uly lrx lry in the scene's CRS, as gdal_translate has it */
    SG_PART_SRCWIN   /* x y width height, in pixels */
} sg_part_kind;

typedef struct {
    sg_part_kind kind;
    double value[4];
} sg_part_wish;

/* SG_EUSAGE: the values are not in order, or not whole pixels. */
sg_err sg_part_check(const sg_part_wish *wish);
/*
 * The pixels that the wish touches, inside the scene: those of a turned scene, too, that lie in the
 * least rectangle of pixels around it. Edges within a thousandth of a pixel of a pixel's are taken
 * to lie on it. SG_EUSAGE: the scene has no geotransform, or the wish lies outside of it entirely
 * (naming both extents).
 */
sg_err sg_part_find(const sg_raster_info *info, const sg_part_wish *wish, sg_window *part);

#endif
