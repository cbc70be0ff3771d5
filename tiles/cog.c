#include "tiles/cog.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/size.h"

enum { LEADER = 4, TRAILER = 4, ALIGN = 8, BUFFER = 256 * 1024, UNIT = 256 * 1024 };
static const uint64_t CLASSIC_MOST = UINT64_C(0xffffffff);
/* As GDAL: what has more to compress might not fit into a classic file. */
static const uint64_t SAFER_MOST = UINT64_C(2000000000);

static const char FACTS[] = "LAYOUT=IFDS_BEFORE_DATA\nBLOCK_ORDER=ROW_MAJOR\n"
                            "BLOCK_LEADER=SIZE_AS_UINT4\nBLOCK_TRAILER=LAST_4_BYTES_REPEATED\n"
                            "KNOWN_INCOMPATIBLE_EDITION=NO\n "; /* room for "YES" */

typedef struct {
    const sg_cog *cog;
    bool big;
    uint64_t leader, trailer; /* bytes around a block */
    sg_tiff_tags tags[SG_LEVELS_MAX];
    uint64_t directory[SG_LEVELS_MAX]; /* file offsets */
    uint64_t data, end;                /* where the blocks begin and end */
    char ghost[512];                   /* what stands between header and directories */
    uint64_t ghost_bytes;              /* padded */
} layout;

static uint64_t aligned(uint64_t offset)
{
    return (offset + ALIGN - 1) / ALIGN * ALIGN;
}

static uint64_t header_bytes(bool big)
{
    return big ? 16 : 8;
}

/* Georeferencing and texts are the raster's alone. */
static bool not_of_overviews(uint16_t tag)
{
    return (tag >= 33550 && tag <= 34737) || tag == SG_TIFF_GDAL_METADATA || tag == 50844 /* RPC */;
}

static bool of_all(uint16_t tag)
{
    return false;
}

static sg_err make_tags(layout *l, int32_t k)
{
    const sg_level *level = &l->cog->pyramid->level[k];
    uint32_t width = (uint32_t)level->width, height = (uint32_t)level->height, overview = 1;
    uint64_t blocks = (uint64_t)(level->across * level->down);
    sg_tiff_tags *tags = &l->tags[k];
    sg_err err = sg_tiff_tags_copy(tags, l->cog->tags, k > 0 ? not_of_overviews : of_all);
    if (err == SG_OK && k > 0)
        err = sg_tiff_tags_set(tags, SG_TIFF_SUBFILE, SG_TIFF_LONG, 1, &overview);
    if (err == SG_OK)
        err = sg_tiff_tags_set(tags, SG_TIFF_WIDTH, SG_TIFF_LONG, 1, &width);
    if (err == SG_OK)
        err = sg_tiff_tags_set(tags, SG_TIFF_HEIGHT, SG_TIFF_LONG, 1, &height);
    if (err == SG_OK)
        err = sg_tiff_tags_set(tags, SG_TIFF_TILE_OFFSETS, l->big ? SG_TIFF_LONG8 : SG_TIFF_LONG,
                               blocks, NULL);
    if (err == SG_OK)
        err = sg_tiff_tags_set(tags, SG_TIFF_TILE_BYTES, SG_TIFF_LONG, blocks, NULL);
    return err;
}

static void place_level(layout *l, int32_t k)
{
    const sg_level *level = &l->cog->pyramid->level[k];
    uint8_t *offsets = sg_tiff_tags_find(&l->tags[k], SG_TIFF_TILE_OFFSETS)->data;
    uint8_t *sizes = sg_tiff_tags_find(&l->tags[k], SG_TIFF_TILE_BYTES)->data;
    size_t width = l->big ? sizeof(uint64_t) : sizeof(uint32_t);
    for (int64_t i = 0; i < level->across * level->down; i++) {
        uint32_t size = (uint32_t)l->cog->bytes(l->cog->user, level->first + i);
        uint64_t offset = size > 0 ? l->end + l->leader : 0;
        memcpy(offsets + (size_t)i * width, &offset, width); /* little endian: the low bytes */
        memcpy(sizes + (size_t)i * sizeof size, &size, sizeof size);
        l->end += size > 0 ? l->leader + size + l->trailer : 0;
    }
}

static void place_blocks(layout *l)
{
    for (int32_t k = l->cog->pyramid->levels - 1; k >= 0; k--)
        place_level(l, k);
}

static void clear(layout *l)
{
    for (int32_t k = 0; k < SG_LEVELS_MAX; k++)
        sg_tiff_tags_clear(&l->tags[k]);
}

