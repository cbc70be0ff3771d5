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
    sg_free(b->piece);
    *b = (sg_blocks){0};
}

static void blank_block(const sg_blocks *b)
{
    if (!b->is_float) {
        memset(b->block, (int)b->blank, b->block_bytes);
        return;
    }
    float *value = (float *)b->block;
    for (size_t i = 0; i < b->block_bytes / sizeof(float); i++)
        value[i] = (float)b->blank;
}

/* GDAL takes a block that is not stored for one that is blank all over. */
static bool is_blank(const sg_blocks *b)
{
    const float *value = (const float *)b->block, real = (float)b->blank;
    size_t values = b->block_bytes / b->rows.value_bytes, i = 0;
    if (b->is_float)
        while (i < values && value[i] == real)
            i++;
    else
        while (i < values && b->block[i] == (uint8_t)b->blank)
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

sg_err sg_blocks_pack(sg_blocks *b, const void *pixels, int64_t stride, int64_t w, int64_t h)
{
    if (w < b->side || h < b->side)
        blank_block(b);
    for (int64_t row = 0; row < h; row++)
        memcpy(b->block + (size_t)(row * b->side) * b->pixel_bytes,
               (const uint8_t *)pixels + (size_t)(row * stride) * b->pixel_bytes,
               (size_t)w * b->pixel_bytes);
    b->packed_bytes = 0;
    if (b->sparse && is_blank(b))
        return SG_OK;
    predict(b);
    return sg_codec_pack(b->codec, b->block, b->block_bytes, b->packed, &b->packed_bytes);
}
