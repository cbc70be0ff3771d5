/*
 * The tags of a TIFF file's first directory, as bytes: read from a skeleton that GDAL has made, and
 * written again into another layout. Classic and BigTIFF, little endian, as this machine is.
 * [local]
 */
#ifndef SG_TILES_TIFF_TAGS_H
#define SG_TILES_TIFF_TAGS_H

#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"

enum { /* TIFF 6.0, and GDAL's own */
       SG_TIFF_SUBFILE = 254,
       SG_TIFF_WIDTH = 256,
       SG_TIFF_HEIGHT = 257,
       SG_TIFF_COMPRESSION = 259,
       SG_TIFF_PREDICTOR = 317,
       SG_TIFF_TILE_OFFSETS = 324,
       SG_TIFF_TILE_BYTES = 325,
       SG_TIFF_GDAL_METADATA = 42112
};

enum { SG_TIFF_SHORT = 3, SG_TIFF_LONG = 4, SG_TIFF_LONG8 = 16 };

typedef struct {
    uint16_t tag, type;
    uint64_t count;
    uint8_t *data; /* owned */
    size_t bytes;
} sg_tiff_tag;

typedef struct {
    sg_tiff_tag *tag; /* ascending */
    size_t count, capacity;
} sg_tiff_tags;

/* SG_EINPUT: not such a file. */
sg_err sg_tiff_tags_read(sg_tiff_tags *tags, const char *path);
void sg_tiff_tags_clear(sg_tiff_tags *tags);
/* A copy without those that skip picks. */
sg_err sg_tiff_tags_copy(sg_tiff_tags *copy, const sg_tiff_tags *tags, bool (*skip)(uint16_t tag));
/* Add a tag, or put other data in the place of its own; data is copied. NULL: count zeros. */
sg_err sg_tiff_tags_set(sg_tiff_tags *tags, uint16_t tag, uint16_t type, uint64_t count,
                        const void *data);
void sg_tiff_tags_remove(sg_tiff_tags *tags, uint16_t tag);                   /* where it is */
const sg_tiff_tag *sg_tiff_tags_find(const sg_tiff_tags *tags, uint16_t tag); /* or NULL */

/* Bytes of the directory and of the data behind it; and the same written, for the file offset at
 * which it stands and that of the next directory (0: none). */
size_t sg_tiff_tags_bytes(const sg_tiff_tags *tags, bool big);
void sg_tiff_tags_write(const sg_tiff_tags *tags, bool big, uint64_t offset, uint64_t next,
                        uint8_t *out);

#endif
