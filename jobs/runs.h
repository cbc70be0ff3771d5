/*
 * Run folders: runs/NAME-1, runs/NAME-2 ... below the current folder. All [local]; called on one
 * rank, whose answer the others take.
 */
#ifndef SG_JOBS_RUNS_H
#define SG_JOBS_RUNS_H

#include "base/file.h"

/* The folder of the run of this name with the highest number, and that number; 0 and "" when there
 * is none. folder: SG_PATH_MAX bytes. */
sg_err sg_run_newest(const char *name, char *folder, int64_t *number);
/* Make the next folder of this name. */
sg_err sg_run_make(const char *name, char *folder);

#endif
