/*
 * Learning-rate schedules: rate at a step, pure functions. [local]
 *   constant                 base
 *   step                     base * gamma^(floor(step / every))
 *   poly                     base * (1 - step / steps)^power
 *   cosine                   floor + (base - floor) * (1 + cos(pi * t)) / 2, t over the steps after
 * warm-up Warm-up: linear from base * warmup_start to base over the first `warmup` steps, for all
 * of them.
 */
#ifndef SG_TRAIN_SCHEDULE_H
#define SG_TRAIN_SCHEDULE_H

#include <stdint.h>

typedef enum { SG_RATE_CONSTANT, SG_RATE_STEP, SG_RATE_POLY, SG_RATE_COSINE } sg_rate_kind;

typedef struct {
    sg_rate_kind kind;
    double base, floor;
    int64_t steps, warmup, every;
    double warmup_start, gamma, power;
} sg_schedule;

/* step counts from 0. */
double sg_schedule_rate(const sg_schedule *schedule, int64_t step);

#endif
