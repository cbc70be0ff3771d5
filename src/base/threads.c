#include "base/threads.h"

#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

int sg_threads_available(void)
{
    cpu_set_t mask;
    if (sched_getaffinity(0, sizeof mask, &mask) == 0 && CPU_COUNT(&mask) > 0) {
        return CPU_COUNT(&mask);
    }
    long online = sysconf(_SC_NPROCESSORS_ONLN); /* more processors than cpu_set_t knows */
    return online > 0 ? (int)online : 1;
}

int sg_threads_fair(int ranks_here)
{
    const char *asked = getenv("OMP_NUM_THREADS");
    long number = asked ? strtol(asked, NULL, 10) : 0; /* "8" or "8,2": the outer level */
    if (number >= 1 && number <= 4096) {
        return (int)number;
    }
    int share = sg_threads_available() / (ranks_here > 0 ? ranks_here : 1);
    return share > 0 ? share : 1;
}
