/*
 * What a training run holds, shared by the files of the loop: making and closing it, and its
 * checkpoints. Private to train.
 */
#ifndef SG_TRAIN_TRAINER_H
#define SG_TRAIN_TRAINER_H

#include "base/file.h"
#include "base/progress.h"
#include "train/average.h"
#include "train/border.h"
#include "train/loop.h"
#include "train/metrics_log.h"
#include "train/rank_times.h"
#include "train/sampler.h"
#include "train/tensorboard.h"
#include "train/watchdog.h"

typedef struct sg_saver sg_saver; /* saver.h */

typedef struct {
    const sg_training *t; /* borrowed */
    int32_t rank, ranks;
    int32_t micro_batch;         /* samples of one rank's micro-batch */
    int32_t validates;           /* 1 when there are validation regions */
    sg_graph *with_loss, *fused; /* owned, as all below */
    sg_params *params;
    sg_weights *weights;
    sg_average average; /* what is validated and left behind, where it is asked for */
    sg_stepper *stepper;
    sg_sampler_tables sampler;
    sg_loader *loader;
    double waited;    /* of loaders before it */
    uint8_t *classes; /* (micro_batch, tile, tile): what crops were taken for; NULL: nobody asks */
    sg_metrics_log log;   /* open on rank 0 only */
    sg_tensorboard board; /* as well, where it is asked for */
    sg_gallery gallery;   /* of the last validation, for the board */
    sg_confusion confusion;
    float *class_weight;   /* device memory, NULL without */
    sg_border border;      /* weights of borders, of one micro-batch */
    sg_saver *saver;       /* of checkpoints; on rank 0 only */
    sg_watchdog *watchdog; /* or NULL */
    bool owes_save;        /* one was due while the last was still being written */
    double saved_at;       /* when the last one was begun, sg_now */
    int64_t gathered;      /* the step at which all ranks' errors were gathered last */
    sg_position position;
    double miou; /* validation mIoU at this very step, NaN when not validated */
    sg_scores best;
    sg_progress progress;
    int64_t first_step; /* of this run */
    double step_seconds, loss, start;
    sg_step_times times;        /* of all ranks */
    const double *carried;      /* those of a step, (ranks, SG_RANK_TIMES); the stepper's */
    sg_rank_times so_far, mine; /* of this rank: in all, and in the last step */
} trainer;

/* Everything up to the first step. Fails on all ranks or on none. [collective] */
sg_err sg_trainer_open(trainer *tr, const sg_training *training);
void sg_trainer_close(trainer *tr); /* [collective] */

/* After a step, where crops are taken by errors: add them up now and then, and draw the crops of
 * the next steps by them. [collective] */
sg_err sg_trainer_mine(trainer *tr);

/* Where crops are taken by errors: those of all ranks, for a save after this step. [collective] */
void sg_trainer_gather(trainer *tr);

/* Begin to write last.h5, and best.h5 first when `best`. Where the last one is still being written
 * it follows later, but for a best one, which waits; and where errors are mined, after the next
 * step that gathers them. An error is this rank's alone. [local] */
sg_err sg_trainer_save(trainer *tr, bool best);
/* Write last.h5, to its end. mine: this rank's result so far. [collective] */
sg_err sg_trainer_save_now(trainer *tr, bool best, sg_err mine);

#endif
