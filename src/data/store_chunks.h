/*
 * Arrays of an HDF5 file that are cut into chunks, each compressed by whoever makes it: HDF5
 * carries the bytes and says how they are packed (shuffle, where values have several bytes, then
 * deflate), so that any reader of HDF5 understands them; packing itself is tile_pack.h's. A chunk
 * that was never put holds the fill value. Checksums of chunks are the caller's. All [local].
 */
#ifndef SG_DATA_STORE_CHUNKS_H
#define SG_DATA_STORE_CHUNKS_H

#include "data/store.h"

/* What an element is. */
typedef enum {
    SG_CHUNKS_U8,
    SG_CHUNKS_U16,
    SG_CHUNKS_I16,
    SG_CHUNKS_F32,
    SG_CHUNKS_TYPES
} sg_chunks_type;

size_t sg_chunks_type_size(sg_chunks_type type);      /* bytes */
const char *sg_chunks_type_name(sg_chunks_type type); /* GDAL's: "Byte", "UInt16" ... */

typedef struct {
    sg_chunks_type type;
    int32_t dims;    /* 2 .. 4 */
    int64_t dim[4];  /* of the first as many as there are chunks: a chunk is one of its slices */
    int32_t fill;    /* what chunks that are not there hold */
    int32_t deflate; /* level, 1 .. 9 */
} sg_chunks_shape;

typedef struct sg_chunks sg_chunks;

/* A new array in a file that is written, which must outlive it. SG_EOUTPUT. */
sg_err sg_chunks_create(sg_chunks **chunks, sg_store_file *store, const char *name,
                        const sg_chunks_shape *shape);
/* Packed bytes of a chunk, once at most. What is put in the same order makes the same file. */
sg_err sg_chunks_put(sg_chunks *chunks, int64_t index, const void *packed, size_t bytes);

/* An array of this type and lengths (fill and deflate do not count). SG_EINPUT: there is none. */
sg_err sg_chunks_open(sg_chunks **chunks, sg_store_file *store, const char *name,
                      const sg_chunks_shape *shape);
/* The packed bytes of a chunk that has so many: SG_EINPUT where it has not, or where they are
 * packed otherwise. Any number of threads may ask. */
sg_err sg_chunks_get(sg_chunks *chunks, int64_t index, void *packed, size_t bytes);

/* NULL is fine. SG_EOUTPUT: what was written could not be. */
sg_err sg_chunks_close(sg_chunks *chunks);

#endif
