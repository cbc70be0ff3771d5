/*
 * Reading ahead: threads with a raster handle each fill batches of tiles while the network works on
 * the batch before. All readers work on one batch at a time, in strips of rows, so that one batch
 * more than the network holds is memory enough and the first one is there as soon as can be.
 * [local]
 */
#ifndef SG_TILES_FETCH_H
#define SG_TILES_FETCH_H

#include "tiles/pipeline.h"

typedef struct {
    sg_tile tile;
    int64_t chunk;
    int32_t last;  /* 1: the last tile of its chunk */
    int32_t blank; /* 1: known to have no pixel that is asked for and valid; it is not read */
} sg_planned_tile;

typedef struct {
    int32_t n;             /* tiles, in order of chunk and tile */
    sg_planned_tile *tile; /* [n] */
    sg_raw_image *image;   /* [n]: as plain numbers, normalised, or as they were read */
    uint8_t *valid;        /* (batch, tile_h, tile_w): has data and is asked for; with frames the
                              cutline is left to what is made of them */
    void *values;          /* what the images are made of: (batch, tile_h, tile_w, bands) */
    uint8_t *data;         /* has data, as it was read, (batch, tile_h, tile_w); may be valid */
} sg_fetched;

typedef struct sg_fetch sg_fetch;

/* Open the scene once per reader and start. options is borrowed until closed. */
sg_err sg_fetch_start(sg_fetch **fetch, const sg_pipeline_options *options);
/* The next batch, NULL at the end; or the first error of a reader. */
sg_err sg_fetch_next(sg_fetch *fetch, sg_fetched **batch);
/* Give the batch back, to be filled anew. */
void sg_fetch_return(sg_fetch *fetch, sg_fetched *batch);
/* Stops the readers. NULL is fine. */
void sg_fetch_close(sg_fetch *fetch);

#endif
