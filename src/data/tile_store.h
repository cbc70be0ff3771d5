/*
 * Tile stores: scenes and labels as training reads them, in one HDF5 file, a chunk a tile.
 *
 *   format, kind, version       number of this layout; "tile store"; the program that wrote it
 *   tiles/image                 (tile, band, y, x) of the scenes' pixel type, 0 where invalid
 *   tiles/valid                 (tile, y, x) 1 where a pixel has data
 *   tiles/labels                (tile, y, x) index of the class, 255: none
 *   tiles/place                 (tile, 3) scene, column and row of the first pixel
 *   tiles/bytes, tiles/crc32    (tile, 3) of the compressed chunks of image, valid and labels;
 *                               0 bytes: not stored, the fill value throughout
 *   scene/size                  (scene, 2) width and height, pixels
 *   tile/...                    side and level of compression
 *
 * What else a job needs stands beside it (jobs/tile_facts.h). Made in a given order of tiles, the
 * same tiles make the same bytes. All [local].
 */
#ifndef SG_DATA_TILE_STORE_H
#define SG_DATA_TILE_STORE_H

#include "data/tile_layout.h"

/* ---- writing, by one thread ---- */

typedef struct sg_tile_writer sg_tile_writer;

/* Nothing appears at path before sg_tile_writer_commit. The layout is borrowed. SG_EOUTPUT. */
sg_err sg_tile_writer_open(sg_tile_writer **writer, const char *path, const sg_tile_layout *layout);
/* The file, for what stands beside the tiles. Borrowed. */
sg_store_file *sg_tile_writer_file(sg_tile_writer *writer);
/* The next tile, as sg_tile_pack made it. SG_EINPUT: the record is damaged. */
sg_err sg_tile_writer_put(sg_tile_writer *writer, const uint8_t *record, size_t bytes);
/* After the last tile: flush and rename. The writer is closed in any case. */
sg_err sg_tile_writer_commit(sg_tile_writer *writer);
void sg_tile_writer_close(sg_tile_writer *writer); /* drops the file; NULL is fine */

/* ---- reading, by any number of threads ---- */

typedef struct sg_tile_store sg_tile_store;

/* Is it a HDF5 file that calls itself a tile store, whole or not? What cannot be read is none. */
bool sg_is_tile_store(const char *path);
/* cache_bytes: of tiles kept unpacked. SG_EINPUT: not a tile store, damaged, of another format. */
sg_err sg_tile_store_open(sg_tile_store **store, const char *path, size_t cache_bytes);
void sg_tile_store_close(sg_tile_store *store); /* NULL is fine */
const char *sg_tile_store_path(const sg_tile_store *store);
const sg_tile_layout *sg_tile_store_layout(const sg_tile_store *store);
/* Bytes of all chunks as they are stored. */
int64_t sg_tile_store_bytes(const sg_tile_store *store);
/* The file, for what stands beside the tiles: one thread at a time. Borrowed. */
sg_store_file *sg_tile_store_file(sg_tile_store *store);

/* As sg_raster_read and sg_label_read: any window, pixels beyond the scene are invalid and without
 * label. SG_EINPUT names file and tile. */
sg_err sg_tile_store_pixels(sg_tile_store *store, size_t scene, sg_window window, float *pixels,
                            uint8_t *valid);
sg_err sg_tile_store_labels(sg_tile_store *store, size_t scene, sg_window window, uint8_t *labels);

#endif
