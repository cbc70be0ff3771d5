/*
 * Reading a tile store. A window is put together from the tiles that it touches; their parts come
 * from the cache, or are read as they are stored (HDF5 lets one thread at a time in) and checked
 * and unpacked by the thread that wants them. Opening trusts nothing: a damaged file may hold any
 * numbers.
 */
#include "data/tile_store.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/size.h"
#include "data/compress.h"
#include "data/spec.h"
#include "data/tile_cache.h"
#include "data/tile_store_private.h"

struct sg_tile_store {
    char path[SG_PATH_MAX];
    sg_store_file *file;
    sg_tile_layout layout;
    sg_chunks *chunks[SG_TILE_PARTS];
    int64_t *bytes, *crc; /* (tiles, SG_TILE_PARTS) */
    sg_tile_cache *cache;
};

/* ---- opening ---- */

static sg_err unsound(const sg_tile_store *store, const char *what)
{
    return sg_fail(SG_EINPUT, "%s: %s: the file is damaged or not of this program", store->path,
                   what);
}

static sg_err check_kind(sg_tile_store *store)
{
    char *kind = NULL;
    int64_t format = 0;
    bool ours = false;
    sg_err err = SG_OK;
    if (sg_store_has(store->file, "kind"))
        err = sg_store_get_text(store->file, "kind", &kind);
    if (!err)
        ours = kind && strcmp(kind, SG_TILE_STORE_KIND) == 0;
    sg_free(kind);
    if (!err && !ours)
        return sg_fail(SG_EINPUT, "%s: not a tile store: `segtiles tile JOB -o FILE` writes one",
                       store->path);
    if (!err)
        err = sg_store_get_i64(store->file, "format", &format);
    if (!err && format != SG_TILE_STORE_FORMAT)
        err = sg_fail(SG_EINPUT, "%s: tile store of format %lld, this program reads format %d",
                      store->path, (long long)format, SG_TILE_STORE_FORMAT);
    return err;
}

static sg_err get_format(sg_tile_store *store, sg_tile_format *format)
{
    int64_t side = 0, deflate = 0, dim[4];
    sg_err err = sg_store_get_i64(store->file, "tile/side", &side);
    if (!err)
        err = sg_store_get_i64(store->file, "tile/deflate", &deflate);
    if (!err)
        err = sg_store_shape(store->file, "tiles/image", dim);
    if (!err && (side < SG_TILE_LEAST || side > SG_TILE_MOST || deflate < 1 || deflate > 9 ||
                 dim[1] < 1 || dim[1] > SG_BANDS_MAX))
        err = unsound(store, "tiles of this size or number of bands are impossible");
    if (!err)
        *format = (sg_tile_format){(int32_t)side, (int32_t)dim[1], SG_CHUNKS_U8, (int32_t)deflate};
    return err;
}

static sg_err get_layout(sg_tile_store *store)
{
    int64_t dim[4], *size = NULL;
    sg_tile_format format;
    sg_err err = get_format(store, &format);
    if (!err)
        err = sg_store_shape(store->file, "scene/size", dim);
    if (!err && (dim[1] != 2 || dim[0] > INT32_MAX))
        err = unsound(store, "the sizes of its scenes are no pairs");
    if (!err)
        err = sg_malloc((size_t)dim[0], 2 * sizeof *size, &size);
    if (!err)
        err = sg_store_get(store->file, "scene/size", SG_STORE_I64, 2 * (size_t)dim[0], size);
    if (!err && sg_tile_layout_make(&store->layout, &format, size, (size_t)dim[0]) != SG_OK)
        err = sg_fail_in(SG_EINPUT, store->path);
    sg_free(size);
    return err;
}

