/*
 * The layout of a Cloud Optimized GeoTIFF: all directories first, then the blocks, those of the
 * smallest overview first and those of the raster last, each level in row order. Every block stands
 * between its size and its last four bytes again, as GDAL's own files have it, so that readers can
 * fetch it without its directory's tables. All sizes are known before anything is written, so the
 * file is written from front to back. BigTIFF where it would not fit into 4 GiB.
 * https://gdal.org/drivers/raster/cog.html, "File format details". [local]
 */
#ifndef SG_TILES_COG_H
#define SG_TILES_COG_H

#include "tiles/pyramid.h"
#include "tiles/tiff_tags.h"

typedef struct {
    const char *path;
    const sg_tiff_tags *tags; /* of the raster; those of the overviews follow from them */
    const sg_pyramid *pyramid;
    /* Compressed bytes of a block, by its number in the pyramid, and these bytes. */
    int64_t (*bytes)(void *user, int64_t block);
    sg_err (*read)(void *user, int64_t block, void *data);
    void *user;
    uint64_t classic_most; /* bytes up to which the file is no BigTIFF; 0: 4 GiB. For tests */
} sg_cog;

/* SG_EOUTPUT names the path. */
sg_err sg_cog_write(const sg_cog *cog);

#endif
