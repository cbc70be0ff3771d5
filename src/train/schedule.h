/*
 * Learning-rate schedules: rate at a step, pure functions. [local]
 *   constant                 base
 *   step                     base * gamma^(floor(step / every))
 *   poly                     base * (1 - step / steps)^power
 *   cosine                   floor + (base - floor) * (1 + cos(pi * t)) / 2, t over the steps after
 *                            warm-up
 *   onecycle                 Smith & Topin 2019, as PyTorch's OneCycleLR: along half a cosine from
 *                            base / 25 up to base over the warm-up, along another down to base /
 *                            250000 at the last step, while momentum goes from .95 to .85 and back
 * Warm-up: linear from base * warmup_start to base over the first `warmup` steps, for all but
 * onecycle.
 */
#ifndef SG_TRAIN_SCHEDULE_H
#define SG_TRAIN_SCHEDULE_H

#include <stdint.h>

typedef enum {
    SG_RATE_CONSTANT,
    SG_RATE_STEP,
    SG_RATE_POLY,
    SG_RATE_COSINE,
    SG_RATE_ONECYCLE
} sg_rate_kind;

typedef struct {
    sg_rate_kind kind;
    double base, floor;
    int64_t steps, warmup, every;
    double warmup_start, gamma, power;
} sg_schedule;

/* step counts from 0. */
double sg_schedule_rate(const sg_schedule *schedule, int64_t step);
/* Momentum, or Adam's beta1, where the schedule moves it too; else `constant`. */
double sg_schedule_momentum(const sg_schedule *schedule, int64_t step, double constant);

#endif
