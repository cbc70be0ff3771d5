/*
 * Where overlapping tiles lie along one axis of a scene, and how their results are weighted. Pure
 * arithmetic. [local]
 *
 * Tiles begin at multiples of a step, the last one where the padded scene ends. All of it is
 * counted from the scene's first pixel, whatever chunk or part is being mapped: so which tiles a
 * pixel has, and their weights, is a property of the scene.
 *
 * The window of a tile rises as sin^2 over the overlap from either of its ends and is 1 between
 * (raised cosine, or Tukey's window). It is taken at the middle of a pixel and so is positive
 * everywhere, at the scene's edge too. Weights are windows over the sum of the windows of all tiles
 * that a pixel has: they add up to 1. In two dimensions a weight is the product of two.
 */
#ifndef SG_TILES_OVERLAP_H
#define SG_TILES_OVERLAP_H

#include <stdint.h>

typedef struct {
    int64_t padded; /* the scene, pixels */
    int64_t tile;   /* at most that */
    int64_t step;   /* between tiles, 1 .. tile; a tile as large as the scene is alone */
} sg_overlap;

/* Tiles in all, and where one begins. */
int64_t sg_overlap_tiles(const sg_overlap *along);
int64_t sg_overlap_origin(const sg_overlap *along, int64_t tile);
/* The first and the last tile that cover any of the pixels [from, to), which is not empty. */
void sg_overlap_covering(const sg_overlap *along, int64_t from, int64_t to, int64_t *first,
                         int64_t *last);
/* The weights, [count], of the tile that begins at `origin` for the pixels from `from`, which it
 * covers. */
void sg_overlap_weights(const sg_overlap *along, int64_t origin, int64_t from, int64_t count,
                        float *weight);

#endif
