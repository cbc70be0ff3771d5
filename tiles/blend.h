/*
 * Blending: the mean of the probabilities that the tiles over a pixel give it, weighted as
 * tiles/overlap.h says. [local]
 *
 * Numerical contract: per pixel and class, f32, the sum over the tiles in row order of the scene's
 * grid of (weight down x weight across) x probability. These are the same terms in the same order
 * whichever chunk a pixel belongs to, so chunks, batches, ranks and readers do not show. The class
 * is the one of the largest sum, the first of equal ones.
 */
#ifndef SG_TILES_BLEND_H
#define SG_TILES_BLEND_H

#include "tiles/grid.h"

typedef struct {
    const sg_grid *grid; /* borrowed */
    size_t classes;
    float *across, *down; /* weights of a tile, [tile_w], [tile_h] */
} sg_blend;

/* A chunk while it is summed up. */
typedef struct {
    sg_window core;
    uint8_t *known;       /* (core.h, core.w): SG_NO_CLASS: no data so far; in the end the class */
    float *probabilities; /* (core.h, core.w, classes) */
} sg_blend_chunk;

sg_err sg_blend_open(sg_blend *blend, const sg_grid *grid, int32_t classes);
void sg_blend_close(sg_blend *blend); /* one that was never opened is fine */

void sg_blend_begin(const sg_blend *blend, const sg_blend_chunk *chunk);
/* Add a tile's core. valid: (tile_h, tile_w); probabilities: (tile_h, tile_w, classes). */
void sg_blend_add(const sg_blend *blend, const sg_blend_chunk *chunk, const sg_tile *tile,
                  const uint8_t *valid, const float *probabilities);
/* All tiles are there: classes, and SG_NO_PROBABILITY where there is no data. */
void sg_blend_end(const sg_blend *blend, const sg_blend_chunk *chunk);

#endif
