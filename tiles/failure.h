/* The first error of several threads, carried over to the one that reports it. [local] */
#ifndef SG_TILES_FAILURE_H
#define SG_TILES_FAILURE_H

#include "base/error.h"

typedef struct {
    sg_err code; /* SG_OK: none yet */
    char text[512];
} sg_failure;

/* Keep code and the calling thread's error text unless there is one already. Callers share a lock.
 */
void sg_failure_keep(sg_failure *failure, sg_err code);
/* Make it the calling thread's error and return its code. */
sg_err sg_failure_raise(const sg_failure *failure);

#endif
