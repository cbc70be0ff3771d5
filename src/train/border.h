/*
 * Weights that make a loss look at borders: w0 * exp(-d^2 / (2 sigma^2)) of a distance d in pixels
 * between centres. Two kinds:
 *
 * - between objects of one class, patches of its pixels that touch with a side: at pixels that have
 *   a label but not that class, d is the distance to the nearest object plus that to the second
 *   nearest (Ronneberger et al., "U-Net", 2015: touching cells; here buildings);
 * - along all edges: d is the distance to the nearest pixel of another class, at every pixel with a
 *   label.
 *
 * A function of one sample's labels alone, exact up to 4.5 sigma, beyond which the weight, below
 * 4.1e-5 w0, is 0. [local]
 */
#ifndef SG_TRAIN_BORDER_H
#define SG_TRAIN_BORDER_H

#include <stdint.h>
#include "base/error.h"

enum { SG_BORDER_EDGES = -1 };

typedef struct {
    float w0;         /* 0: no weights */
    float sigma;      /* pixels, above 0 */
    int32_t of_class; /* between objects of this class, or SG_BORDER_EDGES */
} sg_border_options;

typedef struct {
    sg_border_options options;
    int64_t samples, h, w;
    float *weight; /* [samples][h][w], what sg_border_find made; NULL without weights */
    void *work;
} sg_border;

/* Makes all memory. SG_ENOMEM. */
sg_err sg_border_open(sg_border *border, const sg_border_options *options, int64_t samples,
                      int64_t h, int64_t w);
void sg_border_close(sg_border *border); /* {0} is fine */
/* Weights of one batch's labels [samples][h][w], SG_IGNORE_LABEL among them. */
void sg_border_find(sg_border *border, const uint8_t *labels);

#endif
