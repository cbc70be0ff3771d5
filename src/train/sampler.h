/*
 * Crops of training regions: the tables behind a sg_sampler. [local]
 */
#ifndef SG_TRAIN_SAMPLER_H
#define SG_TRAIN_SAMPLER_H

#include "train/loop.h"

typedef struct {
    sg_sampler sampler; /* points into what follows; hand on by address */
    size_t *train;      /* owned */
    double *cumulative; /* owned */
} sg_sampler_tables;

/*
 * The training regions of a run. A region smaller than the tile is used where the crop's rest lies
 * outside the scene; where it would reach pixels of another split the region is left out. SG_EUSAGE
 * when no region is left.
 */
sg_err sg_sampler_make(sg_sampler_tables *tables, const sg_training *training);
void sg_sampler_clear(sg_sampler_tables *tables);

#endif
