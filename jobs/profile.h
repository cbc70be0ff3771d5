/*
 * A backend that measures another: calls go through to it and their time is kept per operator.
 * [local]
 */
#ifndef SG_JOBS_PROFILE_H
#define SG_JOBS_PROFILE_H

#include "nn/backend.h"

typedef struct {
    double seconds;
    int64_t calls;
} sg_profile_entry;

typedef struct {
    sg_profile_entry forward[SG_OP_COUNT], backward[SG_OP_COUNT], refresh[SG_OP_COUNT];
    sg_profile_entry load_input, accumulate, classify, update;
} sg_profile;

/* `inner` is borrowed and must outlive the result; `profile` is where times are added up. */
sg_err sg_profile_open(sg_backend *inner, sg_profile *profile, sg_backend **backend);

#endif
