#include "comm/reduce.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/size.h"

/* Nanoseconds between two looks at sums under way: while the program computes, on processors or on
 * a device, while values are awaited, and while the program waits. A sum over many nodes needs some
 * twenty looks, each of which takes a processor that computes some of its time. */
enum {
    COMPUTING_PAUSE = 300000,
    IDLE_PAUSE = 50000,
    ARRIVING_PAUSE = 100000,
    WAITING_PAUSE = 20000
};
/* Sums that move at once: while one waits for a message, another adds up. */
enum { AT_ONCE = 4, LONGEST = 1 << 20 };

typedef struct {
    sg_terms terms;
    sg_arrival arrival;
    float *instead; /* what is summed where `values`, a device's memory, cannot be; else NULL */
    bool on_device; /* on some rank */
} sum;

/*
 * MPI moves messages only while somebody is inside MPI. So a thread of its own does
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
    pthread_cond_t ended; /* a sum has ended */
    sum *asked;           /* [most] */
    int asked_count;      /* of them; counted anew when all have ended */
    int ended_count;      /* the first of these have ended */
    int64_t before;       /* sums that had ended when counting began anew */
    bool waiting, ending, running;
    double under_way;    /* seconds */
    const float *narrow; /* see sg_sums_options, as the next two */
    size_t narrow_count;
    bool idle;
    float *error, *kept; /* [narrow_count] or NULL */
    sg_layout layout;
    /* The thread's alone. Sum i of asked has the one of its number modulo AT_ONCE. */
    sg_reduction *reduction[AT_ONCE];
    int64_t entered; /* in all */
};

static long pause_of(const sg_sums *sums, bool arriving)
{
    return sums->waiting ? WAITING_PAUSE
           : sums->idle  ? IDLE_PAUSE
           : arriving    ? ARRIVING_PAUSE
                         : COMPUTING_PAUSE;
}

static void pause_at_most(sg_sums *sums, bool arriving)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += pause_of(sums, arriving);
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&sums->work, &sums->lock, &until);
}

/* Are the values there? Those that never will be are zeros. */
static bool has_arrived(sum *s)
{
    bool passed = true;
    if (!s->arrival.passed ||
        s->arrival.passed(s->arrival.user, s->arrival.which, &passed) == SG_OK)
        return passed;
    if (s->instead)
        s->terms.values = s->instead;
    memset(s->terms.values, 0, s->terms.count * sizeof(float));
    return true;
}

/* A device's memory goes into MPI's own call: nobody else can add it up there. */
static void enter(sg_sums *sums, sum *s)
{
    if (s->on_device)
        MPI_Allreduce(MPI_IN_PLACE, s->terms.values, (int)s->terms.count, MPI_FLOAT, MPI_SUM,
                      sums->comm);
    else
        sg_reduction_begin(sums->reduction[sums->entered % AT_ONCE], &s->terms, sums->entered);
    sums->entered++;
}

/* Enter the sums from *entered up to asked whose values are there, move them, and count on *ended.
 * Without the lock: what was asked for does not change until it has ended. */
static void advance(sg_sums *sums, int asked, int *entered, int *ended)
{
    bool moves = false;
    for (; *entered < asked && *entered - *ended < AT_ONCE && has_arrived(&sums->asked[*entered]);
         ++*entered)
        enter(sums, &sums->asked[*entered]);
    int64_t oldest = sums->entered - (*entered - *ended);
    for (int64_t i = oldest; i < sums->entered; i++) {
        moves = sg_reduction_moves(sums->reduction[i % AT_ONCE]) || moves;
        *ended += !moves;
    }
}

/* What the thread found out, with the lock. */
static void tell(sg_sums *sums, int *entered, int *ended)
{
    if (*ended == sums->ended_count)
        return;
    sums->ended_count = *ended;
    if (*ended == sums->asked_count) {
        sums->before += *ended;
        sums->asked_count = sums->ended_count = *entered = *ended = 0;
    }
    pthread_cond_broadcast(&sums->ended);
}

