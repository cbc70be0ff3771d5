/*
 * A finished chunk through the conditional random field of tiles/crf.h, window by window. Windows
 * lie on one grid of the scene, and a chunk has all that its windows see (sg_grid_reach): so each
 * pixel has its window and its margin whichever chunk, part or cutline it is mapped for. Windows
 * that a chunk or a part cuts through are computed for either side. Several threads take windows of
 * a chunk, each with memory of its own: what a window becomes does not depend on them. [local]
 */
#ifndef SG_TILES_REFINE_H
#define SG_TILES_REFINE_H

#include "tiles/pipeline.h"

/* What has been stitched of a chunk, over its reach. */
typedef struct {
    sg_window core, reach;
    const uint8_t *classes;     /* (reach.h, reach.w) */
    const float *bands;         /* (reach.h, reach.w, bands) */
    const float *probabilities; /* (reach.h, reach.w, classes) */
} sg_refine_chunk;

typedef struct {
    const sg_pipeline_options *options; /* borrowed */
    sg_crf **crf;                       /* [workers], owned */
    uint8_t **asked;                    /* [workers] a window's pixels inside the cutline */
    uint8_t *classes;     /* (core.h, core.w) of the last chunk; SG_NO_CLASS: no data */
    float *probabilities; /* (core.h, core.w, classes) */
} sg_refine;

sg_err sg_refine_open(sg_refine *refine, const sg_pipeline_options *options);
void sg_refine_close(sg_refine *refine); /* one that was never opened is fine */
/* Into refine->classes and refine->probabilities. */
sg_err sg_refine_run(sg_refine *refine, const sg_refine_chunk *chunk);

/* The most pixels of a window with its margin, in a scene of this grid. */
size_t sg_refine_field(const sg_grid *grid);

#endif
