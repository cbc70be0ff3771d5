/*
 * The mask writer. Ranks compress the blocks of the chunks they own into a spool file of their own
 * beside the output (OUTPUT.parts/RANK.spool); at the end rank 0 lays the blocks into the GeoTIFF
 * in row order and renames it, so the file is byte-identical for any number of ranks. No pixels
 * travel between ranks. Every block is written, those without data too: what the file holds does
 * not depend on who wrote it. The only module with tiffio.h.
 */
#ifndef SG_TILES_MASK_H
#define SG_TILES_MASK_H

#include "comm/comm.h"
#include "data/raster.h"

typedef struct sg_mask sg_mask;

/* options: sizes, georeferencing, classes, names (borrowed until closed). [collective] */
sg_err sg_mask_create(sg_mask **mask, sg_comm *comm, const char *path,
                      const sg_geotiff_options *options);
/*
 * Put the pixels of one chunk: core's origin is a multiple of the block. pixels: (h, w, bands)
 * bytes or f32 by the options. Blocks that reach over the scene's edge are padded with nodata or 0.
 * [local], one thread at a time.
 */
sg_err sg_mask_put(sg_mask *mask, sg_window core, const void *pixels);
/* Assemble, commit, remove the spool. mine: this rank's result so far; any failure fails all.
 * [collective] */
sg_err sg_mask_commit(sg_mask *mask, sg_err mine);
/* Frees; removes temporary files when not committed. NULL is fine. [local] */
void sg_mask_close(sg_mask *mask);

#endif
