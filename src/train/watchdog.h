/*
 * A thread that notices when a training does not move: it tells, on every rank, what the rank was
 * doing, and ends the job where that is wanted. All [local].
 */
#ifndef SG_TRAIN_WATCHDOG_H
#define SG_TRAIN_WATCHDOG_H

#include "comm/comm.h"

typedef struct sg_watchdog sg_watchdog;

/* seconds without progress count as a stall; 0: *watchdog is NULL, which all others take. ends: end
 * all ranks with status 1 a few seconds after it was told, so that others can tell as well. */
sg_err sg_watchdog_start(sg_watchdog **watchdog, sg_comm *comm, double seconds, bool ends);
void sg_watchdog_stop(sg_watchdog *watchdog);
/* This is progress: from now on the rank does `what` (a literal), having done `step` steps. */
void sg_watchdog_note(sg_watchdog *watchdog, const char *what, int64_t step);

#endif
