/*
 * The rows of metrics.csv, and tiles of each validation, as an event file, so that TensorBoard
 * shows a run. One rank writes.
 * [local]
 */
#ifndef SG_TRAIN_TENSORBOARD_H
#define SG_TRAIN_TENSORBOARD_H

#include "train/events.h"
#include "train/gallery.h"
#include "train/metrics_log.h"

typedef struct {
    sg_events events;
    const sg_class_table *classes; /* borrowed */
} sg_tensorboard;

/* A new file in folder each time; resume: steps go on behind step `kept`. SG_EOUTPUT. */
sg_err sg_tensorboard_open(sg_tensorboard *board, const char *folder, const sg_class_table *classes,
                           bool resume, int64_t kept);
sg_err sg_tensorboard_add(sg_tensorboard *board, const sg_metrics_row *row);
/* Pictures of a validation. */
sg_err sg_tensorboard_show(sg_tensorboard *board, int64_t step, const sg_gallery *gallery);
void sg_tensorboard_close(sg_tensorboard *board); /* one that was never opened is fine */

#endif
