/*
 * How far a network's probabilities can be believed: of the pixels that it is, say, 80 to 90 %
 * sure of, 80 to 90 % should be right. Counted in whole numbers, so that the result does not depend
 * on ranks. [local] but the sum.
 */
#ifndef SG_JOBS_REPORT_CALIBRATION_H
#define SG_JOBS_REPORT_CALIBRATION_H

#include "base/text.h"
#include "jobs/evaluate.h"

enum { SG_CALIBRATION_BINS = 15 };

typedef struct {
    int64_t count[SG_CALIBRATION_BINS]; /* pixels whose class has a probability in the bin's part */
    int64_t
        right[SG_CALIBRATION_BINS];    /* of 0 .. 1: more than bin / bins, up to (bin + 1) / bins */
    int64_t sure[SG_CALIBRATION_BINS]; /* sum of these probabilities, in 2^-20 */
} sg_calibration;

void sg_calibration_see(sg_calibration *calibration, const sg_compared *chunk);
void sg_calibration_sum(sg_calibration *calibration, sg_comm *comm); /* [collective] */
/* Shares of a bin; NaN where it is empty. */
double sg_calibration_accuracy(const sg_calibration *calibration, int bin);
double sg_calibration_confidence(const sg_calibration *calibration, int bin);
/* The expected calibration error (Guo et al. 2017): the mean over pixels of the distance between
 * their bin's accuracy and confidence. NaN without pixels. */
double sg_calibration_error(const sg_calibration *calibration);

#endif
