/* Which files of a folder are scenes. [local] */
#ifndef SG_DATA_FOLDER_H
#define SG_DATA_FOLDER_H

#include <stdbool.h>
#include "base/error.h"

typedef sg_err (*sg_folder_fn)(void *user, const char *path);

/* Does GDAL open the folder itself as a raster, as it does a .zarr or .SAFE? */
bool sg_folder_is_raster(const char *folder);
/*
 * Call each for every raster in the folder, in byte order of their names: what has an extension of
 * one of GDAL's raster formats and is opened by GDAL, or would be if it were not damaged. What
 * segtiles has made itself is left out, and so are folders. SG_EINPUT: the folder cannot be read,
 * or has no raster.
 */
sg_err sg_folder_each_raster(const char *folder, sg_folder_fn each, void *user);

#endif
