/*
 * What a STAC file (an item, an ItemCollection, a collection whose links name items) says about
 * rasters: stacspec.org. The only user of json-c. Files may lie behind http. [local]
 */
#ifndef SG_DATA_STAC_H
#define SG_DATA_STAC_H

#include <stddef.h>
#include "base/error.h"

/* One item: its id, fit for a file's name, and its rasters as GDAL opens them. */
typedef sg_err (*sg_stac_fn)(void *user, const char *id, const char *const *path, size_t paths);

/*
 * Call each for every item, in the file's order. assets: names parted by commas, whose rasters are
 * wanted in this order; NULL: the only raster that an item has. An asset is a raster when its media
 * type is that of GeoTIFF or JPEG 2000, or when it has none and the role "data"; where several are,
 * those with the role "data" count, and overviews and thumbnails never do. Relative references
 * start at the file. SG_EINPUT: not such a file, no item, no or several rasters, no such asset.
 */
sg_err sg_stac_each(const char *path, const char *assets, sg_stac_fn each, void *user);

/* "http://", "https://", "s3://", "gs://" and "file://" as GDAL wants them, else as it is, into
 * SG_PATH_MAX bytes. */
sg_err sg_path_of_url(char *out, const char *url);
/* A reference in a file: as it is where it is absolute or a URL, else beside the file. */
sg_err sg_path_beside(char *out, const char *file, const char *reference);

#endif
