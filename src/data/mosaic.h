/*
 * Scenes laid onto one grid: a raster in memory, opened by its path like any raster, by any number
 * of threads. A pixel is the first scene's, in their order, that has data there in all chosen
 * bands. Scenes whose pixels lie one for one on the grid are read as they are, others are warped:
 * averaged where they get coarser, interpolated where they get finer. [local]
 */
#ifndef SG_DATA_MOSAIC_H
#define SG_DATA_MOSAIC_H

#include "data/raster.h"

typedef struct {
    const char *crs; /* "EPSG:32632" and the like; NULL: the first scene's */
    double pixel[2]; /* width and height in the CRS's units; 0: the first scene's */
    int32_t has_extent;
    double extent[4]; /* xmin ymin xmax ymax; else what the scenes cover */
} sg_mosaic_wish;

/*
 * Make path ("/vsimem/...vrt") the mosaic of scenes, to be read with sg_raster_open_spec. Pixels of
 * the first scene's size in its CRS lie on its own pixels, and the extent grows to whole ones; else
 * they begin at the extent's upper left. SG_EINPUT: a scene cannot be opened or placed; SG_EUSAGE:
 * the CRS is unknown, or no scene touches the extent.
 */
sg_err sg_mosaic_make(const char *path, const char *const *scene, size_t scenes,
                      const sg_spec *spec, const sg_mosaic_wish *wish);

#endif
