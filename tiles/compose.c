#include "tiles/compose.h"

#include <string.h>
#include "base/size.h"
#include "data/compress.h"
#include "tiles/blocks.h"

/* So many blocks of a row are put together at once, but at least one. */
enum { CANVAS_BYTES = 2 << 20 };

/* A window of a level, which begins with a block. */
typedef struct {
    int32_t level;
    sg_window at;
    uint8_t *pixels; /* (h, w, bands); owned */
} canvas;

typedef struct {
    sg_parts *parts;
    const sg_records *records;
    sg_reduction how;
    sg_blocks blocks;
    uint8_t *packed, *piece; /* owned, grown as needed */
    size_t packed_capacity, piece_capacity;
} composer;

static sg_err make_canvas(const composer *c, int32_t level, sg_window at, canvas *made)
{
    size_t pixels;
    *made = (canvas){level, at, NULL};
    sg_err err = sg_size_mul((size_t)at.w, (size_t)at.h, &pixels);
    return err == SG_OK ? sg_malloc(pixels, c->blocks.pixel_bytes, &made->pixels) : err;
}

/* ---- pieces ---- */

static sg_err read_piece(composer *c, int64_t record, size_t bytes)
{
    int64_t packed = sg_parts_bytes(c->parts, record);
    sg_err err = sg_grow(&c->packed, &c->packed_capacity, (size_t)sg_max64(packed, 1), 1);
    if (err == SG_OK)
        err = sg_grow(&c->piece, &c->piece_capacity, bytes, 1);
    if (err == SG_OK)
        err = sg_parts_read(c->parts, record, c->packed);
    return err == SG_OK ? sg_inflate(c->packed, (size_t)packed, c->piece, bytes) : err;
}

static void paint(const composer *c, const canvas *on, sg_window window, sg_window shared)
{
    size_t pixel = c->blocks.pixel_bytes;
    for (int64_t y = shared.y; y < shared.y + shared.h; y++)
        memcpy(on->pixels + (size_t)((y - on->at.y) * on->at.w + shared.x - on->at.x) * pixel,
               c->piece + (size_t)((y - window.y) * window.w + shared.x - window.x) * pixel,
               (size_t)shared.w * pixel);
}

static sg_err paint_pieces(composer *c, const canvas *on)
{
    const sg_records *r = c->records;
    sg_err err = SG_OK;
    for (int64_t chunk = 0; err == SG_OK && chunk < sg_records_chunks(r); chunk++) {
        sg_window window = sg_records_window(r, on->level, chunk);
        sg_window shared = sg_window_intersect(window, on->at);
        if (sg_window_is_empty(shared))
            continue;
        err = read_piece(c, sg_records_piece(r, on->level, chunk),
                         (size_t)(window.w * window.h) * c->blocks.pixel_bytes);
        if (err == SG_OK)
            paint(c, on, window, shared);
    }
    return err;
}

/* ---- blocks ---- */

static sg_err add_blocks(composer *c, const canvas *from)
{
    sg_blocks *b = &c->blocks;
    sg_window at = from->at;
    sg_err err = SG_OK;
    for (int64_t y = 0; err == SG_OK && y < at.h; y += b->side)
        for (int64_t x = 0; err == SG_OK && x < at.w; x += b->side) {
            int64_t record = sg_records_block(c->records, from->level, (at.x + x) / b->side,
                                              (at.y + y) / b->side);
            err = sg_blocks_pack(b, from->pixels + (size_t)(y * at.w + x) * b->pixel_bytes, at.w,
                                 sg_min64(b->side, at.w - x), sg_min64(b->side, at.h - y));
            if (err == SG_OK)
                err = sg_parts_derive(c->parts, record, b->packed, b->packed_bytes);
        }
    return err;
}

static sg_err compose_window(composer *c, int32_t level, sg_window at)
{
    canvas part;
    sg_err err = make_canvas(c, level, at, &part);
    if (err == SG_OK)
        err = paint_pieces(c, &part);
    if (err == SG_OK)
        err = add_blocks(c, &part);
    sg_free(part.pixels);
    return err;
}

static sg_err compose_level(composer *c, int32_t level)
{
    const sg_level *l = &c->records->pyramid.level[level];
    int64_t side = c->blocks.side,
            across = sg_max64(CANVAS_BYTES / (int64_t)c->blocks.block_bytes, 1);
    sg_err err = SG_OK;
    for (int64_t y = 0; err == SG_OK && y < l->height; y += side)
        for (int64_t x = 0; err == SG_OK && x < l->width; x += across * side)
            err = compose_window(c, level,
                                 (sg_window){x, y, sg_min64(across * side, l->width - x),
                                             sg_min64(side, l->height - y)});
    return err;
}

static sg_window whole_level(const composer *c, int32_t level)
{
    const sg_level *l = &c->records->pyramid.level[level];
    return (sg_window){0, 0, l->width, l->height};
}

/* The last level made of level 0, and all further ones: each of the one before. */
static sg_err compose_rest(composer *c, int32_t level)
{
    const sg_pyramid *p = &c->records->pyramid;
    canvas now, next = {0};
    sg_err err = make_canvas(c, level, whole_level(c, level), &now);
    if (err == SG_OK)
        err = paint_pieces(c, &now);
    while (err == SG_OK) {
        err = add_blocks(c, &now);
        if (err != SG_OK || ++level == p->levels)
            break;
        err = make_canvas(c, level, whole_level(c, level), &next);
        if (err != SG_OK)
            break;
        sg_reduce(&c->how, 1, now.pixels, now.at.w, now.at.h, next.pixels);
        sg_free(now.pixels);
        now = next;
        next.pixels = NULL;
    }
    sg_free(now.pixels);
    sg_free(next.pixels);
    return err;
}

sg_err sg_compose(sg_parts *parts, const sg_records *records, const sg_geotiff_options *raster)
{
    composer c = {.parts = parts,
                  .records = records,
                  .how = {raster->bands, raster->is_float, raster->nodata, raster->scale > 0}};
    int32_t direct = sg_pyramid_direct(&records->pyramid);
    bool further = records->pyramid.levels > direct + 1;
    sg_err err = sg_blocks_open(&c.blocks, raster);
    for (int32_t k = 1; err == SG_OK && k <= direct - further; k++)
        if (!sg_records_whole(records, k))
            err = compose_level(&c, k);
    if (err == SG_OK && further)
        err = compose_rest(&c, direct);
    sg_blocks_close(&c.blocks);
    sg_free(c.packed);
    sg_free(c.piece);
    return err;
}
