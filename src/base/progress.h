/*
 * A live progress line on rank 0: redrawn in place on a terminal, with a bar; plain lines now and
 * then otherwise. Only the caller on rank 0 prints; others may call freely. [local]
 */
#ifndef SG_BASE_PROGRESS_H
#define SG_BASE_PROGRESS_H

#include <stdint.h>

typedef struct {
    const char *what; /* "train", "predict"; borrowed */
    int64_t total;    /* units */
    int64_t found;    /* of these, done before the start: set after sg_progress_start, else 0 */
    double start;     /* seconds, sg_now */
    double last;      /* when a line was last shown */
    int terminal;     /* 1 when stderr is one */
} sg_progress;

void sg_progress_start(sg_progress *progress, const char *what, int64_t total);
/* Show done of total with a short extra text ("loss 0.31  1.2 Mpx/s"); adds the time left. */
void sg_progress_show(sg_progress *progress, int64_t done, const char *extra);
void sg_progress_end(sg_progress *progress);

#endif
