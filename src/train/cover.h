/*
 * Covering the regions of a split with tiles of one size, for validation: the cores partition each
 * region, and each core has context around it as far as the region goes. [local]
 */
#ifndef SG_TRAIN_COVER_H
#define SG_TRAIN_COVER_H

#include "data/loader.h"
#include "tiles/split.h"

typedef struct {
    const sg_regions *regions; /* borrowed */
    sg_split split;
    int64_t tile, step; /* pixels: size of a tile; distance of neighbouring origins */
    uint64_t tiles;     /* of all regions of the split */
    uint64_t *first;    /* [regions->count + 1]: index of a region's first tile; owned */
} sg_cover;

/* The longest side of the split's regions, 0 when there are none. */
int64_t sg_cover_longest(const sg_regions *regions, sg_split split);
/* margin: wanted context, pixels; stride: origins keep to it inside a region. */
sg_err sg_cover_make(sg_cover *cover, const sg_regions *regions, sg_split split, int64_t tile,
                     int64_t margin, int64_t stride);
void sg_cover_clear(sg_cover *cover);
/* Tile `index`: its window (tile x tile) and, as the part that counts, its core. Returns the index
 * of its region. */
size_t sg_cover_sample(const sg_cover *cover, uint64_t index, sg_sample *sample);

#endif
