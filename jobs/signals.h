/*
 * Signals that ask a job to save and end: SIGTERM and SIGUSR1 (what batch systems send before
 * the time is up). [local]
 */
#ifndef SG_JOBS_SIGNALS_H
#define SG_JOBS_SIGNALS_H

/* From now on these signals set the flag instead of ending the process. The flag lives as long as
 * the process. */
volatile int *sg_signals_catch(void);

#endif
