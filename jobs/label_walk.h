/*
 * A job's labels, region by region and piece by piece, dealt out to the ranks in turn: each piece
 * is seen by one rank, which one depends on their number.
 */
#ifndef SG_JOBS_LABEL_WALK_H
#define SG_JOBS_LABEL_WALK_H

#include "comm/comm.h"
#include "data/source.h"
#include "tiles/split.h"

/* classes[piece.h][piece.w], SG_NO_CLASS where there is no label. */
typedef sg_err (*sg_label_visit)(void *user, sg_window piece, const uint8_t *classes);

typedef struct {
    const sg_scenes *scenes; /* borrowed */
    int64_t side;            /* of a piece, pixels */
    int rank, ranks;
    int64_t turn;     /* pieces so far */
    uint8_t *classes; /* [side * side], owned */
    sg_label_visit visit;
    void *user;
} sg_label_walk;

/* [local], as what follows: but every rank has to walk through the same regions. */
sg_err sg_label_walk_open(sg_label_walk *walk, const sg_comm *comm, const sg_scenes *scenes,
                          int64_t side, sg_label_visit visit, void *user);
void sg_label_walk_close(sg_label_walk *walk);
/* This rank's pieces of the region, in row order. An error ends the walk. */
sg_err sg_label_walk_region(sg_label_walk *walk, const sg_region *region);

#endif
