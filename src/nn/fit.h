/*
 * Which batch fits into memory, told from plans alone: nothing is allocated. [local]
 */
#ifndef SG_NN_FIT_H
#define SG_NN_FIT_H

#include "nn/plan.h"

/* The largest number of samples, at most `most`, whose values take at most `bytes`; 0: not one.
 * input.n is not read. */
int64_t sg_fitting_batch(const sg_plan_request *request, size_t bytes, int64_t most);

#endif
