/* Do two scenes cover the same ground? [local] */
#ifndef SG_DATA_OVERLAP_H
#define SG_DATA_OVERLAP_H

#include "data/raster.h"

/*
 * 1 when b covers ground of a by about a pixel of a or more (scenes that only touch do not), else
 * 0. 0 too where one of them has no geotransform or no CRS, or lies where the other's CRS is not
 * defined: nothing can be said then.
 */
int sg_scenes_overlap(const sg_raster_info *a, const sg_georef *a_georef, const sg_raster_info *b,
                      const sg_georef *b_georef);

#endif