/* The pixel type is the one that the file's array has. */
static sg_err open_chunks(sg_tile_store *store)
{
    sg_tile_format *format = &store->layout.format;
    sg_err err = SG_EINPUT;
    for (int type = 0; err && type < SG_CHUNKS_TYPES; type++) {
        format->type = type;
        const sg_chunks_shape shape = sg_tile_part_shape(&store->layout, SG_TILE_IMAGE);
        err = sg_chunks_open(&store->chunks[SG_TILE_IMAGE], store->file,
                             sg_tile_part_name(SG_TILE_IMAGE), &shape);
    }
    for (int part = SG_TILE_VALID; !err && part < SG_TILE_PARTS; part++) {
        const sg_chunks_shape shape = sg_tile_part_shape(&store->layout, part);
        err = sg_chunks_open(&store->chunks[part], store->file, sg_tile_part_name(part), &shape);
    }
    return err;
}

static sg_err get_table(sg_tile_store *store, const char *name, int64_t most, int64_t **values)
{
    size_t count = (size_t)store->layout.tiles * SG_TILE_PARTS;
    int64_t dim[4];
    sg_err err = sg_store_shape(store->file, name, dim);
    if (!err && (dim[0] != store->layout.tiles || dim[1] != SG_TILE_PARTS))
        err = unsound(store, "a table of its tiles has another length");
    if (!err)
        err = sg_malloc(count, sizeof **values, values);
    if (!err)
        err = sg_store_get(store->file, name, SG_STORE_I64, count, *values);
    for (size_t i = 0; !err && i < count; i++)
        if ((*values)[i] < 0 || (*values)[i] > most)
            err = unsound(store, "a table of its tiles holds impossible numbers");
    return err;
}

static sg_err open_cache(sg_tile_store *store, size_t cache_bytes)
{
    size_t tile = 0;
    for (int part = 0; part < SG_TILE_PARTS; part++)
        tile += sg_tile_part_bytes(&store->layout.format, part);
    size_t tiles =
        (size_t)sg_max64(4, sg_min64((int64_t)(cache_bytes / tile), store->layout.tiles));
    return sg_tile_cache_open(&store->cache, tiles * SG_TILE_PARTS);
}

static sg_err prepare(sg_tile_store *store, size_t cache_bytes)
{
    sg_err err = sg_store_open(&store->file, store->path);
    if (!err)
        err = check_kind(store);
    if (!err)
        err = get_layout(store);
    if (!err)
        err = open_chunks(store);
    if (!err)
        err = get_table(store, "tiles/bytes", UINT32_MAX, &store->bytes);
    if (!err)
        err = get_table(store, "tiles/crc32", UINT32_MAX, &store->crc);
    return err ? err : open_cache(store, cache_bytes);
}

sg_err sg_tile_store_open(sg_tile_store **out, const char *path, size_t cache_bytes)
{
    sg_tile_store *store = NULL;
    sg_err err = sg_calloc(1, sizeof *store, &store);
    if (err)
        return err;
    err = sg_path_format(store->path, "%s", path);
    if (!err)
        err = prepare(store, cache_bytes);
    if (err) {
        sg_tile_store_close(store);
        return err;
    }
    *out = store;
    return SG_OK;
}

void sg_tile_store_close(sg_tile_store *store)
{
    if (!store)
        return;
    sg_tile_cache_close(store->cache);
    for (int part = 0; part < SG_TILE_PARTS; part++)
        (void)sg_chunks_close(store->chunks[part]);
    sg_store_close(store->file);
    sg_tile_layout_clear(&store->layout);
    sg_free(store->bytes);
    sg_free(store->crc);
    sg_free(store);
}

bool sg_is_tile_store(const char *path)
{
    static const unsigned char signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    unsigned char bytes[8] = {0};
    sg_store_file *file = NULL;
    FILE *begin = fopen(path, "rb");
    bool hdf5 = begin && fread(bytes, 1, 8, begin) == 8 && memcmp(bytes, signature, 8) == 0;
    if (begin)
        fclose(begin);
    bool ours = hdf5 && sg_store_open(&file, path) == SG_OK && sg_store_has(file, "kind");
    sg_store_close(file);
    return ours;
}

const char *sg_tile_store_path(const sg_tile_store *store)
{
    return store->path;
}

const sg_tile_layout *sg_tile_store_layout(const sg_tile_store *store)
{
    return &store->layout;
}

