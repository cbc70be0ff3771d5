/*
 * How far the mapping of a scene is, and how it went: a bar on a terminal, lines in logs, JSON on
 * standard output for machines. What limits is what the thread that runs the network spends most
 * time in: the network itself, waiting for pixels to be read, or waiting for chunks to be written.
 */
#ifndef SG_JOBS_PREDICT_PROGRESS_H
#define SG_JOBS_PREDICT_PROGRESS_H

#include "base/progress.h"
#include "jobs/predict.h"

typedef struct {
    const char *output; /* the mask; borrowed */
    int64_t width, height;
    int64_t chunks, found; /* in all; finished by an earlier run */
    bool json;             /* else for people */
    double start;          /* when the scene was opened: sg_now */
    /* The rest is this module's. */
    sg_progress line;
    double began, told; /* mapping; when JSON was last written */
} sg_predict_progress;

/* Mapping begins; the fields above are set. [local] */
void sg_predict_progress_start(sg_predict_progress *progress);
/* So many chunks are finished, by all ranks; work: of this rank so far. Rank 0 shows it. [local] */
void sg_predict_progress_show(sg_predict_progress *progress, int64_t finished,
                              const sg_pipeline_report *work);
void sg_predict_progress_end(sg_predict_progress *progress); /* [local] */

/* What a rank has done. */
typedef struct {
    int64_t chunks;
    int64_t bytes; /* written */
    sg_pipeline_report work;
    double assembly; /* seconds, after the last chunk */
} sg_predict_done;

/* One line, or one object, about all ranks. SG_ENOMEM. [collective] */
sg_err sg_predict_summarise(const sg_predict_progress *progress, sg_comm *comm,
                            const sg_predict_done *mine);

#endif
