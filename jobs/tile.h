/* segtiles tile, between its files. */
#ifndef SG_JOBS_TILE_H
#define SG_JOBS_TILE_H

#include "data/tile_store.h"
#include "jobs/survey.h"
#include "tiles/parts.h"

/* Tiles to be made, by all ranks together. */
typedef struct {
    sg_comm *comm;
    const sg_scenes *scenes;
    const sg_tile_layout *layout;
    sg_parts *parts;    /* a record a tile */
    int32_t threads;    /* of this rank */
    volatile int *stop; /* set by a signal */
} sg_tile_work;

/* Make the tiles that are not in the parts yet. SG_ESTOPPED where a signal has left some undone.
 * [collective] */
sg_err sg_tile_make_all(const sg_tile_work *work);

#endif
