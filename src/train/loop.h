/*
 * The training loop: epochs of steps, validation, checkpoints, signals. [collective]
 */
#ifndef SG_TRAIN_LOOP_H
#define SG_TRAIN_LOOP_H

#include "data/loader.h"
#include "tiles/split.h"
#include "train/checkpoint.h"
#include "train/metrics.h"
#include "train/schedule.h"
#include "train/step.h"

typedef struct {
    sg_comm *comm;
    sg_backend *backend;
    const sg_graph *graph; /* frozen, without loss */
    const sg_spec *spec;
    const sg_scenes *scenes;
    const sg_regions *regions; /* training and validation regions */
    sg_dtype type;
    int32_t tile;  /* crop size, pixels */
    int32_t batch; /* samples per step over all ranks; divisible by ranks * accumulate */
    int64_t steps; /* in all */
    int64_t steps_per_epoch;
    int32_t augment; /* 1: the eight flips and rotations */
    sg_alterations alter;
    float jitter; /* of brightness and contrast, 0 .. 0.9: see sg_sample */
    int32_t loader_threads;
    uint64_t seed;
    sg_update update; /* rule and constants; rate comes from schedule */
    double average;   /* decay of the mean of weights that is the result; 0: the last weights */
    sg_schedule schedule;
    sg_step_options step;
    const float *class_weight; /* [classes] or NULL */
    int64_t validate_every;    /* steps, 0: at the end of each epoch */
    int32_t patience;          /* end after so many validations without a better one; 0: never */
    int64_t save_every;        /* steps, 0: with each validation */
    const char *folder;        /* run folder: last.h5, best.h5, metrics.csv, metrics.jsonl */
    const char *job_text;      /* goes into checkpoints */
    sg_checkpoint *resume;     /* or NULL to start from initial weights */
    volatile int *stop;        /* set by a signal: finish the step, save, return SG_ESTOPPED */
} sg_training;

typedef struct {
    int64_t steps;
    double loss, seconds, megapixels_per_s;
    sg_scores best;
    int64_t best_step;
} sg_training_report;

sg_err sg_train(const sg_training *training, sg_training_report *report);

/*
 * Classify regions of one split tile by tile (each labelled pixel once) and sum the confusion over
 * ranks. SG_ESTOPPED, on all ranks, when one was told to stop. [collective]
 */
sg_err sg_validate(const sg_training *training, sg_weights *weights, sg_split split,
                   sg_confusion *confusion);

/* Which sample is index i of the run: a pure function of seed, index and regions. [local] */
typedef struct {
    const sg_regions *regions;
    const size_t *train; /* indices of training regions */
    size_t train_count;
    const double *cumulative; /* [train_count] area shares, last is 1 */
    uint64_t seed;
    int32_t tile, augment;
    const sg_alterations *alter; /* NULL: none */
    float jitter;
} sg_sampler;
void sg_sampler_sample(const sg_sampler *sampler, uint64_t index, sg_sample *sample);

#endif