static void *run(void *user)
{
    sg_sums *sums = user;
    int entered = 0, ended = 0;
    double since = sg_now();
    pthread_mutex_lock(&sums->lock);
    while (!sums->ending) {
        int asked = sums->asked_count, former = ended;
        bool under_way = entered > ended;
        if (asked == 0) {
            pthread_cond_wait(&sums->work, &sums->lock);
            since = sg_now();
            continue;
        }
        pthread_mutex_unlock(&sums->lock);
        advance(sums, asked, &entered, &ended);
        pthread_mutex_lock(&sums->lock);
        double now = sg_now();
        sums->under_way += under_way || entered > former ? now - since : 0;
        since = now;
        bool moved = ended > former;
        tell(sums, &entered, &ended);
        if (sums->asked_count == asked && !moved)
            pause_at_most(sums, entered < asked);
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
    pthread_cond_init(&sums->ended, NULL);
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
    for (int i = 0; i < AT_ONCE; i++) {
        sg_reduction_close(sums->reduction[i]);
    }
    sg_layout_clear(&sums->layout);
    sg_free(sums->asked);
    sg_free(sums->error);
    sg_free(sums->kept);
    sg_free(sums);
}

static sg_err make_local(sg_sums *s, const sg_sums_options *options)
{
    size_t longest = options->longest > 0 ? options->longest : LONGEST;
    s->most = options->most_at_once;
    s->piece = longest < s->piece ? longest : s->piece;
    s->narrow = options->narrow;
    s->narrow_count = options->narrow_count;
    s->idle = options->idle;
    sg_err err = sg_calloc((size_t)s->most, sizeof *s->asked, &s->asked);
    for (int i = 0; !err && i < AT_ONCE; i++) {
        err = sg_reduction_create(&s->reduction[i], &s->layout, s->piece);
    }
    if (!err && s->narrow) {
        err = sg_calloc(s->narrow_count, sizeof(float), &s->error);
    }
    if (!err && s->narrow) {
        err = sg_calloc(s->narrow_count, sizeof(float), &s->kept);
    }
    return err ? err : start_thread(s);
}

/* The ranks of one node count as nodes where what is between nodes is to be narrow. [collective] */
static sg_err find_layout(sg_sums *s, const sg_comm *comm, bool narrow)
{
    sg_err err = sg_layout_create(&s->layout, s->comm, comm->node);
    if (err || !narrow || s->layout.nodes > 1) {
        return err;
    }
    sg_layout_clear(&s->layout);
    return sg_layout_create(&s->layout, s->comm, comm->rank);
}

sg_err sg_sums_create(sg_sums **sums, sg_comm *comm, const sg_sums_options *options)
{
    SG_ASSERT(options->most_at_once > 0);
    *sums = NULL;
    sg_sums *s = NULL;
    sg_err err = sg_comm_made(comm->world, sg_calloc(1, sizeof *s, &s));
    if (err) {
        sg_free(s);
        return err;
    }
    s->piece = comm->piece;
    MPI_Comm_dup(comm->world, &s->comm);
    err = find_layout(s, comm, options->narrow != NULL);
    if (!err) {
        err = sg_comm_made(s->comm, make_local(s, options));
    }
    if (err) {
        MPI_Comm own = s->comm;
        unmake(s);
        MPI_Comm_free(&own);
        return err;
    }
    *sums = s;
    return SG_OK;
}

/* With the lock: until sum number `ticket` has ended. */
static void wait_for(sg_sums *sums, int64_t ticket)
{
    sums->waiting = true;
    pthread_cond_signal(&sums->work);
    while (sums->before + sums->ended_count < ticket) {
        pthread_cond_wait(&sums->ended, &sums->lock);
    }
    sums->waiting = false;
}

static int64_t ask(sg_sums *sums, const sum *wanted)
{
    pthread_mutex_lock(&sums->lock);
    if (sums->asked_count == sums->most) {
        wait_for(sums, sums->before + sums->asked_count);
    }
    sums->asked[sums->asked_count++] = *wanted;
    int64_t ticket = sums->before + sums->asked_count;
    pthread_cond_signal(&sums->work);
    pthread_mutex_unlock(&sums->lock);
    return ticket;
}

static sg_terms terms_of(const sg_sums *sums, float *values, size_t count)
{
    sg_terms terms = {.values = values, .count = count};
    if (sums->narrow && values >= sums->narrow && values < sums->narrow + sums->narrow_count) {
        terms.error = sums->error + (values - sums->narrow);
        terms.kept = sums->kept + (values - sums->narrow);
    }
    return terms;
}

int64_t sg_sum_start_after(sg_sums *sums, float *values, size_t count, const sg_arrival *arrival)
{
    int64_t ticket = 0;
    for (size_t done = 0; done < count; done += sums->piece) {
        size_t n = count - done < sums->piece ? count - done : sums->piece;
        sum wanted = {.terms = terms_of(sums, values + done, n)};
        if (arrival) {
            wanted.arrival = *arrival;
        }
        ticket = ask(sums, &wanted);
    }
    return ticket;
}

int64_t sg_sum_start(sg_sums *sums, float *values, size_t count)
{
    return sg_sum_start_after(sums, values, count, NULL);
}

int64_t sg_sum_start_on_device(sg_sums *sums, float *values, size_t count,
                               const sg_arrival *arrival, float *instead)
{
    SG_ASSERT(count <= sums->piece && instead);
    sum wanted = {.terms = {.values = values, .count = count}, .instead = instead};
    wanted.on_device = true;
    if (arrival) {
        wanted.arrival = *arrival;
    } else {
        wanted.terms.values = instead;
    }
    return ask(sums, &wanted);
}

void sg_sum_wait(sg_sums *sums, int64_t ticket)
{
    pthread_mutex_lock(&sums->lock);
    wait_for(sums, ticket);
    pthread_mutex_unlock(&sums->lock);
}

void sg_sum_wait_all(sg_sums *sums)
{
    pthread_mutex_lock(&sums->lock);
    wait_for(sums, sums->before + sums->asked_count);
    pthread_mutex_unlock(&sums->lock);
}

double sg_sums_under_way(sg_sums *sums)
{
    pthread_mutex_lock(&sums->lock);
    double seconds = sums->under_way;
    pthread_mutex_unlock(&sums->lock);
    return seconds;
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
