/* Monotonic seconds. [local] */
#ifndef SG_BASE_CLOCK_H
#define SG_BASE_CLOCK_H

double sg_now(void);

#endif
