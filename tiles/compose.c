#include "tiles/compose.h"

#include <stdbool.h>
#include <string.h>
#include "base/size.h"
#include "data/compress.h"
#include "tiles/blocks.h"

/* So many blocks of a row are put together at once, but at least one, and no more than leave some
 * to every rank. */
enum { CANVAS_BYTES = 2 << 20 };
enum { WORDS_AT_ONCE = 1 << 14 };

/* A window of a level, which begins with a block. */
typedef struct {
    int32_t level;
    sg_window at;
    size_t words;    /* of 8 bytes, that pixels take */
    uint8_t *pixels; /* (h, w, bands); owned */
} canvas;

typedef struct {
    sg_comm *comm;
    sg_parts *parts;
    const sg_records *records;
    sg_reduction how;
    sg_blocks blocks;
    int64_t turn;            /* of what ranks take in turns: how much so far */
    uint8_t *packed, *piece; /* owned, grown as needed */
    size_t packed_capacity, piece_capacity;
} composer;

/* Zeros, in whole words. */
static sg_err make_canvas(const composer *c, int32_t level, sg_window at, canvas *made)
{
    size_t bytes;
    *made = (canvas){level, at, 0, NULL};
    sg_err err = sg_size_mul3((size_t)at.w, (size_t)at.h, c->blocks.pixel_bytes, &bytes);
    if (err == SG_OK)
        err = sg_size_add(bytes, sizeof(int64_t) - 1, &bytes);
    made->words = bytes / sizeof(int64_t);
    return err == SG_OK ? sg_calloc(made->words, sizeof(int64_t), &made->pixels) : err;
}

static bool is_my_turn(composer *c)
{
    return c->turn++ % sg_comm_ranks(c->comm) == sg_comm_rank(c->comm);
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

static sg_err paint_piece(composer *c, const canvas *on, int64_t chunk)
{
    int64_t record = sg_records_piece(c->records, on->level, chunk);
    sg_window window = sg_records_window(c->records, on->level, chunk);
    sg_err err = read_piece(c, record, (size_t)(window.w * window.h) * c->blocks.pixel_bytes);
    if (err == SG_OK)
        paint(c, on, window, sg_window_intersect(window, on->at));
    return err;
}

/* Of all chunks that reach into it. */
static sg_err paint_pieces(composer *c, const canvas *on)
{
    const sg_records *r = c->records;
    int64_t w = r->chunk_w >> on->level, h = r->chunk_h >> on->level;
    sg_err err = SG_OK;
    for (int64_t y = on->at.y / h; y * h < on->at.y + on->at.h; y++)
        for (int64_t x = on->at.x / w; err == SG_OK && x * w < on->at.x + on->at.w; x++)
            err = paint_piece(c, on, y * r->chunks_x + x);
    return err;
}

/* Of the whole level, which is the same on all ranks then: each paints what it has itself, and what
 * is zero everywhere else may be summed. [collective] */
static sg_err paint_together(composer *c, const canvas *on, sg_err mine)
{
    for (int64_t i = 0; mine == SG_OK && i < sg_records_chunks(c->records); i++)
        if (sg_parts_is_near(c->parts, sg_records_piece(c->records, on->level, i)))
            mine = paint_piece(c, on, i);
    sg_err err = sg_comm_agree(c->comm, mine);
    for (size_t i = 0; err == SG_OK && i < on->words; i += WORDS_AT_ONCE)
        sg_comm_sum_i64(c->comm, (int64_t *)(void *)on->pixels + i,
                        on->words - i < WORDS_AT_ONCE ? on->words - i : WORDS_AT_ONCE);
    return err;
}

/* ---- blocks ---- */

/* The block whose first pixel is at x, y of the canvas. */
static sg_err add_block(composer *c, const canvas *from, int64_t x, int64_t y)
{
    sg_blocks *b = &c->blocks;
    sg_window at = from->at;
    int64_t record =
        sg_records_block(c->records, from->level, (at.x + x) / b->side, (at.y + y) / b->side);
    sg_err err = sg_blocks_pack(b, from->pixels + (size_t)(y * at.w + x) * b->pixel_bytes, at.w,
                                sg_min64(b->side, at.w - x), sg_min64(b->side, at.h - y));
    return err == SG_OK ? sg_parts_derive(c->parts, record, b->packed, b->packed_bytes) : err;
}

/* shared: all ranks have the canvas, and take its blocks in turns. */
static sg_err add_blocks(composer *c, const canvas *from, bool shared)
{
    int64_t side = c->blocks.side;
    sg_err err = SG_OK;
    for (int64_t y = 0; y < from->at.h; y += side)
        for (int64_t x = 0; err == SG_OK && x < from->at.w; x += side)
            if (!shared || is_my_turn(c))
                err = add_block(c, from, x, y);
    return err;
}

static sg_err compose_window(composer *c, int32_t level, sg_window at)
{
    canvas part;
    sg_err err = make_canvas(c, level, at, &part);
    if (err == SG_OK)
        err = paint_pieces(c, &part);
    if (err == SG_OK)
        err = add_blocks(c, &part, false);
    sg_free(part.pixels);
    return err;
}

static sg_err compose_level(composer *c, int32_t level)
{
    const sg_level *l = &c->records->pyramid.level[level];
    int64_t side = c->blocks.side, ranks = sg_comm_ranks(c->comm),
            across = sg_max64(CANVAS_BYTES / (int64_t)c->blocks.block_bytes, 1);
    sg_err err = SG_OK;
    across = sg_min64(across, sg_div_up(l->across * l->down, ranks));
    for (int64_t y = 0; y < l->height; y += side)
        for (int64_t x = 0; err == SG_OK && x < l->width; x += across * side)
            if (is_my_turn(c))
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

/* The last level made of level 0, and all further ones: each of the one before. mine: this rank's
 * result so far. [collective] */
static sg_err compose_rest(composer *c, int32_t level, sg_err mine)
{
    const sg_pyramid *p = &c->records->pyramid;
    canvas now = {0}, next = {0};
    if (mine == SG_OK)
        mine = make_canvas(c, level, whole_level(c, level), &now);
    sg_err err = paint_together(c, &now, mine);
    while (err == SG_OK) {
        err = add_blocks(c, &now, true);
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

sg_err sg_compose(sg_comm *comm, sg_parts *parts, const sg_records *records,
                  const sg_geotiff_options *raster)
{
    composer c = {.comm = comm,
                  .parts = parts,
                  .records = records,
                  .how = {raster->bands, raster->is_float, raster->nodata, raster->scale > 0}};
    int32_t direct = sg_pyramid_direct(&records->pyramid);
    bool further = records->pyramid.levels > direct + 1;
    sg_err err = sg_blocks_open(&c.blocks, raster);
    for (int32_t k = 1; err == SG_OK && k <= direct - further; k++)
        if (!sg_records_whole(records, k))
            err = compose_level(&c, k);
    if (further)
        err = compose_rest(&c, direct, err);
    sg_blocks_close(&c.blocks);
    sg_free(c.packed);
    sg_free(c.piece);
    return sg_parts_share(parts, err);
}
