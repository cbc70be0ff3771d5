/*
 * Per-pixel arithmetic over classes, for softmax, the loss and classification: some pixels at a
 * time, so that exponentials and logarithms run over long rows. [local]
 */
#ifndef SG_CPU_CLASS_ROWS_H
#define SG_CPU_CLASS_ROWS_H

#include "cpu/rows.h"

/* Pixels of c classes that fit a row buffer: at least 1 for c up to SG_ROW. */
int64_t sg_class_pixels(int64_t c);

/* power[i][k] = exp(logit[i][k] - largest[i]), sum[i] their sum in the order of the classes. Both
 * arrays hold pixels * c numbers; power may be logit. */
void sg_class_powers(const float *logit, int64_t pixels, int64_t c, float *power, float *largest,
                     float *sum);

#endif
