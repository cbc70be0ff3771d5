/*
 * The training loop: epochs of steps, validation, checkpoints, signals. [collective]
 */
#ifndef SG_TRAIN_LOOP_H
#define SG_TRAIN_LOOP_H

#include "data/loader.h"
#include "tiles/split.h"
#include "train/checkpoint.h"
#include "train/gallery.h"
#include "train/loss.h"
#include "train/metrics.h"
#include "train/places.h"
#include "train/schedule.h"
#include "train/step.h"

/* Where training crops lie. Shares of them are taken around pixels of a class, and where the
 * network errs; the others by area. */
typedef struct {
    int32_t grid;         /* 1: all tiles of a regular grid, each once an epoch; no shares then */
    int32_t equal_scenes; /* 1: those by area fall into every scene as often */
    double mining;        /* share of those where the network errs */
    double share[SG_CLASSES_MAX];  /* of those around each class; in all at most 1 - mining */
    uint8_t paste[SG_CLASSES_MAX]; /* 1: alter.paste copies regions of this class */
    const sg_places *places;       /* of all these classes, in `whole`; or NULL */
} sg_crop_rules;

typedef struct {
    sg_comm *comm;
    sg_backend *backend;
    const sg_graph *graph; /* frozen, without loss */
    const sg_spec *spec;
    const sg_scenes *scenes;
    const sg_regions *regions; /* training and validation regions */
    const sg_regions *whole;   /* what crops of these may show, where that is more; or NULL */
    sg_crop_rules crops;
    sg_dtype type;
    int32_t tile;  /* crop size, pixels */
    sg_pad margin; /* sides of it that the network has no result for, see sg_network_reach */
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
    const sg_loss *loss;       /* the terms of the loss */
    int64_t validate_every;    /* steps, 0: at the end of each epoch */
    int32_t patience;          /* end after so many validations without a better one; 0: never */
    int64_t save_every;        /* steps, 0: with each validation */
    double save_seconds;       /* besides, when the last save was so long ago; 0: not */
    double stall_seconds;      /* without progress are told of; 0: none */
    bool stall_ends;           /* and end the job */
    const char *folder;        /* run folder: last.h5, previous.h5, best.h5, metrics.csv ... */
    int32_t tensorboard;       /* 1: an event file in it as well */
    const char *job_text;      /* goes into checkpoints */
    sg_checkpoint *resume;     /* or NULL to start from initial weights: */
    const sg_params *initial;  /* those, or NULL for random ones of the seed */
    bool resume_is_former;     /* it is previous.h5, last.h5 being damaged: not to be kept */
    volatile int *stop;        /* set by a signal: finish the step, save, return SG_ESTOPPED */
} sg_training;

typedef struct {
    int64_t steps;
    double loss, seconds, megapixels_per_s;
    sg_scores best;
    int64_t best_step;
    int64_t saves;                    /* checkpoints written; on rank 0 only, as what follows */
    double save_megabytes_per_s;      /* while one is written */
    double save_stop, save_megabytes; /* seconds that one made training stand still at most; size */
} sg_training_report;

sg_err sg_train(const sg_training *training, sg_training_report *report);

/*
 * Classify regions of one split tile by tile (each labelled pixel once) and sum the confusion over
 * ranks. gallery: gets pictures of a few tiles, on all ranks; or NULL. SG_ESTOPPED, on all ranks,
 * when one was told to stop. [collective]
 */
sg_err sg_validate(const sg_training *training, sg_weights *weights, sg_split split,
                   sg_confusion *confusion, sg_gallery *gallery);

#endif
