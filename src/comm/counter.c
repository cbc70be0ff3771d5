#include "comm/inner.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/size.h"

enum { ASK = 1, ANSWER = 2 }; /* message tags */

struct sg_counter {
    MPI_Comm comm; /* its own, so that its messages meet no others */
    int rank;
    atomic_int_fast64_t next; /* on rank 0 */
    atomic_bool ending;
    pthread_t server; /* on rank 0, when there are others to serve */
    bool serving;
};

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
    int64_t value = atomic_fetch_add(&counter->next, 1);
    MPI_Send(&value, 1, MPI_INT64_T, status.MPI_SOURCE, ANSWER, counter->comm);
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
    *counter = NULL;
    sg_counter *c = NULL;
    MPI_Comm own;
    MPI_Comm_dup(comm->world,
                 &own); /* first: it is collective, what follows may fail on one rank */
    sg_err err = sg_calloc(1, sizeof *c, &c);
    if (!err) {
        c->comm = own;
        c->rank = comm->rank;
        atomic_init(&c->next, 0);
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

sg_err sg_counter_next(sg_counter *counter, int64_t *value)
{
    if (counter->rank == 0) {
        *value = atomic_fetch_add(&counter->next, 1);
        return SG_OK;
    }
    int code = MPI_Send(NULL, 0, MPI_BYTE, 0, ASK, counter->comm);
    if (code == MPI_SUCCESS) {
        code = MPI_Recv(value, 1, MPI_INT64_T, 0, ANSWER, counter->comm, MPI_STATUS_IGNORE);
    }
    return code == MPI_SUCCESS ? SG_OK : sg_comm_failed("asking rank 0 for work", code);
}

void sg_counter_close(sg_counter *counter)
{
    if (!counter) {
        return;
    }
    MPI_Barrier(counter->comm); /* nobody asks any more */
    stop_server(counter);
    MPI_Comm_free(&counter->comm);
    sg_free(counter);
}
