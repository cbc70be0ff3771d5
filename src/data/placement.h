/*
 * Where a crop lies in its scene when its pixels are not the scene's: rotated and scaled, with
 * pixels interpolated and labels taken as they are. All [local].
 */
#ifndef SG_DATA_PLACEMENT_H
#define SG_DATA_PLACEMENT_H

#include "base/error.h"
#include "data/window.h"

/* An image with its labels, (h, w, bands) and (h, w); borrowed. */
typedef struct {
    int64_t w, h;
    int32_t bands;
    float *pixels;
    uint8_t *valid, *labels; /* either may be NULL where it is not used */
} sg_image;

/*
 * The middle of the crop lies at (x, y) of the scene, where pixel 0 reaches from 0 to 1. A step of
 * one pixel to the right in the crop is one of (along, aside) in the scene, a step down one of
 * (-aside, along).
 */
typedef struct {
    double x, y;
    double along, aside;
} sg_placement;

/* Half the height and width in the scene, to the middles of the outer pixels: (half_w, half_h). */
void sg_placement_half(const sg_placement *placement, int64_t w, int64_t h, double half[2]);
/* All pixels of the scene that a crop of w x h pixels is made of. */
sg_window sg_placement_window(const sg_placement *placement, int64_t w, int64_t h);
/*
 * Fill the crop from `from`, which lies at `at` in the scene. A pixel is valid where the nearest
 * one is, and the bilinear mean of the valid ones around it; otherwise it is 0. A label is the
 * nearest pixel's, and SG_NO_CLASS where that is invalid. What lies outside `at` is invalid.
 */
void sg_placement_take(const sg_placement *placement, const sg_image *from, sg_window at,
                       const sg_image *crop);

#endif
