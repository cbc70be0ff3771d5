/*
 * Which crop is sample i of a run: a pure function of seed, index, regions and, with mining, of the
 * errors up to the last refresh. [local]
 */
#ifndef SG_TRAIN_SAMPLER_H
#define SG_TRAIN_SAMPLER_H

#include "train/cover.h"
#include "train/loop.h"
#include "train/mining.h"

typedef struct {
    const sg_regions *regions; /* borrowed, as all but tables */
    const size_t *train;       /* indices of training regions */
    size_t train_count;
    const double *cumulative; /* [train_count] shares, last is 1 */
    const sg_regions *whole;
    const size_t *whole_of; /* [train_count]: the whole region of each */
    const sg_cover *grid;   /* NULL: no grid */
    const sg_places *places;
    double class_end[SG_CLASSES_MAX]; /* cumulative shares of crops around classes */
    int32_t classes;
    int32_t paste[SG_CLASSES_MAX], pastes; /* the classes that are pasted */
    sg_mining *mining;                     /* NULL: none */
    double mining_end; /* cumulative share: the last class's and those where the network errs */
    uint64_t seed;
    int32_t tile;   /* side of a crop, without a margin on all sides */
    int32_t beside; /* the margin: context whose labels do not count */
    int32_t augment;
    const sg_alterations *alter; /* NULL: none */
    float jitter;
} sg_sampler;

void sg_sampler_sample(const sg_sampler *sampler, uint64_t index, sg_sample *sample);
/* See sg_loader_options.partner: another crop as they all are, or one around a rare class. */
bool sg_sampler_partner(const sg_sampler *sampler, uint64_t index, sg_mix_kind kind,
                        sg_sample *sample, uint8_t *class);
/* A loader of these options reads the sampler's crops, which is borrowed. */
void sg_sampler_feed(sg_sampler *sampler, sg_loader_options *options);
/* Tell mining how many of the labelled pixels of sample `index` were classified wrongly. */
void sg_sampler_learn(const sg_sampler *sampler, uint64_t index, int64_t wrong, int64_t seen);

typedef struct {
    sg_sampler sampler;       /* points into what follows; hand on by address */
    size_t *train, *whole_of; /* owned, as all that follows */
    double *cumulative;
    bool *usable; /* [whole->count]: crops are taken from it */
    sg_regions grid_regions;
    sg_cover grid;
    sg_places places;
    sg_mining mining;
    sg_alterations alter;
} sg_sampler_tables;

/*
 * The training regions of a run. A region smaller than the tile is used where the crop's rest lies
 * outside the scene; where it would reach pixels of another split the region is left out. A network
 * without padding wants a margin around what it has a result for: that may lie outside the region.
 * Of the training, its regions stay borrowed; the rest may go. SG_EUSAGE when the tile is no wider
 * than the margins, no region is left, or no pixel of a class that crops are to be taken around.
 */
sg_err sg_sampler_make(sg_sampler_tables *tables, const sg_training *training);
void sg_sampler_clear(sg_sampler_tables *tables);

#endif
