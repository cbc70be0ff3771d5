/*
 * Checkpoints written while training goes on. A thread of rank 0 copies the weights and the
 * optimizer state while the next step is computed, and writes the copy; training waits only where
 * it would change what is not yet copied. Others may read from HDF5 meanwhile
 * (a tile store): data/store.h takes turns.
 *
 * last.h5 is replaced when the next one is durable, and stays as previous.h5. A failure is kept
 * until it is asked for. Private to train; all [local], called by the training thread of rank 0;
 * NULL, which the other ranks have, is a saver that is never busy and never fails.
 */
#ifndef SG_TRAIN_SAVER_H
#define SG_TRAIN_SAVER_H

#include "train/trainer.h"

/* Memory for a copy, and the thread. What the trainer holds is borrowed. */
sg_err sg_saver_open(sg_saver **saver, const trainer *tr);
void sg_saver_close(sg_saver *saver); /* waits until all is written */

bool sg_saver_busy(sg_saver *saver);
/* Save what the trainer holds now: best.h5 first where it is the best, then last.h5. Waits for one
 * under way. */
sg_err sg_saver_start(sg_saver *saver, bool best);
/* Wait until the weights may change. */
void sg_saver_let_change(sg_saver *saver);
/* The failure of what was started, once. */
sg_err sg_saver_failure(sg_saver *saver);
/* Wait until all is written. */
sg_err sg_saver_finish(sg_saver *saver);

typedef struct {
    int64_t saves;
    double bytes, seconds;   /* written in all, and the time that took */
    double stopped, longest; /* seconds that training stood still: in all, for one save at most */
} sg_saver_report;
void sg_saver_get_report(const sg_saver *saver, sg_saver_report *report); /* when not busy */

#endif
