/*
 * The inner loops of batch and group normalisation: some pixels by some channels, f32, per-channel
 * constants in registers while the pixels run by. [local]
 */
#ifndef SG_CPU_NORM_ROWS_H
#define SG_CPU_NORM_ROWS_H

#include "cpu/rows.h"

/* Per channel, what a pixel is computed with. */
typedef struct {
    float *mean, *factor, *shift; /* [c]: z = (x - mean) * factor + shift */
    float *inverse;               /* [c]: 1 / sqrt(variance + epsilon) */
    float *centre, *slope;        /* [c]: dx = factor * dz - centre - (x - mean) * slope */
} sg_norm_coefficients;

/* `pixels` rows of `channels`, which are those from `first` on; strides in floats. */
typedef struct {
    int64_t pixels, channels, first;
    const float *x, *up; /* input; gradient of the output, or before the activation */
    float *out;
    int64_t stride, up_stride, out_stride;
} sg_norm_rows;

/* mean and summed squared distances from it, of each channel. x and stride are read. */
void sg_norm_moments(const sg_norm_rows *rows, float *mean, float *square);
/* Merge those of `added` pixels into those of `had` (Chan, Golub, LeVeque 1979). */
void sg_norm_merge(double *mean, double *square, double had, const float *its_mean,
                   const float *its_square, double added, int64_t channels);
/* out = z, or relu(z). NaN stays NaN. */
void sg_norm_values(const sg_norm_rows *rows, const sg_norm_coefficients *c, bool relu);
/* With dz = up, or up where z > 0: sum += dz, sum_normal += dz * (x - mean) * inverse. */
void sg_norm_sums(const sg_norm_rows *rows, const sg_norm_coefficients *c, bool relu, double *sum,
                  double *sum_normal);
/* out = dx */
void sg_norm_input(const sg_norm_rows *rows, const sg_norm_coefficients *c, bool relu);

#endif
