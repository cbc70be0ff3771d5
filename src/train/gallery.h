/*
 * A few tiles of a validation as pictures: image, truth and prediction side by side, what counts of
 * the tile alone. They are the same tiles each time, spread evenly over the validation regions.
 *
 * A band spans two deviations either way; three bands are red, green and blue in the network's
 * order, fewer are grey. Pixels without a label are dark in the truth.
 */
#ifndef SG_TRAIN_GALLERY_H
#define SG_TRAIN_GALLERY_H

#include "comm/comm.h"
#include "data/loader.h"
#include "train/cover.h"

/* Sides beyond are halved, and so on, until they are shorter. */
enum { SG_GALLERY_TILES = 4, SG_GALLERY_SIDE = 320 };

typedef struct {
    int32_t width, height;
    uint8_t *png; /* owned; NULL: none yet */
    size_t bytes;
} sg_gallery_picture;

/* Zeroed before its first use. */
typedef struct {
    int32_t count;
    sg_gallery_picture picture[SG_GALLERY_TILES];
} sg_gallery;

/* Forget the pictures, and choose tiles of this cover. [local] */
void sg_gallery_begin(sg_gallery *gallery, const sg_cover *cover);
/* What a batch of a cover's tiles, each with so many pixels around it, was taken for. */
typedef struct {
    const sg_cover *cover;
    const sg_spec *spec;
    int64_t beside;
    const uint8_t *prediction; /* (n, side, side): tile + 2 * beside */
} sg_looked;

/* Draw those of the batch's tiles that were chosen. [local] */
sg_err sg_gallery_look(sg_gallery *gallery, const sg_looked *looked, const sg_batch *batch);
/* All pictures to all ranks, when all tiles have been looked at: batches of so many have gone to
 * ranks in turn. [collective] */
sg_err sg_gallery_share(sg_gallery *gallery, sg_comm *comm, const sg_cover *cover, int32_t batch);
void sg_gallery_clear(sg_gallery *gallery); /* [local] */

#endif
