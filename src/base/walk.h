/*
 * The eight flips and right-angle turns of an image, as a walk through its pixels with two strides:
 * pixel (y, x) of the turned image is pixel start + y * down + x * across of the image, (h, w).
 * Turn t is what its bits say, in this order: 4 transposes, 2 turns upside down, 1 mirrors left and
 * right. [local]
 */
#ifndef SG_BASE_WALK_H
#define SG_BASE_WALK_H

#include <stdint.h>

typedef struct {
    int64_t start, down, across; /* pixels */
} sg_walk;

static inline sg_walk sg_walk_of(int64_t h, int64_t w, int32_t turn)
{
    int transposed = (turn & 4) != 0;
    int64_t down = transposed ? 1 : w, across = transposed ? w : 1;
    sg_walk walk = {0, down, across};
    if (turn & 2) {
        walk.start += ((transposed ? w : h) - 1) * down;
        walk.down = -down;
    }
    if (turn & 1) {
        walk.start += ((transposed ? h : w) - 1) * across;
        walk.across = -across;
    }
    return walk;
}

#endif
