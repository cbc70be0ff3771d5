/*
 * The crops that a job trains on, without a network: its scenes surveyed, its sampler made, for a
 * loader to read from.
 */
#ifndef SG_JOBS_TRAINING_CROPS_H
#define SG_JOBS_TRAINING_CROPS_H

#include "data/tile_store.h"
#include "jobs/survey.h"
#include "train/sampler.h"

typedef struct {
    sg_spec spec;
    sg_survey survey;
    sg_scenes scenes; /* points into the two above: where it was opened, there it stays */
    sg_sampler_tables tables;
} sg_training_crops;

/* store: what scenes are read from, borrowed; NULL: their files. To be closed after a failure, too.
 * SG_EINPUT, SG_EUSAGE naming file or key. [collective] */
sg_err sg_training_crops_open(sg_training_crops *crops, sg_comm *comm, const sg_job *job,
                              sg_tile_store *store);
/* A loader of them; what to read, and how, is the caller's, which crops they are is filled in. The
 * caller closes it first. [local] */
sg_err sg_training_crops_load(sg_training_crops *crops, const sg_job *job,
                              sg_loader_options options, sg_loader **loader);
void sg_training_crops_close(sg_training_crops *crops);

#endif
