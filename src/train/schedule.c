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

/* Half a cosine from `start` at t = 0 to `end` at t = 1. */
static double swing(double start, double end, double t)
{
    return end + (start - end) * (1 + cos(M_PI * clamp01(t))) / 2;
}

/* From low to high over the warm-up, whose last step is the highest, then to the end. */
static double one_cycle(const sg_schedule *s, int64_t step, double low, double high, double last)
{
    double top = (double)s->warmup - 1, end = (double)s->steps - 1, at = (double)step;
    if (at <= top)
        return swing(low, high, top > 0 ? at / top : 1);
    return swing(high, last, end > top ? (at - top) / (end - top) : 1);
}

double sg_schedule_momentum(const sg_schedule *s, int64_t step, double constant)
{
    return s->kind == SG_RATE_ONECYCLE ? one_cycle(s, step, .95, .85, .95) : constant;
}

double sg_schedule_rate(const sg_schedule *s, int64_t step)
{
    if (s->kind == SG_RATE_ONECYCLE)
        return one_cycle(s, step, s->base / 25, s->base, s->base / 25 / 1e4);
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
    case SG_RATE_ONECYCLE:
        break;
    }
    return s->base;
}
