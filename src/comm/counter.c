#include "comm/inner.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/size.h"

enum { ASK = 1, ANSWER = 2 }; /* message tags */
enum { RANK_SHARES = 4 };     /* into which what is left for a rank is parted, at least */

/* Numbers [next, end). */
typedef struct {
    int64_t next, end;
} range;

struct sg_counter {
    MPI_Comm comm; /* its own, so that its messages meet no others */
    int rank, ranks;
    int64_t all;               /* see sg_counter_create_for, or 0 */
    atomic_int_fast64_t given; /* on rank 0: numbers below */
    pthread_mutex_t lock;      /* for what follows */
    range mine;                /* of an answer, not yet asked for */
    atomic_bool ending;
    pthread_t server; /* on rank 0, when there are others to serve */
    bool serving;
};

/* What the next who asks gets, when numbers below `given` are. */
static int64_t share(const sg_counter *counter, int64_t given)
{
    int64_t part = (counter->all - given) / ((int64_t)RANK_SHARES * counter->ranks);
    return part < 1 ? 1 : part > SG_COUNTER_SHARE ? SG_COUNTER_SHARE : part;
}

/* On rank 0, by its threads and the one that serves the others. */
static range give(sg_counter *counter)
{
    int_fast64_t given = atomic_load(&counter->given);
    while (!atomic_compare_exchange_weak(&counter->given, &given, given + share(counter, given)))
        ;
    return (range){given, given + share(counter, given)};
}

/* Answer one question if there is one. */
static bool serve_one(sg_counter *counter)
{
    int waiting = 0;
    MPI_Status status;
    MPI_Iprobe(MPI_ANY_SOURCE, ASK, counter->comm, &waiting, &status);
    if (!waiting) {
        return false;
    }
    MPI_Recv(NULL, 0, MPI_BYTE, status.MPI_SOURCE, ASK, counter->comm, MPI_STATUS_IGNORE);
    range answer = give(counter);
    MPI_Send(&answer, 2, MPI_INT64_T, status.MPI_SOURCE, ANSWER, counter->comm);
    return true;
}

static void *serve(void *user)
{
    sg_counter *counter = user;
    while (!atomic_load(&counter->ending)) {
        if (!serve_one(counter)) {
            sg_comm_pause();
        }
    }
    return NULL;
}

static sg_err start_server(sg_counter *counter)
{
    if (pthread_create(&counter->server, NULL, serve, counter) != 0) {
        return sg_fail(SG_ENOMEM, "the thread that deals out work cannot be started; raise the "
                                  "limit on processes (ulimit -u)");
    }
    counter->serving = true;
    return SG_OK;
}

static void stop_server(sg_counter *counter)
{
    if (counter && counter->serving) {
        atomic_store(&counter->ending, true);
        pthread_join(counter->server, NULL);
    }
}

sg_err sg_counter_create(sg_counter **counter, sg_comm *comm)
{
    return sg_counter_create_for(counter, comm, 0);
}

sg_err sg_counter_create_for(sg_counter **counter, sg_comm *comm, int64_t all)
{
    *counter = NULL;
    sg_counter *c = NULL;
    MPI_Comm own;
    MPI_Comm_dup(comm->world,
                 &own); /* first: it is collective, what follows may fail on one rank */
    sg_err err = sg_calloc(1, sizeof *c, &c);
    if (!err) {
        c->comm = own;
        c->rank = comm->rank;
        c->ranks = comm->ranks;
        c->all = all;
        pthread_mutex_init(&c->lock, NULL);
        atomic_init(&c->given, 0);
        atomic_init(&c->ending, false);
        err = comm->rank == 0 && comm->ranks > 1 ? start_server(c) : SG_OK;
    }
    err = sg_comm_made(own, err); /* without a server the others would ask for ever */
    if (err) {
        stop_server(c);
        MPI_Comm_free(&own);
        sg_free(c);
        return err;
    }
    *counter = c;
    return SG_OK;
}

static sg_err ask(sg_counter *counter)
{
    if (counter->rank == 0) {
        counter->mine = give(counter);
        return SG_OK;
    }
    int code = MPI_Send(NULL, 0, MPI_BYTE, 0, ASK, counter->comm);
    if (code == MPI_SUCCESS) {
        code =
            MPI_Recv(&counter->mine, 2, MPI_INT64_T, 0, ANSWER, counter->comm, MPI_STATUS_IGNORE);
    }
    return code == MPI_SUCCESS ? SG_OK : sg_comm_failed("asking rank 0 for work", code);
}

sg_err sg_counter_next(sg_counter *counter, int64_t *value)
{
    sg_err err = SG_OK;
    pthread_mutex_lock(&counter->lock);
    if (counter->mine.next == counter->mine.end) {
        err = ask(counter);
    }
    if (err == SG_OK) {
        *value = counter->mine.next++;
    }
    pthread_mutex_unlock(&counter->lock);
    return err;
}

void sg_counter_close(sg_counter *counter)
{
    if (!counter) {
        return;
    }
    MPI_Barrier(counter->comm); /* nobody asks any more */
    stop_server(counter);
    MPI_Comm_free(&counter->comm);
    pthread_mutex_destroy(&counter->lock);
    sg_free(counter);
}