static sg_err lay_out(layout *l, const sg_cog *cog, bool big)
{
    sg_err err = SG_OK;
    *l = (layout){.cog = cog, .big = big};
    if (!cog->layout.plain) {
        l->leader = LEADER;
        l->trailer = TRAILER;
        l->ghost_bytes = (uint64_t)snprintf(l->ghost, sizeof l->ghost,
                                            "GDAL_STRUCTURAL_METADATA_SIZE=%06zu bytes\n%s",
                                            sizeof FACTS - 1, FACTS);
    }
    l->end = aligned(header_bytes(big) + l->ghost_bytes);
    l->ghost_bytes = l->end - header_bytes(big);
    for (int32_t k = 0; err == SG_OK && k < cog->pyramid->levels; k++) {
        err = make_tags(l, k);
        l->directory[k] = l->end;
        if (err == SG_OK)
            l->end += aligned(sg_tiff_tags_bytes(&l->tags[k], big));
    }
    l->data = l->end;
    if (err == SG_OK)
        place_blocks(l);
    else
        clear(l);
    return err;
}

/* ---- writing ---- */

/* Puts a range of the file; what is put outside of it is only counted. */
typedef struct {
    const char *path;
    int fd;
    uint64_t from, to; /* the range */
    uint64_t at;       /* where the next byte goes, in the range or not */
    uint64_t flushed;  /* of the range, up to where */
    uint8_t *buffer;   /* [BUFFER], owned */
    size_t held;
} writer;

static sg_err cannot_write(const writer *w)
{
    return sg_fail(SG_EOUTPUT, "%s: cannot be written: %s", w->path, strerror(errno));
}

static sg_err flush(writer *w)
{
    sg_err err = sg_file_write_at(w->fd, w->path, w->buffer, w->held, (int64_t)w->flushed);
    w->flushed += w->held;
    w->held = 0;
    return err;
}

/* Pieces end where a buffer's multiple of the file ends. */
static sg_err put(writer *w, const void *data, size_t bytes)
{
    uint64_t first = w->at, at = first > w->from ? first : w->from, end = first + bytes;
    sg_err err = SG_OK;
    w->at = end;
    end = end < w->to ? end : w->to;
    while (err == SG_OK && at < end) {
        size_t room = BUFFER - (size_t)(w->flushed % BUFFER) - w->held,
               part = end - at < room ? (size_t)(end - at) : room;
        memcpy(w->buffer + w->held, (const uint8_t *)data + (at - first), part);
        w->held += part;
        at += part;
        if (part == room)
            err = flush(w);
    }
    return err;
}

static sg_err open_writer(writer *w, const char *path, int flags, uint64_t from, uint64_t to)
{
    *w = (writer){.path = path, .fd = -1, .from = from, .to = to, .flushed = from};
    sg_err err = sg_malloc(BUFFER, 1, &w->buffer);
    if (err != SG_OK)
        return err;
    w->fd = open(path, flags | O_WRONLY | O_CLOEXEC, 0666);
    return w->fd < 0 ? cannot_write(w) : SG_OK;
}

/* All of the range is in the file, durable where wanted; err: what has happened so far. */
static sg_err close_writer(writer *w, sg_err err, bool durable)
{
    if (err == SG_OK)
        err = flush(w);
    SG_ASSERT(err != SG_OK || w->flushed == w->to);
    if (err == SG_OK && durable && fdatasync(w->fd) != 0 && errno != EINVAL)
        err = cannot_write(w);
    if (w->fd >= 0 && close(w->fd) != 0 && err == SG_OK)
        err = cannot_write(w);
    sg_free(w->buffer);
    return err;
}

static sg_err put_header(writer *w, const layout *l)
{
    uint8_t head[16] = {'I', 'I', l->big ? 43 : 42, 0};
    uint32_t classic = (uint32_t)l->directory[0];
    if (l->big) {
        head[4] = 8; /* bytes of an offset */
        memcpy(head + 8, &l->directory[0], 8);
    } else {
        memcpy(head + 4, &classic, 4);
    }
    sg_err err = put(w, head, header_bytes(l->big));
    return err == SG_OK ? put(w, l->ghost, l->ghost_bytes) : err;
}

static sg_err put_directories(writer *w, const layout *l)
{
    int32_t levels = l->cog->pyramid->levels;
    sg_err err = SG_OK;
    for (int32_t k = 0; err == SG_OK && k < levels; k++) {
        size_t bytes = (size_t)aligned(sg_tiff_tags_bytes(&l->tags[k], l->big));
        uint8_t *data = NULL;
        SG_ASSERT(w->at == l->directory[k]);
        err = sg_calloc(bytes, 1, &data);
        if (err == SG_OK) {
            sg_tiff_tags_write(&l->tags[k], l->big, l->directory[k],
                               k + 1 < levels ? l->directory[k + 1] : 0, data);
            err = put(w, data, bytes);
        }
        sg_free(data);
    }
    return err;
}

