/*
 * metrics.csv and metrics.jsonl of a run: a row per step, flushed, so that other programs can
 * follow a training. One rank writes. [local]
 */
#ifndef SG_TRAIN_METRICS_LOG_H
#define SG_TRAIN_METRICS_LOG_H

#include <stdio.h>

#include "train/loss.h"
#include "train/metrics.h"
#include "train/rank_times.h"

typedef struct {
    FILE *csv, *json; /* owned, NULL when closed */
    const sg_class_table *classes;
    const sg_loss *loss; /* whose terms have columns, where they are several; or NULL */
    const char *folder;  /* borrowed, as classes and loss */
} sg_metrics_log;

typedef struct {
    int64_t step, epoch; /* both from 1 */
    double rate, loss, norm, megapixels_per_s;
    const double *term;          /* [SG_MAX_TERMS] of the loss; NULL: not known */
    const sg_scores *validation; /* NULL when there was none after this step */
    sg_step_times *times;        /* of all ranks, for metrics.jsonl alone; or NULL */
    bool tells_ranks;            /* those of each rank too */
} sg_metrics_row;

/* resume: keep the rows up to step `kept` of a file that is there; else begin anew. SG_EOUTPUT. */
sg_err sg_metrics_log_open(sg_metrics_log *log, const char *folder, const sg_class_table *classes,
                           const sg_loss *loss, bool resume, int64_t kept);
sg_err sg_metrics_log_add(sg_metrics_log *log, const sg_metrics_row *row);
void sg_metrics_log_close(sg_metrics_log *log);

#endif
