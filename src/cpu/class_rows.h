/*
 * Per-pixel arithmetic over classes, for softmax, the loss and classification. Some pixels at a
 * time are turned into planes, one row of pixels per class, so that every loop runs over a row.
 * [local]
 */
#ifndef SG_CPU_CLASS_ROWS_H
#define SG_CPU_CLASS_ROWS_H

#include "cpu/device.h"
#include "cpu/rows.h"

/* Pixels of c classes that fit a row buffer: at least 1 for c up to SG_ROW. */
int64_t sg_class_pixels(int64_t c);

/* Call row for all pixels, so many at a time, on all threads; rows are the same for any number. */
typedef void (*sg_class_row_fn)(const void *context, int64_t first, int64_t pixels);
void sg_class_for(const sg_cpu *cpu, int64_t pixels, int64_t c, sg_class_row_fn row,
                  const void *context);

/* plane[k][i] = row[i][k], and back. */
void sg_class_planes(const float *row, int64_t pixels, int64_t c, float *plane);
void sg_class_rows(const float *plane, int64_t pixels, int64_t c, float *row);

/* plane becomes exp(plane - largest), of each pixel; sum is that over the classes, in their order.
 */
void sg_class_powers(float *plane, int64_t pixels, int64_t c, float *largest, float *sum);
/* plane /= sum */
void sg_class_shares(float *plane, int64_t pixels, int64_t c, const float *sum);

#endif
