/* When in a backward pass gradients become final, and where batch norm sums. Pure arithmetic.
 * [local] */
#ifndef SCALING_PROFILE_H
#define SCALING_PROFILE_H

#include <stdbool.h>

enum { PARTS_MOST = 128 };

/* In the order of the backward pass. */
typedef struct {
    int parts;
    double time[PARTS_MOST];   /* share of the pass */
    double values[PARTS_MOST]; /* share of the gradient's elements, final when the part has ended */
    bool norm[PARTS_MOST];     /* has statistics to sum */
    double parameters, flops;  /* of the network; of a pixel, forward. 0: not known */
} profile;

/* Parts of the same length, statistics with each. */
void profile_evenly(profile *p, int parts);
/* Layers of a U-Net of depth 4 as src/model/unet.c builds it; a part takes as long as its
 * floating-point operations are many. */
void profile_of_unet(profile *p, int width, int bands, int classes);

#endif
