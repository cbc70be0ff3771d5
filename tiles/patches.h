/*
 * The patches of a mask: pixels of one value that are connected by their sides (4-connected), or by
 * corners too (8-connected), found row by row with what is summed over
 * their pixels. Only the patches that the last row touches are held, whatever the mask's height.
 * [local]
 */
#ifndef SG_TILES_PATCHES_H
#define SG_TILES_PATCHES_H

#include "data/ground.h"

typedef struct {
    int64_t x, y; /* its first pixel in row order */
    int64_t pixels;
    double confidence; /* sum over its pixels */
    double area;       /* m2, 0 when unknown */
    uint8_t value;
} sg_patch;

typedef struct sg_patches sg_patches;

/* nodata makes no patch; corners: pixels are 8-connected. */
sg_err sg_patches_create(sg_patches **patches, int64_t width, uint8_t nodata, bool corners,
                         const sg_ground *ground);
/*
 * The next row: values [width]; confidence [width] or NULL. values NULL: the mask has ended.
 * ended, [count]: the patches that do not reach this row, in no order; borrowed, until the next
 * call.
 */
sg_err sg_patches_row(sg_patches *patches, const uint8_t *values, const float *confidence,
                      const sg_patch **ended, size_t *count);
void sg_patches_close(sg_patches *patches); /* NULL is fine */

/* Patches that have ended, kept until they are asked for by their first pixels. */
typedef struct sg_patch_store sg_patch_store;

sg_err sg_patch_store_create(sg_patch_store **store);
/* No two patches begin at one pixel. */
sg_err sg_patch_store_put(sg_patch_store *store, const sg_patch *patch);
/* Was it there? It is no longer. */
bool sg_patch_store_take(sg_patch_store *store, int64_t x, int64_t y, sg_patch *patch);
void sg_patch_store_close(sg_patch_store *store); /* NULL is fine */

#endif
