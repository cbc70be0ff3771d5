#include "comm/inner.h"

#include <pthread.h>
#include <time.h>

#include "base/size.h"

/* Nanoseconds between two looks at sums under way: while the program computes, and while it waits.
 */
enum { COMPUTING_PAUSE = 300000, WAITING_PAUSE = 20000 };

typedef struct {
    float *values;
    int count;
} sum;

/*
 * MPI moves a non-blocking reduction only while somebody is inside MPI. So a thread of its own does
 * all of it: it enters the sums in the order in which they were asked for, and looks after them now
 * and then. The caller never adds up anything itself, nor waits for the thread's adding.
 */
struct sg_sums {
    MPI_Comm comm; /* its own: sums under way do not mix with the program's other collectives */
    size_t piece;
    int most;
    pthread_t thread;
    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t work;  /* something to do, or to do sooner */
    pthread_cond_t idle;  /* all sums have ended */
    sum *asked;           /* [most]; the first asked_count are not ended */
    int asked_count;
    bool waiting, ending, running;
    MPI_Request *request; /* [most]; the thread's alone */
};

static void pause_at_most(sg_sums *sums)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += sums->waiting ? WAITING_PAUSE : COMPUTING_PAUSE;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&sums->work, &sums->lock, &until);
}

/* Enter the sums from *entered up to asked, and see whether all have ended. Without the lock: what
 * was asked for does not change until it has ended. */
static bool advance(sg_sums *sums, int *entered, int asked)
{
    int all = 0;
    for (; *entered < asked; ++*entered) {
        sum *s = &sums->asked[*entered];
        MPI_Iallreduce(MPI_IN_PLACE, s->values, s->count, MPI_FLOAT, MPI_SUM, sums->comm,
                       &sums->request[*entered]);
    }
    MPI_Testall(*entered, sums->request, &all, MPI_STATUSES_IGNORE);
    return all;
}

static void *run(void *user)
{
    sg_sums *sums = user;
    int entered = 0;
    pthread_mutex_lock(&sums->lock);
    while (!sums->ending) {
        int asked = sums->asked_count;
        if (asked == 0) {
            pthread_cond_wait(&sums->work, &sums->lock);
            continue;
        }
        pthread_mutex_unlock(&sums->lock);
        bool all = advance(sums, &entered, asked);
        pthread_mutex_lock(&sums->lock);
        if (all && sums->asked_count == asked) {
            sums->asked_count = entered = 0;
            pthread_cond_broadcast(&sums->idle);
        } else if (sums->asked_count == asked) {
            pause_at_most(sums);
        }
    }
    pthread_mutex_unlock(&sums->lock);
    return NULL;
}

static sg_err start_thread(sg_sums *sums)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&sums->lock, NULL);
    pthread_cond_init(&sums->work, &monotonic);
    pthread_cond_init(&sums->idle, NULL);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&sums->thread, NULL, run, sums) != 0) {
        return sg_fail(SG_ENOMEM, "the thread that sums gradients cannot be started; raise the "
                                  "limit on processes (ulimit -u)");
    }
    sums->running = true;
    return SG_OK;
}

/* The thread and the memory, however much of them there is. */
static void unmake(sg_sums *sums)
{
    if (!sums) {
        return;
    }
    if (sums->running) {
        pthread_mutex_lock(&sums->lock);
        sums->ending = true;
        pthread_cond_signal(&sums->work);
        pthread_mutex_unlock(&sums->lock);
        pthread_join(sums->thread, NULL);
    }
    sg_free(sums->asked);
    sg_free(sums->request);
    sg_free(sums);
}

static sg_err make(sg_sums **sums, const sg_comm *comm, MPI_Comm own, int most)
{
    sg_err err = sg_calloc(1, sizeof **sums, sums);
    if (err) {
        return err;
    }
    sg_sums *s = *sums;
    s->comm = own;
    s->piece = comm->piece;
    s->most = most;
    err = sg_calloc((size_t)most, sizeof *s->asked, &s->asked);
    if (!err) {
        err = sg_calloc((size_t)most, sizeof *s->request, &s->request);
    }
    return err ? err : start_thread(s);
}

sg_err sg_sums_create(sg_sums **sums, sg_comm *comm, int most_at_once)
{
    SG_ASSERT(most_at_once > 0);
    *sums = NULL;
    sg_sums *s = NULL;
    MPI_Comm own;
    MPI_Comm_dup(comm->world,
                 &own); /* first: it is collective, what follows may fail on one rank */
    sg_err err = sg_comm_made(own, make(&s, comm, own, most_at_once));
    if (err) {
        MPI_Comm_free(&own);
        unmake(s);
        return err;
    }
    *sums = s;
    return SG_OK;
}

static void ask(sg_sums *sums, float *values, size_t count)
{
    pthread_mutex_lock(&sums->lock);
    while (sums->asked_count == sums->most) {
        pthread_cond_wait(&sums->idle, &sums->lock);
    }
    sums->asked[sums->asked_count++] = (sum){values, (int)count};
    pthread_cond_signal(&sums->work);
    pthread_mutex_unlock(&sums->lock);
}

void sg_sum_start(sg_sums *sums, float *values, size_t count)
{
    for (size_t done = 0; done < count; done += sums->piece) {
        ask(sums, values + done, count - done < sums->piece ? count - done : sums->piece);
    }
}

void sg_sum_wait_all(sg_sums *sums)
{
    pthread_mutex_lock(&sums->lock);
    sums->waiting = true;
    pthread_cond_signal(&sums->work);
    while (sums->asked_count > 0) {
        pthread_cond_wait(&sums->idle, &sums->lock);
    }
    sums->waiting = false;
    pthread_mutex_unlock(&sums->lock);
}

void sg_sums_close(sg_sums *sums)
{
    if (!sums) {
        return;
    }
    sg_sum_wait_all(sums);
    MPI_Comm own = sums->comm;
    unmake(sums);
    MPI_Comm_free(&own);
}
