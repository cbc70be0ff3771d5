/*
 * Where a training goes on from: last.h5 of its run folder, or previous.h5 where that is damaged.
 */
#ifndef SG_JOBS_RESUME_H
#define SG_JOBS_RESUME_H

#include <stdbool.h>
#include "comm/comm.h"
#include "train/checkpoint.h"

/* Whether the folder holds a checkpoint to go on from, whole or not. [local] */
bool sg_resume_possible(const char *folder);
/* The text of the job in the folder's checkpoint, for sg_free. [local] */
sg_err sg_resume_job(const char *folder, char **text);
/*
 * Remove what a killed run has left half-written in the folder, and load its checkpoint. Rank 0
 * finds out which one is whole; *former: it is previous.h5, which is warned of. SG_EINPUT names
 * last.h5 where neither is. [collective]
 */
sg_err sg_resume_load(sg_comm *comm, const char *folder, sg_checkpoint *checkpoint, bool *former);

/* A run that goes on keeps its batch on any number of ranks that divide it, in fewer parts where
 * there are more ranks; which is told. [local], the same on all ranks */
void sg_resume_parts(const sg_comm *comm, int32_t batch, int32_t *parts);

#endif