/* On a network file system a client must know how long the file is before others write to it, or it
 * may put zeros behind its own bytes. */
static sg_err write_tables(const layout *l)
{
    writer w;
    sg_err err = open_writer(&w, l->cog->path, O_CREAT | O_TRUNC, 0, l->data);
    if (err == SG_OK && ftruncate(w.fd, (off_t)l->end) != 0)
        err = cannot_write(&w);
    if (err == SG_OK)
        err = put_header(&w, l);
    if (err == SG_OK)
        err = put_directories(&w, l);
    return close_writer(&w, err, false);
}

sg_err sg_cog_create(const sg_cog *cog, sg_cog_blocks *blocks)
{
    layout l;
    uint64_t most = cog->classic_most ? cog->classic_most : CLASSIC_MOST;
    sg_big_tiff big = cog->layout.big;
    if (big == SG_BIG_IF_SAFER && cog->raw_bytes > SAFER_MOST)
        big = SG_BIG_YES;
    sg_err err = lay_out(&l, cog, big == SG_BIG_YES);
    if (err == SG_OK && big != SG_BIG_YES && l.end > most) {
        clear(&l);
        if (big == SG_BIG_NO)
            return sg_fail(SG_EUSAGE,
                           "%s: %" PRIu64 " bytes do not fit into a TIFF without BIGTIFF: leave "
                           "-co BIGTIFF=NO out",
                           cog->path, l.end);
        err = lay_out(&l, cog, true);
    }
    if (err != SG_OK)
        return err;
    *blocks = (sg_cog_blocks){l.data, l.end};
    err = write_tables(&l);
    clear(&l);
    return err;
}

/* ---- blocks ---- */

static sg_err put_block(writer *w, const sg_cog *cog, int64_t number, uint8_t *data)
{
    uint32_t size = (uint32_t)cog->bytes(cog->user, number);
    const uint64_t around = cog->layout.plain ? 0 : LEADER;
    uint8_t last[TRAILER] = {0};
    uint64_t end = w->at + around + size + around;
    if (size == 0)
        return SG_OK;
    if (end <= w->from || w->at >= w->to) {
        w->at = end;
        return SG_OK;
    }
    sg_err err = cog->read(cog->user, number, data);
    if (err == SG_OK)
        err = put(w, &size, around);
    if (err == SG_OK)
        err = put(w, data, size);
    memcpy(last, data + (size < TRAILER ? 0 : size - TRAILER), size < TRAILER ? size : TRAILER);
    return err == SG_OK ? put(w, last, around) : err;
}

static sg_err put_blocks(writer *w, const sg_cog *cog)
{
    const sg_pyramid *p = cog->pyramid;
    int64_t most = TRAILER;
    uint8_t *data = NULL;
    for (int64_t i = 0; i < p->blocks; i++)
        most = sg_max64(most, cog->bytes(cog->user, i));
    sg_err err = sg_malloc((size_t)most, 1, &data);
    for (int32_t k = p->levels - 1; k >= 0; k--)
        for (int64_t i = 0; err == SG_OK && i < p->level[k].across * p->level[k].down; i++)
            err = put_block(w, cog, p->level[k].first + i, data);
    sg_free(data);
    return err;
}

/* Where a share begins: shares differ by no more than a unit. */
static uint64_t share_begins(const sg_cog *cog, const sg_cog_blocks *blocks, int64_t share,
                             int64_t shares)
{
    uint64_t unit = cog->unit ? cog->unit : UNIT, first = blocks->begin / unit,
             units = (blocks->end + unit - 1) / unit - first,
             at = (first + units * (uint64_t)share / (uint64_t)shares) * unit;
    if (at < blocks->begin)
        return blocks->begin;
    return at < blocks->end ? at : blocks->end;
}

sg_err sg_cog_put(const sg_cog *cog, const sg_cog_blocks *blocks, int64_t share, int64_t shares)
{
    uint64_t from = share_begins(cog, blocks, share, shares),
             to = share_begins(cog, blocks, share + 1, shares);
    writer w;
    if (from == to)
        return SG_OK;
    sg_err err = open_writer(&w, cog->path, 0, from, to);
    w.at = blocks->begin;
    if (err == SG_OK)
        err = put_blocks(&w, cog);
    return close_writer(&w, err, true);
}
