/*
 * Stitching: the cores of tiles are laid side by side into their chunk; whole chunks go to a writer
 * thread, which calls options->chunk; in blend mode they are summed up. Two chunk buffers: one
 * being stitched, one being written. With a CRF, the writer thread has it run on whole chunks.
 * [local]
 */
#ifndef SG_TILES_STITCH_H
#define SG_TILES_STITCH_H

#include "tiles/fetch.h"

typedef struct sg_stitch sg_stitch;

/* options is borrowed until closed. */
sg_err sg_stitch_start(sg_stitch **stitch, const sg_pipeline_options *options);
/* Of one tile; pixels, classes and probabilities are NULL where nothing in its core is valid. */
typedef struct {
    const uint8_t *valid;       /* (tile_h, tile_w) */
    const float *pixels;        /* (tile_h, tile_w, bands) */
    const uint8_t *classes;     /* (tile_h, tile_w) */
    const float *probabilities; /* (tile_h, tile_w, classes), or NULL */
} sg_tile_result;

/*
 * Lay one tile's core into its chunk, or add it in blend mode. Tiles come chunk by chunk. Waits for
 * a free buffer; fails with the writer's first error.
 */
sg_err sg_stitch_put(sg_stitch *stitch, const sg_planned_tile *tile, const sg_tile_result *result);
/* What the caller has done so far, for options->progress. */
void sg_stitch_note(sg_stitch *stitch, const sg_pipeline_report *work);
/* Wait until all is written. */
sg_err sg_stitch_finish(sg_stitch *stitch);
/* Pixels written; seconds in options->chunk, and waited for buffers. After finish. */
void sg_stitch_report(const sg_stitch *stitch, sg_pipeline_report *report);
/* Stops the writer. NULL is fine. */
void sg_stitch_close(sg_stitch *stitch);

#endif
