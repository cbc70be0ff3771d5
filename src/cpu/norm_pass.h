/*
 * What batch and group norm do with the pixels of a tensor. Work is cut into patches, some pixels
 * by some channels, which stay in the first-level cache. [local]
 *
 * Numerical contract. A patch's mean and squared distances from its own mean are f32; patches are
 * merged in order in f64 (Chan, Golub, LeVeque 1979). Sums are f32 within a patch, f64 from patch
 * to patch. Values are f32.
 */
#ifndef SG_CPU_NORM_PASS_H
#define SG_CPU_NORM_PASS_H

#include "cpu/norm_rows.h"

enum { SG_NORM_PATCH = 4096 /* floats */ };

typedef struct {
    const sg_site *site;
    const sg_io *io;
    const sg_norm_coefficients *k; /* of these pixels */
} sg_norm_pass;

/* Of pixels [begin, end) of the tensor, and all channels. mean, square, sum, sum_normal: [c]. */

void sg_norm_pass_moments(const sg_norm_pass *pass, int64_t begin, int64_t end, double *mean,
                          double *square);
/* Moments of `pixels` pixels, left by blocks of so many as [blocks][2][c] in partial: those of
 * channels [begin, end) into the first block's. */
typedef struct {
    double *partial;
    int64_t c, blocks, block, pixels;
} sg_norm_blocks;
void sg_norm_pass_merge(const sg_norm_blocks *blocks, int64_t begin, int64_t end);
/* The output, activation included. */
void sg_norm_pass_values(const sg_norm_pass *pass, int64_t begin, int64_t end);
/* Sums of dz and of dz * (x - mean) * inverse, dz being the gradient before the activation. */
void sg_norm_pass_sums(const sg_norm_pass *pass, int64_t begin, int64_t end, double *sum,
                       double *sum_normal);
/* The gradient of the input. */
void sg_norm_pass_input(const sg_norm_pass *pass, int64_t begin, int64_t end);

#endif
