/*
 * Two crops made one: a rectangle of the other (Yun et al. 2019, "CutMix"), or regions of one class
 * (Ghiasi et al. 2021, "Simple copy-paste"). Labels follow their pixels. All [local].
 */
#ifndef SG_DATA_MIX_H
#define SG_DATA_MIX_H

#include "data/alter.h"

/* A rectangle of a tenth to a half of the crop, up to twice as long as wide or as wide as long. */
sg_window sg_mix_rectangle(sg_draw draw, int64_t w, int64_t h);
/* Copy a part of one crop to its place in the other, both of the same size. */
void sg_mix_copy(const sg_image *from, const sg_image *to, sg_window part);

typedef struct {
    int32_t *item;
    size_t capacity;
} sg_mix_room;

/* Copy connected regions of a class (pixels that touch with a side or a corner): one in any case,
 * the others with a chance of one half. Of regions that are more than half of the crop together
 * only what lies in the rectangle above is copied, so that something of the crop remains. */
sg_err sg_mix_regions(sg_draw draw, uint8_t class, const sg_image *from, const sg_image *to,
                      sg_mix_room *room);

#endif