sg_store_file *sg_tile_store_file(sg_tile_store *store)
{
    return store->file;
}

int64_t sg_tile_store_bytes(const sg_tile_store *store)
{
    int64_t sum = 0;
    for (int64_t i = 0; i < store->layout.tiles * SG_TILE_PARTS; i++)
        sum += store->bytes[i];
    return sum;
}

/* ---- parts of tiles ---- */

static sg_err read_part(sg_tile_store *store, int64_t tile, sg_tile_part part, uint8_t *packed,
                        uint8_t *room, uint8_t *out)
{
    const size_t at = (size_t)tile * SG_TILE_PARTS + part, bytes = (size_t)store->bytes[at];
    sg_err err = sg_chunks_get(store->chunks[part], tile, packed, bytes);
    if (err)
        return err;
    if (sg_crc32(0, packed, bytes) != store->crc[at] ||
        sg_tile_unpack(&store->layout.format, part, packed, bytes, room, out) != SG_OK)
        return sg_fail(SG_EINPUT, "%s: tile %lld fails its checksum: the file is damaged",
                       store->path, (long long)tile);
    return SG_OK;
}

static int64_t key_of(int64_t tile, sg_tile_part part)
{
    return tile * SG_TILE_PARTS + part;
}

/* A part's bytes, NULL where it is not stored. To be released. */
static sg_err find_part(sg_tile_store *store, int64_t tile, sg_tile_part part, const uint8_t **out)
{
    const int64_t key = key_of(tile, part);
    const size_t plain = sg_tile_part_bytes(&store->layout.format, part);
    uint8_t *packed = NULL, *room = NULL, *bytes = NULL;
    *out = NULL;
    if (store->bytes[key] == 0)
        return SG_OK;
    *out = sg_tile_cache_find(store->cache, key);
    if (*out)
        return SG_OK;
    sg_err err = sg_malloc((size_t)store->bytes[key], 1, &packed);
    if (!err)
        err = sg_malloc(plain, 1, &room);
    if (!err)
        err = sg_malloc(plain, 1, &bytes);
    if (!err)
        err = read_part(store, tile, part, packed, room, bytes);
    sg_free(packed);
    sg_free(room);
    if (err) {
        sg_free(bytes);
        return err;
    }
    sg_tile_cache_add(store->cache, key, bytes);
    *out = bytes;
    return SG_OK;
}

/* ---- windows ---- */

/* What a window takes of one tile. */
typedef struct {
    int64_t tile;
    sg_window part; /* in the tile's pixels */
    size_t at;      /* the part's first pixel in the window */
    size_t stride;  /* pixels between its rows there */
} piece;

typedef sg_err piece_fn(sg_tile_store *store, const piece *p, void *user);

static sg_err each_piece(sg_tile_store *store, size_t index, sg_window window, piece_fn *take,
                         void *user)
{
    const sg_tile_scene *scene = &store->layout.scene[index];
    const int64_t side = store->layout.format.tile;
    const sg_window all = {0, 0, scene->width, scene->height};
    const sg_window inner = sg_window_intersect(window, all);
    sg_err err = SG_OK;
    if (sg_window_is_empty(inner))
        return SG_OK;
    for (int64_t ty = inner.y / side; !err && ty * side < inner.y + inner.h; ty++)
        for (int64_t tx = inner.x / side; !err && tx * side < inner.x + inner.w; tx++) {
            sg_window own = {tx * side, ty * side, side, side};
            sg_window part = sg_window_intersect(own, inner);
            piece p = {.tile = scene->first + ty * scene->across + tx,
                       .part = {part.x - own.x, part.y - own.y, part.w, part.h},
                       .at = (size_t)((part.y - window.y) * window.w + part.x - window.x),
                       .stride = (size_t)window.w};
            err = take(store, &p, user);
        }
    return err;
}

typedef struct {
    float *pixels;
    uint8_t *valid;
} pixel_target;

