#include "tiles/blocks.h"

#include <string.h>
#include "base/size.h"
#include "data/compress.h"

enum { PIECE_LEVEL = 1 };

sg_err sg_blocks_open(sg_blocks *b, const sg_geotiff_options *raster)
{
    size_t side = (size_t)raster->block;
    *b = (sg_blocks){.side = raster->block,
                     .pixel_bytes = (size_t)raster->bands * (raster->is_float ? sizeof(float) : 1),
                     .is_float = raster->is_float,
                     .blank = raster->has_nodata ? raster->nodata : 0,
                     .sparse = raster->packing.sparse,
                     .predictor = sg_packing_predictor(&raster->packing, raster->is_float),
                     .rows = {side, (size_t)raster->bands, raster->is_float ? sizeof(float) : 1}};
    size_t bytes;
    sg_err err = sg_size_mul3(side, side, b->pixel_bytes, &b->block_bytes);
    if (err == SG_OK)
        err = sg_size_add(b->block_bytes, side * b->pixel_bytes, &bytes);
    if (err == SG_OK)
        err = sg_malloc(bytes, 1, &b->block);
    if (err == SG_OK)
        err = sg_codec_open(&b->codec, raster->packing.codec, raster->packing.level);
    if (err == SG_OK)
        err = sg_malloc(sg_codec_bound(b->codec, b->block_bytes), 1, &b->packed);
    return err;
}

void sg_blocks_close(sg_blocks *b)
{
    sg_codec_close(b->codec);
    sg_free(b->block);
    sg_free(b->packed);
    sg_free(b->blank_packed);
    sg_free(b->piece);
    *b = (sg_blocks){0};
}

void sg_blocks_blank(const sg_blocks *b, void *pixels, size_t count)
{
    float *value = pixels;
    if (!b->is_float) {
        memset(pixels, (int)b->blank, count * b->pixel_bytes);
        return;
    }
    for (size_t i = 0; i < count * b->pixel_bytes / sizeof(float); i++)
        value[i] = (float)b->blank;
}

bool sg_blocks_are_blank(const sg_blocks *b, const void *pixels, size_t count)
{
    const float *value = pixels, real = (float)b->blank;
    const uint8_t *byte = pixels;
    size_t values = count * b->pixel_bytes / b->rows.value_bytes, i = 0;
    if (b->is_float)
        while (i < values && value[i] == real)
            i++;
    else
        while (i < values && byte[i] == (uint8_t)b->blank)
            i++;
    return i == values;
}

static void predict(const sg_blocks *b)
{
    size_t row = (size_t)b->side * b->pixel_bytes;
    for (int64_t y = 0; b->predictor != SG_PREDICTOR_NONE && y < b->side; y++)
        sg_predict_row(b->predictor, &b->rows, b->block + (size_t)y * row,
                       b->block + b->block_bytes);
}

sg_err sg_blocks_pack_piece(sg_blocks *b, const void *data, size_t bytes)
{
    sg_err err = sg_grow(&b->piece, &b->piece_capacity, sg_deflate_bound(bytes), 1);
    b->piece_bytes = b->piece_capacity;
    return err == SG_OK ? sg_deflate(data, bytes, PIECE_LEVEL, b->piece, &b->piece_bytes) : err;
}

/* All blank blocks are alike: one is compressed for all. */
static sg_err pack_blank(sg_blocks *b)
{
    sg_err err = SG_OK;
    b->packed_bytes = 0;
    if (b->sparse)
        return SG_OK; /* GDAL takes a block that is not stored for a blank one */
    if (!b->blank_packed) {
        predict(b);
        err = sg_codec_pack(b->codec, b->block, b->block_bytes, b->packed, &b->packed_bytes);
        if (err == SG_OK)
            err = sg_malloc(b->packed_bytes, 1, &b->blank_packed);
        if (err != SG_OK)
            return err;
        b->blank_bytes = b->packed_bytes;
        memcpy(b->blank_packed, b->packed, b->blank_bytes);
    }
    b->packed_bytes = b->blank_bytes;
    memcpy(b->packed, b->blank_packed, b->blank_bytes);
    return SG_OK;
}

sg_err sg_blocks_pack(sg_blocks *b, const void *pixels, int64_t stride, int64_t w, int64_t h)
{
    size_t pixel_count = (size_t)b->side * (size_t)b->side;
    if (w < b->side || h < b->side)
        sg_blocks_blank(b, b->block, pixel_count);
    for (int64_t row = 0; row < h; row++)
        memcpy(b->block + (size_t)(row * b->side) * b->pixel_bytes,
               (const uint8_t *)pixels + (size_t)(row * stride) * b->pixel_bytes,
               (size_t)w * b->pixel_bytes);
    if (sg_blocks_are_blank(b, b->block, pixel_count))
        return pack_blank(b);
    predict(b);
    return sg_codec_pack(b->codec, b->block, b->block_bytes, b->packed, &b->packed_bytes);
}
