/* Gaussian blur of an image with holes. [local] */
#ifndef SG_DATA_BLUR_H
#define SG_DATA_BLUR_H

#include "data/placement.h"

enum { SG_BLUR_SIGMA_MAX = 10 };

/* Room that grows as it is needed, and is kept from image to image. */
typedef struct {
    float *item;
    size_t capacity;
} sg_blur_room;

/*
 * Blur the valid pixels with a Gaussian of `sigma` pixels, cut off at 3 sigma. Invalid pixels (0)
 * and what lies outside take no part: the weights of the others are made to sum to 1.
 */
sg_err sg_blur(const sg_image *image, double sigma, sg_blur_room *room);

#endif
