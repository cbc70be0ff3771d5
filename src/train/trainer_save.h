/* A run's position, its checkpoints, and going on from one. Private to train; [local] but for
 * sg_trainer_save (trainer.h). */
#ifndef SG_TRAIN_TRAINER_SAVE_H
#define SG_TRAIN_TRAINER_SAVE_H

#include "train/cover.h"
#include "train/trainer.h"

/* The position of a new run, or of the checkpoint it resumes from. */
void sg_trainer_begin_position(trainer *tr);
/* SG_EUSAGE when the checkpoint is not one of this network, or beyond the last step. */
sg_err sg_trainer_check_resume(const trainer *tr);
/* The checkpoint's optimizer state, and its mean of weights where one is kept. */
sg_err sg_trainer_restore(trainer *tr);

#endif
