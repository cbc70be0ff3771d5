/* Cutting a raster's blocks and compressing them, one at a time. [local] */
#ifndef SG_TILES_BLOCKS_H
#define SG_TILES_BLOCKS_H

#include "data/codec.h"
#include "data/raster.h"

typedef struct {
    int64_t side; /* pixels */
    size_t pixel_bytes, block_bytes;
    int32_t is_float;
    double blank; /* of what lies beyond the raster's edge */
    bool sparse;
    sg_predictor predictor;
    sg_predicted rows; /* of a block */
    sg_codec *codec;
    uint8_t *block;        /* (side, side, bands), then a row for the predictor; owned */
    uint8_t *packed;       /* the last one, compressed; owned */
    size_t packed_bytes;   /* of the last one; 0: it has no data and is not stored */
    uint8_t *blank_packed; /* a blank block, compressed, or NULL; owned */
    size_t blank_bytes;
    uint8_t *piece; /* the last one, compressed; owned, grown as needed */
    size_t piece_bytes, piece_capacity;
} sg_blocks;

sg_err sg_blocks_open(sg_blocks *blocks, const sg_geotiff_options *raster);
void sg_blocks_close(sg_blocks *blocks);

/* Compress the block whose first pixel is `pixels` in rows of `stride` pixels; w x h of its pixels
 * are there, the rest is blank. The result stays until the next call. */
sg_err sg_blocks_pack(sg_blocks *blocks, const void *pixels, int64_t stride, int64_t w, int64_t h);
/* Fill so many pixels with what stands where there is no data; and: is that all they are? */
void sg_blocks_blank(const sg_blocks *blocks, void *pixels, size_t count);
bool sg_blocks_are_blank(const sg_blocks *blocks, const void *pixels, size_t count);
/* Compress any number of bytes, into blocks->piece. */
sg_err sg_blocks_pack_piece(sg_blocks *blocks, const void *data, size_t bytes);

#endif
