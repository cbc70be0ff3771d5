#include "train/watchdog.h"

#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/size.h"

/* Seconds between two looks, and between telling and ending. */
static const double PAUSE = 0.25, GRACE = 3;

struct sg_watchdog {
    sg_comm *comm; /* borrowed */
    double seconds;
    bool ends, running;
    pthread_t thread;
    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t changed;
    const char *what;
    int64_t step;
    double since; /* sg_now */
    bool told, ending;
};

/* With the lock held, which the pause gives away. */
static void pause_for(sg_watchdog *w, double seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)((seconds - (double)(time_t)seconds) * 1e9);
    until.tv_sec += (time_t)seconds + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&w->changed, &w->lock, &until);
}

/* With the lock held. */
static void look(sg_watchdog *w)
{
    const double stood = sg_now() - w->since;
    if (!w->told && stood >= w->seconds) {
        w->told = true;
        sg_info_rank("no progress for %.0f s after step %lld: this rank is %s", stood,
                     (long long)w->step, w->what);
    }
    if (w->told && w->ends && stood >= w->seconds + GRACE) {
        sg_error("training stands still for %.0f s; the job is ended (train.stall_ends), the last "
                 "checkpoint stays",
                 stood);
        sg_comm_abort(w->comm, 1);
    }
}

static void *run(void *user)
{
    sg_watchdog *w = user;
    pthread_mutex_lock(&w->lock);
    while (!w->ending) {
        look(w);
        pause_for(w, PAUSE);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

sg_err sg_watchdog_start(sg_watchdog **watchdog, sg_comm *comm, double seconds, bool ends)
{
    sg_watchdog *w = NULL;
    pthread_condattr_t monotonic;
    *watchdog = NULL;
    sg_err err = seconds > 0 ? sg_calloc(1, sizeof *w, &w) : SG_OK;
    if (err || !w)
        return err;
    w->comm = comm;
    w->seconds = seconds;
    w->ends = ends;
    w->what = "starting";
    w->since = sg_now();
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    w->running = pthread_create(&w->thread, NULL, run, w) == 0;
    if (!w->running) {
        sg_watchdog_stop(w);
        return sg_fail(SG_ENOMEM, "the thread that watches for a standstill cannot be started; "
                                  "raise the limit on processes (ulimit -u)");
    }
    *watchdog = w;
    return SG_OK;
}

void sg_watchdog_stop(sg_watchdog *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    if (w->running)
        pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    sg_free(w);
}

void sg_watchdog_note(sg_watchdog *w, const char *what, int64_t step)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->what = what;
    w->step = step;
    w->since = sg_now();
    w->told = false;
    pthread_mutex_unlock(&w->lock);
}
