/* Learning-rate schedules. */
#include "train/schedule.h"

#include <math.h>

static double clamp01(double t)
{
    return t < 0 ? 0 : t > 1 ? 1 : t;
}

static double cosine(const sg_schedule *s, int64_t step)
{
    int64_t length = s->steps - s->warmup;
    double t = length > 0 ? clamp01((double)(step - s->warmup) / (double)length) : 1;
    return s->floor + (s->base - s->floor) * (1 + cos(M_PI * t)) / 2;
}

double sg_schedule_rate(const sg_schedule *s, int64_t step)
{
    if (step < s->warmup) {
        double t = (double)step / (double)s->warmup;
        return s->base * (s->warmup_start + (1 - s->warmup_start) * t);
    }
    switch (s->kind) {
    case SG_RATE_CONSTANT:
        return s->base;
    case SG_RATE_STEP:
        return s->base * pow(s->gamma, s->every > 0 ? (double)(step / s->every) : 0);
    case SG_RATE_POLY:
        return s->base *
               pow(1 - clamp01(s->steps > 0 ? (double)step / (double)s->steps : 1), s->power);
    case SG_RATE_COSINE:
        return cosine(s, step);
    }
    return s->base;
}