/* One band's values in a row of a tile to f32. */
static void take_row(sg_chunks_type type, const uint8_t *row, size_t first, size_t count,
                     size_t bands, float *out)
{
    switch (type) {
    case SG_CHUNKS_U8:
        for (size_t i = 0; i < count; i++)
            out[i * bands] = row[first + i];
        break;
    case SG_CHUNKS_U16:
        for (size_t i = 0; i < count; i++)
            out[i * bands] = ((const uint16_t *)(const void *)row)[first + i];
        break;
    case SG_CHUNKS_I16:
        for (size_t i = 0; i < count; i++)
            out[i * bands] = ((const int16_t *)(const void *)row)[first + i];
        break;
    case SG_CHUNKS_F32:
        for (size_t i = 0; i < count; i++)
            out[i * bands] = ((const float *)(const void *)row)[first + i];
        break;
    case SG_CHUNKS_TYPES:
        break;
    }
}

static void take_bands(const sg_tile_format *format, const piece *p, const uint8_t *image,
                       float *pixels)
{
    const size_t bands = (size_t)format->bands, side = (size_t)format->tile;
    const size_t row_bytes = side * sg_chunks_type_size(format->type);
    for (size_t b = 0; b < bands; b++)
        for (size_t y = 0; y < (size_t)p->part.h; y++)
            take_row(format->type, image + (b * side + (size_t)p->part.y + y) * row_bytes,
                     (size_t)p->part.x, (size_t)p->part.w, bands,
                     pixels + (p->at + y * p->stride) * bands + b);
}

/* Rows of bytes, or a value where the tile does not store them. */
static void take_bytes(int32_t side, const piece *p, const uint8_t *bytes, uint8_t fill,
                       uint8_t *out)
{
    for (int64_t y = 0; y < p->part.h; y++) {
        uint8_t *row = out + p->at + (size_t)y * p->stride;
        if (bytes)
            memcpy(row, bytes + (p->part.y + y) * side + p->part.x, (size_t)p->part.w);
        else
            memset(row, fill, (size_t)p->part.w);
    }
}

static sg_err take_bytes_of(sg_tile_store *store, const piece *p, sg_tile_part part, uint8_t *out)
{
    const uint8_t *bytes;
    sg_err err = find_part(store, p->tile, part, &bytes);
    if (err)
        return err;
    take_bytes(store->layout.format.tile, p, bytes, sg_tile_part_fill(part), out);
    sg_tile_cache_release(store->cache, key_of(p->tile, part), bytes);
    return SG_OK;
}

/* Pixels are 0 before. */
static sg_err take_pixels(sg_tile_store *store, const piece *p, void *user)
{
    const pixel_target *target = user;
    const uint8_t *image;
    sg_err err = find_part(store, p->tile, SG_TILE_IMAGE, &image);
    if (err)
        return err;
    if (image)
        take_bands(&store->layout.format, p, image, target->pixels);
    sg_tile_cache_release(store->cache, key_of(p->tile, SG_TILE_IMAGE), image);
    return take_bytes_of(store, p, SG_TILE_VALID, target->valid);
}

static sg_err take_labels(sg_tile_store *store, const piece *p, void *user)
{
    return take_bytes_of(store, p, SG_TILE_LABELS, user);
}

sg_err sg_tile_store_pixels(sg_tile_store *store, size_t scene, sg_window window, float *pixels,
                            uint8_t *valid)
{
    pixel_target target = {pixels, valid};
    size_t count = 0, bytes = 0;
    sg_err err = sg_size_mul((size_t)window.w, (size_t)window.h, &count);
    if (!err)
        err = sg_size_mul3(count, (size_t)store->layout.format.bands, sizeof(float), &bytes);
    if (err)
        return err;
    memset(pixels, 0, bytes);
    memset(valid, 0, count);
    return each_piece(store, scene, window, take_pixels, &target);
}

sg_err sg_tile_store_labels(sg_tile_store *store, size_t scene, sg_window window, uint8_t *labels)
{
    memset(labels, SG_NO_CLASS, (size_t)window.w * (size_t)window.h);
    return each_piece(store, scene, window, take_labels, labels);
}
