/*
 * A rectangle of pixels of a scene: x, y of its upper left pixel, width and height. [local]
 */
#ifndef SG_DATA_WINDOW_H
#define SG_DATA_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int64_t x, y, w, h;
} sg_window;

/* The common part; w or h is 0 when there is none. */
sg_window sg_window_intersect(sg_window a, sg_window b);
bool sg_window_is_empty(sg_window window);
bool sg_window_contains(sg_window outer, sg_window inner);

#endif
