/*
 * The mask writer. Ranks compress the blocks of the chunks they own, overviews with them, into
 * spools beside the output (see parts.h). At the end every rank knows how large all blocks are, so
 * where each goes: each lays its range of the file, from whatever spools, and rank 0 renames it. So
 * the file is byte-identical for any number of ranks, and for any number of runs that it took. No
 * pixels travel between ranks but through spools, and those of the last overviews. Every block is
 * written, those without data too unless raster.packing says else: what the file holds does not
 * depend on who wrote it. It is a Cloud Optimized GeoTIFF, or a plain one. A mask that is to be
 * sieved, by rank 0, is laid down whole once before, because a patch may reach over any number of
 * chunks; its levels are then made anew, by all, of what the sieve has left.
 */
#ifndef SG_TILES_MASK_H
#define SG_TILES_MASK_H

#include <stdbool.h>
#include "comm/comm.h"
#include "data/raster.h"
#include "tiles/cog.h"

typedef struct sg_mask sg_mask;

/* Borrowed until closed. */
typedef struct {
    const char *path;          /* the final name */
    sg_geotiff_options raster; /* sizes, georeferencing, classes, names */
    int64_t chunk_w, chunk_h;  /* multiples of the block */
    bool overviews;
    sg_tiff_layout layout;
    const char *style;   /* text of the .qml beside it, or NULL */
    const char *journal; /* what is being made: see parts.h */
    bool restart;
    int32_t sieve;     /* patches of fewer pixels go, one band of bytes only; 0: none */
    int32_t connected; /* of the sieve: 4 or 8, see data/sieve.h */
} sg_mask_options;

/* Begin, or go on where an earlier run has ended. [collective] */
sg_err sg_mask_create(sg_mask **mask, sg_comm *comm, const sg_mask_options *options);
/* Has an earlier run finished the chunk? The same on all ranks. [local] */
bool sg_mask_has(const sg_mask *mask, int64_t chunk);
/*
 * Put the pixels of a chunk, numbered in row order: (h, w, bands) bytes or f32 by the options,
 * where h and w are cut at the scene's edge. It outlives the machine. [local], one thread at a
 * time.
 */
sg_err sg_mask_put(sg_mask *mask, int64_t chunk, const void *pixels);
/* Bytes that this rank has put, compressed. [local] */
int64_t sg_mask_written(const sg_mask *mask);
/* Assemble and give the names; the spools stay. mine: this rank's result so far; any failure fails
 * all, and what is finished is kept. [collective] */
sg_err sg_mask_commit(sg_mask *mask, sg_err mine);
/* Remove the spools, when all outputs have their names. [local] */
void sg_mask_forget(sg_mask *mask);
/* Frees. NULL is fine. [local] */
void sg_mask_close(sg_mask *mask);

#endif
