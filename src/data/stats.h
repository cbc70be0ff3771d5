/*
 * Band statistics and class frequencies over scenes, gathered in parallel and the same for any
 * number of ranks: each scene is cut into fixed blocks, each block gives exact or block-wise sums,
 * and they are combined in block order. All [local]: the caller shares out blocks and sums over
 * ranks.
 */
#ifndef SG_DATA_STATS_H
#define SG_DATA_STATS_H

#include "data/label.h"

typedef struct {
    int64_t count;   /* valid pixels */
    double mean, m2; /* mean and sum of squared deviations */
    double least, most;
} sg_moments;

/* Chan et al. 1979: combine two disjoint samples; the result depends on the order, so keep one. */
sg_moments sg_moments_join(sg_moments a, sg_moments b);
double sg_moments_std(sg_moments moments); /* population; 1 when there are no deviations */

enum { SG_STATS_BLOCK = 1024 }; /* pixels, square */
int64_t sg_stats_blocks(const sg_raster_info *info);
/* Moments of block `index` for each chosen band: moments[bands]. */
sg_err sg_stats_block(sg_raster *raster, int64_t index, sg_moments *moments);
/* The whole scene, for small uses. */
sg_err sg_stats_scene(sg_raster *raster, sg_moments *moments);

/* Normalising is (x - shift) * scale in f32, with these. */
void sg_normalize_factors(int32_t bands, const double *mean, const double *std, float *shift,
                          float *scale);
/* Apply: pixels (count, bands) become (x - mean) / std where valid, 0 elsewhere. valid may be NULL.
 */
void sg_normalize_pixels(float *pixels, const uint8_t *valid, size_t count, int32_t bands,
                         const double *mean, const double *std);

#endif
