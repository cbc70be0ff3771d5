/*
 * Rasters of one band each as the bands of one scene, seen through VRTs in memory. [local]
 */
#ifndef SG_DATA_STACK_H
#define SG_DATA_STACK_H

#include <stddef.h>
#include "base/error.h"

/*
 * Make path ("/vsimem/...vrt") a raster whose bands are those of the files, in their order, on the
 * grid of the first one. Files on other grids are warped to it: averaged where they are finer,
 * interpolated where they are coarser; their views stand beside it. SG_EINPUT: a file cannot be
 * opened, or has more than one band.
 */
sg_err sg_stack_make(const char *path, const char *const *file, size_t files);

#endif
