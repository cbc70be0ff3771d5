/*
 * The layout of a Cloud Optimized GeoTIFF: all directories first, then the blocks, those of the
 * smallest overview first and those of the raster last, each level in row order. Every block stands
 * between its size and its last four bytes again, as GDAL's own files have it, so that readers can
 * fetch it without its directory's tables. All sizes are known before anything is written, and so
 * are all offsets: one rank makes the file, and then all write their share of it at once, each a
 * range of the file, from front to back. BigTIFF where it would not fit into 4 GiB.
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
    uint64_t unit; /* of the file's bytes, of which a share has whole ones; 0: 256 KiB. For tests */
} sg_cog;

/* Where the blocks lie in the file, with what stands around them. */
typedef struct {
    uint64_t begin, end;
} sg_cog_blocks;

/* Make the file as long as it will be, with everything but blocks. SG_EOUTPUT names the path;
 * SG_EUSAGE: too large for SG_BIG_NO. */
sg_err sg_cog_create(const sg_cog *cog, sg_cog_blocks *blocks);
/*
 * Write one of so many shares of the blocks into the file that was created; it outlives the
 * machine. tags are not looked at. The shares of a small file may be nothing. SG_EOUTPUT, or what
 * read returns.
 */
sg_err sg_cog_put(const sg_cog *cog, const sg_cog_blocks *blocks, int64_t share, int64_t shares);

#endif
