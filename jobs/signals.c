#include "jobs/signals.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>

/* A handler can reach nothing but a global. */
static volatile int stop_asked;

static void ask_stop(int number)
{
    (void)number;
    stop_asked = 1;
}

volatile int *sg_signals_catch(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    action.sa_handler = ask_stop;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    return &stop_asked;
}
