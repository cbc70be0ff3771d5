/* How many threads a rank may use for computing: affinity, shared by the node's ranks. [local] */
#ifndef SG_BASE_THREADS_H
#define SG_BASE_THREADS_H

/* Processors in this process's affinity mask, at least 1. */
int sg_threads_available(void);
/* OMP_NUM_THREADS when set, else available shared fairly among ranks_here ranks, at least 1. */
int sg_threads_fair(int ranks_here);

#endif
