#include "jobs/report_calibration.h"

#include <math.h>

static const double UNIT = 1 << 20;

static int bin_of(float probability)
{
    int bin = (int)ceilf(probability * SG_CALIBRATION_BINS) - 1;
    return bin < 0 ? 0 : bin < SG_CALIBRATION_BINS ? bin : SG_CALIBRATION_BINS - 1;
}

void sg_calibration_see(sg_calibration *c, const sg_compared *chunk)
{
    const int64_t count = chunk->core.w * chunk->core.h, n = chunk->spec->classes.count;
    for (int64_t i = 0; i < count; i++) {
        uint8_t truth = chunk->truth[i], found = chunk->classes[i];
        if (truth == SG_NO_CLASS || found == SG_NO_CLASS)
            continue;
        float probability = chunk->probabilities[i * n + found];
        int bin = bin_of(probability);
        c->count[bin]++;
        c->right[bin] += truth == found;
        c->sure[bin] += llround((double)probability * UNIT);
    }
}

void sg_calibration_sum(sg_calibration *c, sg_comm *comm)
{
    sg_comm_sum_i64(comm, c->count, SG_CALIBRATION_BINS);
    sg_comm_sum_i64(comm, c->right, SG_CALIBRATION_BINS);
    sg_comm_sum_i64(comm, c->sure, SG_CALIBRATION_BINS);
}

double sg_calibration_accuracy(const sg_calibration *c, int bin)
{
    return c->count[bin] > 0 ? (double)c->right[bin] / (double)c->count[bin] : NAN;
}

double sg_calibration_confidence(const sg_calibration *c, int bin)
{
    return c->count[bin] > 0 ? (double)c->sure[bin] / UNIT / (double)c->count[bin] : NAN;
}

double sg_calibration_error(const sg_calibration *c)
{
    double sum = 0, pixels = 0;
    for (int bin = 0; bin < SG_CALIBRATION_BINS; bin++) {
        if (c->count[bin] == 0)
            continue;
        pixels += (double)c->count[bin];
        sum += (double)c->count[bin] *
               fabs(sg_calibration_accuracy(c, bin) - sg_calibration_confidence(c, bin));
    }
    return pixels > 0 ? sum / pixels : NAN;
}
