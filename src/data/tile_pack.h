/*
 * One tile of a tile store, packed and unpacked: its three arrays in the types of the file,
 * shuffled and deflated as HDF5's filters of these names do it. Thread-safe but for a packer, which
 * belongs to one thread. All [local].
 */
#ifndef SG_DATA_TILE_PACK_H
#define SG_DATA_TILE_PACK_H

#include "data/store_chunks.h"

/* image: (bands, tile, tile) of the pixel type, 0 where invalid. valid: (tile, tile), 1 or 0.
 * labels: (tile, tile), index of the class or SG_NO_CLASS. */
typedef enum { SG_TILE_IMAGE, SG_TILE_VALID, SG_TILE_LABELS, SG_TILE_PARTS } sg_tile_part;

typedef struct {
    int32_t tile; /* side, pixels */
    int32_t bands;
    sg_chunks_type type; /* of pixels */
    int32_t deflate;     /* level, 1 .. 9 */
} sg_tile_format;

/* Bytes of a part, unpacked. */
size_t sg_tile_part_bytes(const sg_tile_format *format, sg_tile_part part);
/* What a part holds that is not stored, because it is the same everywhere. */
uint8_t sg_tile_part_fill(sg_tile_part part);

typedef struct sg_tile_packer sg_tile_packer;

sg_err sg_tile_packer_open(sg_tile_packer **packer, const sg_tile_format *format);
/*
 * Pack a tile: pixels (tile, tile, bands), valid and labels (tile, tile), as sg_source_read gives
 * them. *record has all parts, those that are one value throughout left out; it stays the packer's
 * until its next call. SG_EINPUT: a pixel does not fit the type.
 */
sg_err sg_tile_pack(sg_tile_packer *packer, const float *pixels, const uint8_t *valid,
                    const uint8_t *labels, const uint8_t **record, size_t *bytes);
void sg_tile_packer_close(sg_tile_packer *packer); /* NULL is fine */

/* A part in a record: its packed bytes, borrowed (0: left out), and their CRC-32. False: the record
 * is not whole. */
bool sg_tile_record_part(const uint8_t *record, size_t bytes, sg_tile_part part,
                         const uint8_t **packed, size_t *packed_bytes, uint32_t *crc);

/* Packed bytes to a part's own; room: as many bytes as out. SG_EINPUT: damaged. */
sg_err sg_tile_unpack(const sg_tile_format *format, sg_tile_part part, const uint8_t *packed,
                      size_t packed_bytes, uint8_t *room, uint8_t *out);

#endif
