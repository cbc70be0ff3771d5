#include "data/tile_store.h"

#include "base/size.h"
#include "data/tile_store_private.h"

struct sg_tile_writer {
    const sg_tile_layout *layout; /* borrowed */
    sg_store_file *store;
    sg_chunks *chunks[SG_TILE_PARTS];
    int64_t next;         /* tile */
    int64_t *bytes, *crc; /* (tiles, SG_TILE_PARTS) */
};

sg_chunks_shape sg_tile_part_shape(const sg_tile_layout *layout, sg_tile_part part)
{
    const sg_tile_format *format = &layout->format;
    sg_chunks_shape shape = {.type = part == SG_TILE_IMAGE ? format->type : SG_CHUNKS_U8,
                             .fill = sg_tile_part_fill(part),
                             .deflate = format->deflate};
    shape.dim[shape.dims++] = layout->tiles;
    if (part == SG_TILE_IMAGE)
        shape.dim[shape.dims++] = format->bands;
    shape.dim[shape.dims++] = format->tile;
    shape.dim[shape.dims++] = format->tile;
    return shape;
}

const char *sg_tile_part_name(sg_tile_part part)
{
    static const char *const name[] = {"tiles/image", "tiles/valid", "tiles/labels"};
    return name[part];
}

static sg_err put_head(sg_tile_writer *writer)
{
    const sg_tile_format *format = &writer->layout->format;
    sg_err err = sg_store_put_i64(writer->store, "format", SG_TILE_STORE_FORMAT);
    if (!err)
        err = sg_store_put_text(writer->store, "kind", SG_TILE_STORE_KIND);
    if (!err)
        err = sg_store_put_text(writer->store, "version", "segtiles " SEGTILES_VERSION);
    if (!err)
        err = sg_store_put_i64(writer->store, "tile/side", format->tile);
    return err ? err : sg_store_put_i64(writer->store, "tile/deflate", format->deflate);
}

static sg_err put_sizes(sg_tile_writer *writer)
{
    const sg_tile_layout *layout = writer->layout;
    const int64_t dim[2] = {(int64_t)layout->scenes, 2};
    int64_t *size = NULL;
    sg_err err = sg_malloc(layout->scenes, 2 * sizeof *size, &size);
    for (size_t i = 0; !err && i < layout->scenes; i++) {
        size[2 * i] = layout->scene[i].width;
        size[2 * i + 1] = layout->scene[i].height;
    }
    if (!err)
        err = sg_store_put(writer->store, "scene/size", SG_STORE_I64, 2, dim, size);
    sg_free(size);
    return err;
}

static sg_err prepare(sg_tile_writer *writer, const char *path)
{
    size_t tiles = (size_t)writer->layout->tiles;
    sg_err err = sg_store_create(&writer->store, path);
    if (!err)
        err = sg_calloc(tiles, SG_TILE_PARTS * sizeof *writer->bytes, &writer->bytes);
    if (!err)
        err = sg_calloc(tiles, SG_TILE_PARTS * sizeof *writer->crc, &writer->crc);
    if (!err)
        err = put_head(writer);
    if (!err)
        err = put_sizes(writer);
    for (int part = 0; !err && part < SG_TILE_PARTS; part++) {
        const sg_chunks_shape shape = sg_tile_part_shape(writer->layout, part);
        err =
            sg_chunks_create(&writer->chunks[part], writer->store, sg_tile_part_name(part), &shape);
    }
    return err;
}

sg_err sg_tile_writer_open(sg_tile_writer **out, const char *path, const sg_tile_layout *layout)
{
    sg_tile_writer *writer = NULL;
    sg_err err = sg_calloc(1, sizeof *writer, &writer);
    if (err)
        return err;
    writer->layout = layout;
    err = prepare(writer, path);
    if (err) {
        sg_tile_writer_close(writer);
        return err;
    }
    *out = writer;
    return SG_OK;
}

sg_store_file *sg_tile_writer_file(sg_tile_writer *writer)
{
    return writer->store;
}

sg_err sg_tile_writer_put(sg_tile_writer *writer, const uint8_t *record, size_t bytes)
{
    const int64_t tile = writer->next++;
    sg_err err = SG_OK;
    SG_ASSERT(tile < writer->layout->tiles);
    for (int part = 0; !err && part < SG_TILE_PARTS; part++) {
        const uint8_t *packed;
        size_t packed_bytes;
        uint32_t crc;
        if (!sg_tile_record_part(record, bytes, part, &packed, &packed_bytes, &crc))
            return sg_fail(SG_EINPUT,
                           "tile %lld is not what was written before: is the disk sound?",
                           (long long)tile);
        if (packed_bytes > 0)
            err = sg_chunks_put(writer->chunks[part], tile, packed, packed_bytes);
        writer->bytes[tile * SG_TILE_PARTS + part] = (int64_t)packed_bytes;
        writer->crc[tile * SG_TILE_PARTS + part] = crc;
    }
    return err;
}

static sg_err put_places(sg_tile_writer *writer)
{
    const sg_tile_layout *layout = writer->layout;
    const int64_t dim[2] = {layout->tiles, 3};
    int64_t *place = NULL;
    sg_err err = sg_malloc((size_t)layout->tiles, 3 * sizeof *place, &place);
    for (int64_t i = 0; !err && i < layout->tiles; i++) {
        size_t scene;
        sg_window window = sg_tile_layout_window(layout, i, &scene);
        place[3 * i] = (int64_t)scene;
        place[3 * i + 1] = window.x;
        place[3 * i + 2] = window.y;
    }
    if (!err)
        err = sg_store_put(writer->store, "tiles/place", SG_STORE_I64, 2, dim, place);
    sg_free(place);
    return err;
}

static sg_err put_tables(sg_tile_writer *writer)
{
    const int64_t dim[2] = {writer->layout->tiles, SG_TILE_PARTS};
    sg_err err = put_places(writer);
    if (!err)
        err = sg_store_put(writer->store, "tiles/bytes", SG_STORE_I64, 2, dim, writer->bytes);
    return err ? err
               : sg_store_put(writer->store, "tiles/crc32", SG_STORE_I64, 2, dim, writer->crc);
}

static sg_err close_chunks(sg_tile_writer *writer)
{
    sg_err err = SG_OK;
    for (int part = 0; part < SG_TILE_PARTS; part++) {
        sg_err closed = sg_chunks_close(writer->chunks[part]);
        err = err ? err : closed;
        writer->chunks[part] = NULL;
    }
    return err;
}

sg_err sg_tile_writer_commit(sg_tile_writer *writer)
{
    SG_ASSERT(writer->next == writer->layout->tiles);
    sg_err err = put_tables(writer);
    sg_err closed = close_chunks(writer);
    err = err ? err : closed;
    if (!err) {
        err = sg_store_commit(writer->store);
        writer->store = NULL;
    }
    sg_tile_writer_close(writer);
    return err;
}

void sg_tile_writer_close(sg_tile_writer *writer)
{
    if (!writer)
        return;
    (void)close_chunks(writer);
    sg_store_close(writer->store);
    sg_free(writer->bytes);
    sg_free(writer->crc);
    sg_free(writer);
}
