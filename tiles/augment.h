/*
 * Test-time augmentation: the mean of the probabilities that a network gives for the eight flips
 * and rotations of a tile, each turned back. [local]
 *
 * The result is as independent of the tiling as the network's own. The grid pads the scene with
 * zeros at its right and lower edge to a multiple of the stride, and a tile's origin and sides are
 * multiples of it: so a turned tile is a tile of the turned, padded scene, with its pooling cells
 * where they are there, and its halo is as wide on every side. The padding lies at the left or
 * upper edge of a turned scene: the same zeros, for any tiling. Where the scene's sides are
 * multiples of the stride, the result is the mean of eight predictions of the turned scene.
 *
 * Per pixel, the probabilities are summed in f32 in the order of the turns, and divided by eight,
 * which is exact; the class is the one of the largest mean, the first of equal ones.
 */
#ifndef SG_TILES_AUGMENT_H
#define SG_TILES_AUGMENT_H

#include "data/turn.h"
#include "tiles/pipeline.h"

/* The network itself, as sg_begin_fn and sg_end_fn, always with probabilities. transposed: the
 * tiles are (n, tile_w, tile_h, bands), and so are the results. */
typedef sg_err (*sg_begin_turned_fn)(void *user, bool transposed, int32_t n,
                                     const sg_raw_image *image);

typedef struct {
    int64_t tile_h, tile_w;
    int32_t batch, bands, classes;
    int32_t raw;       /* 1: the network turns images itself; else it gets plain ones */
    int32_t in_flight; /* turns that may be begun and not yet taken, 1 or 2 */
    sg_begin_turned_fn begin;
    sg_end_fn end;
    void *user;
} sg_augment_options;

typedef struct sg_augment sg_augment;

sg_err sg_augment_create(sg_augment **augment, const sg_augment_options *options);
/* Classify n tiles, which are not turned; probabilities may be NULL. */
sg_err sg_augment_classify(sg_augment *augment, int32_t n, const sg_raw_image *image,
                           uint8_t *classes, float *probabilities);
void sg_augment_close(sg_augment *augment); /* NULL is fine */

/* Bytes that an augmentation takes per pixel of its tiles, beside the network's. */
double sg_augment_bytes_per_pixel(int32_t bands, int32_t classes);

#endif
