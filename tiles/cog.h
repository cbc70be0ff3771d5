/*
 * The layout of a Cloud Optimized GeoTIFF: all directories first, then the blocks, those of the
 * smallest overview first and those of the raster last, each level in row order. Every block stands
 * between its size and its last four bytes again, as GDAL's own files have it, so that readers can
 * fetch it without its directory's tables. All sizes are known before anything is written, so the
 * file is written from front to back. BigTIFF where it would not fit into 4 GiB.
 * https://gdal.org/drivers/raster/cog.html, "File format details". Blocks of 0 bytes are not there:
 * offset and size are 0 in the tables. A plain TIFF is laid out alike, without what stands around
 * blocks and without the promise of it. [local]
 */
#ifndef SG_TILES_COG_H
#define SG_TILES_COG_H

#include "tiles/pyramid.h"
#include "tiles/tiff_tags.h"

typedef enum { SG_BIG_IF_NEEDED, SG_BIG_IF_SAFER, SG_BIG_YES, SG_BIG_NO } sg_big_tiff;

/* All zero: a COG, BigTIFF where needed. */
typedef struct {
    bool plain; /* no COG */
    sg_big_tiff big;
} sg_tiff_layout;

typedef struct {
    const char *path;
    sg_tiff_layout layout;
    uint64_t raw_bytes;       /* of all blocks, not compressed: SG_BIG_IF_SAFER goes by it */
    const sg_tiff_tags *tags; /* of the raster; those of the overviews follow from them */
    const sg_pyramid *pyramid;
    /* Compressed bytes of a block, by its number in the pyramid, and these bytes. */
    int64_t (*bytes)(void *user, int64_t block);
    sg_err (*read)(void *user, int64_t block, void *data);
    void *user;
    uint64_t classic_most; /* bytes up to which the file is no BigTIFF; 0: 4 GiB. For tests */
} sg_cog;

/* SG_EOUTPUT names the path; SG_EUSAGE: too large for SG_BIG_NO. */
sg_err sg_cog_write(const sg_cog *cog);

#endif
