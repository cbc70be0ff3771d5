/*
 * The levels of a raster: level 0 is the raster itself, each next one, an overview, has half as
 * many pixels along both sides, rounded up. An overview's pixel stands for a cell of 2^k x 2^k
 * pixels of level 0: of classes the value that most of them have (the smallest of several), of
 * amounts their mean; pixels without data are left out, and where there are no others there is no
 * data. All blocks of all levels are numbered through. All [local].
 */
#ifndef SG_TILES_PYRAMID_H
#define SG_TILES_PYRAMID_H

#include <stdbool.h>
#include "base/error.h"
#include "data/window.h"

enum { SG_LEVELS_MAX = 24 };

typedef struct {
    int64_t width, height; /* pixels */
    int64_t across, down;  /* blocks */
    int64_t first;         /* number of its first block */
} sg_level;

typedef struct {
    int64_t block; /* side of a block, pixels; a power of two */
    int32_t levels;
    sg_level level[SG_LEVELS_MAX];
    int64_t blocks; /* of all levels */
} sg_pyramid;

/* The last level whose pixels are made of level 0's. */
int32_t sg_pyramid_direct(const sg_pyramid *pyramid);
/* Overviews, where wanted, down to the first that fits into one block. */
void sg_pyramid_make(sg_pyramid *pyramid, int64_t width, int64_t height, int64_t block,
                     bool overviews);

/* How the pixels of a raster are reduced. */
typedef struct {
    int32_t bands;
    int32_t is_float; /* 1: f32, means; 0: bytes, majorities */
    double nodata;
    int32_t amounts; /* of bytes: means, rounded, halves up */
} sg_reduction;

/*
 * Reduce pixels (h, w, bands) by 2^k along both sides: out (ceil(h / 2^k), ceil(w / 2^k), bands).
 * Cells begin at the first pixel; those at the right and lower edge may be smaller. f32 sums are
 * taken in f64, in row order.
 */
void sg_reduce(const sg_reduction *how, int32_t k, const void *pixels, int64_t w, int64_t h,
               void *out);

#endif
