/* segtiles train, between its files: what a run holds, and what it tells of itself. [local] */
#ifndef SG_JOBS_TRAIN_H
#define SG_JOBS_TRAIN_H

#include "data/tile_store.h"
#include "jobs/job.h"
#include "jobs/survey.h"
#include "train/loop.h"

typedef struct {
    sg_comm *comm;
    sg_job job;
    sg_text job_text; /* with overrides and defaults: goes into checkpoints */
    char folder[SG_PATH_MAX];
    bool resumes; /* from: */
    sg_checkpoint checkpoint;
    bool is_former; /* previous.h5, because last.h5 is damaged */
    sg_spec spec;
    sg_spec staged;       /* how copies of the scenes are read, where they are staged */
    sg_tile_store *store; /* what is read instead of scenes, or NULL */
    sg_survey survey;
    sg_crop_rules crops;
    sg_graph *graph;
    sg_params *initial; /* NULL: random */
    sg_backend *backend;
    sg_dtype type;
    int64_t steps_per_epoch, steps;
    float weight[SG_CLASSES_MAX];
    int32_t weights;
    float *rate; /* factors by parameter, or NULL */
    sg_loss loss;
    int32_t sync_norm;  /* as sg_step_options has it */
    sg_pad margin;      /* of the network, see sg_network_reach */
    volatile int *stop; /* set by a signal */
} sg_train_run;

/* From here on scenes, or the store, are read from this node's disk, where the job says so.
 * [collective] */
sg_err sg_train_stage(sg_train_run *run, sg_scenes *scenes);

/* Scenes, bands and classes; before the first step. */
void sg_train_tell_data(const sg_train_run *run);
/* Network, device and steps. */
sg_err sg_train_tell_network(const sg_train_run *run);
/*
 * train.batch: auto becomes the most crops that every rank can compute at once, told from the
 * plan's bytes and what is free on its device; the least of all ranks counts. A run that is resumed
 * keeps its batch. The job's text has the number from then on. SG_EUSAGE: the device has no memory
 * of its own, or not one crop fits. [collective]
 */
sg_err sg_train_batch(sg_train_run *run);
/* How it went; the checkpoint to use goes to standard output. */
void sg_train_tell_result(const sg_train_run *run, const sg_training_report *report);

#endif
