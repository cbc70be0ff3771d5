#include "comm/inner.h"

#include <limits.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/size.h"

/* Well below INT_MAX, so that an MPI library's own arithmetic on bytes has room. */
enum { PIECE = 1 << 27 };

sg_err sg_comm_failed(const char *call, int code)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    MPI_Error_string(code, text, &length);
    return sg_fail(SG_EINTERNAL, "%s failed: %s", call, text);
}

sg_err sg_comm_made(MPI_Comm comm, sg_err mine)
{
    int failed = mine != SG_OK;
    MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, comm);
    return failed && mine == SG_OK ? SG_EPEER : mine;
}

void sg_comm_pause(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 300000}, NULL);
}

static sg_err start_mpi(sg_comm *comm, int *argc, char ***argv)
{
    int running = 0, level = MPI_THREAD_SINGLE;
    MPI_Initialized(&running);
    if (running) {
        MPI_Query_thread(&level);
    } else {
        int code = MPI_Init_thread(argc, argv, MPI_THREAD_MULTIPLE, &level);
        if (code != MPI_SUCCESS) {
            return sg_comm_failed("MPI_Init_thread", code);
        }
        comm->started = true;
    }
    if (level < MPI_THREAD_MULTIPLE) {
        return sg_fail(SG_EUNSUPPORTED, "this MPI library cannot be called by several threads; use "
                                        "one with MPI_THREAD_MULTIPLE");
    }
    return SG_OK;
}

static void find_place(sg_comm *comm)
{
    MPI_Comm node;
    MPI_Comm_dup(MPI_COMM_WORLD, &comm->world);
    MPI_Comm_rank(comm->world, &comm->rank);
    MPI_Comm_size(comm->world, &comm->ranks);
    MPI_Comm_split_type(comm->world, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &node);
    MPI_Comm_rank(node, &comm->local_rank);
    MPI_Comm_size(node, &comm->local_ranks);
    comm->threads = sg_comm_share_processors(node);
    comm->node = comm->rank;
    MPI_Bcast(&comm->node, 1, MPI_INT, 0, node);
    comm->nodes = comm->local_rank == 0;
    MPI_Allreduce(MPI_IN_PLACE, &comm->nodes, 1, MPI_INT, MPI_SUM, comm->world);
    MPI_Comm_free(&node);
}

sg_err sg_comm_start(sg_comm **comm, int *argc, char ***argv)
{
    *comm = NULL;
    sg_comm *c = NULL;
    sg_err err = sg_calloc(1, sizeof *c, &c);
    if (err) {
        return err;
    }
    c->world = MPI_COMM_NULL;
    c->piece = PIECE;
    err = start_mpi(c, argc, argv);
    if (err) {
        sg_comm_close(c);
        return err;
    }
    find_place(c);
    *comm = c;
    return SG_OK;
}

sg_err sg_comm_split(sg_comm *comm, int colour, sg_comm **part)
{
    MPI_Comm own;
    sg_comm *made = NULL;
    *part = NULL;
    /* first: what follows may fail on one rank */
    if (colour == SG_COMM_NODE) {
        MPI_Comm_split_type(comm->world, MPI_COMM_TYPE_SHARED, comm->rank, MPI_INFO_NULL, &own);
    } else {
        MPI_Comm_split(comm->world, colour, comm->rank, &own);
    }
    sg_err err = sg_comm_made(comm->world, sg_calloc(1, sizeof *made, &made));
    if (err) {
        MPI_Comm_free(&own);
        sg_free(made);
        return err;
    }
    *made = *comm;
    made->world = own;
    made->started = false;
    MPI_Comm_rank(own, &made->rank);
    MPI_Comm_size(own, &made->ranks);
    *part = made;
    return SG_OK;
}

void sg_comm_close(sg_comm *comm)
{
    if (!comm) {
        return;
    }
    if (comm->world != MPI_COMM_NULL) {
        MPI_Comm_free(&comm->world);
    }
    if (comm->started) {
        MPI_Finalize();
    }
    sg_free(comm);
}

void sg_comm_abort(sg_comm *comm, int exit_status)
{
    MPI_Abort(comm->world, exit_status);
}

int sg_comm_rank(const sg_comm *comm)
{
    return comm->rank;
}

int sg_comm_ranks(const sg_comm *comm)
{
    return comm->ranks;
}

int sg_comm_local_rank(const sg_comm *comm)
{
    return comm->local_rank;
}

int sg_comm_local_ranks(const sg_comm *comm)
{
    return comm->local_ranks;
}

int sg_comm_nodes(const sg_comm *comm)
{
    return comm->nodes;
}

int sg_comm_threads(const sg_comm *comm)
{
    return comm->threads;
}

sg_err sg_comm_agree(sg_comm *comm, sg_err mine)
{
    bool failed = mine != SG_OK, own = failed && mine != SG_EPEER;
    bool speaks = own && !sg_error_printed();
    /* The lowest rank with something to say; 0: one failed; 1: each failed by itself. */
    int64_t least[3] = {speaks ? comm->rank : INT64_MAX, !failed, own};
    MPI_Allreduce(MPI_IN_PLACE, least, 3, MPI_INT64_T, MPI_MIN, comm->world);
    if (least[1]) {
        return SG_OK;
    }
    if (speaks && least[0] == comm->rank) {
        (least[2] ? sg_error_shared : sg_error)("%s", sg_error_text());
    }
    if (speaks) { /* also the ranks whose text stays unsaid: the user has one message */
        sg_error_mark_printed();
    }
    return failed ? mine : SG_EPEER;
}

void sg_comm_barrier(sg_comm *comm)
{
    MPI_Barrier(comm->world);
}

size_t sg_comm_limit_piece(sg_comm *comm, size_t elements)
{
    SG_ASSERT(elements > 0 && elements <= INT_MAX);
    size_t former = comm->piece;
    comm->piece = elements;
    return former;
}

void sg_comm_pretend_nodes(sg_comm *comm, int ranks)
{
    comm->node = comm->rank / ranks;
    comm->nodes = (comm->ranks + ranks - 1) / ranks;
}

/* In pieces: MPI counts are int. */
static void reduce(sg_comm *comm, void *values, size_t count, size_t size, MPI_Datatype type,
                   MPI_Op op)
{
    for (size_t done = 0; done < count; done += comm->piece) {
        size_t n = count - done < comm->piece ? count - done : comm->piece;
        MPI_Allreduce(MPI_IN_PLACE, (char *)values + done * size, (int)n, type, op, comm->world);
    }
}

void sg_comm_sum_i64(sg_comm *comm, int64_t *values, size_t count)
{
    reduce(comm, values, count, sizeof *values, MPI_INT64_T, MPI_SUM);
}

void sg_comm_sum_f64(sg_comm *comm, double *values, size_t count)
{
    reduce(comm, values, count, sizeof *values, MPI_DOUBLE, MPI_SUM);
}

void sg_comm_sum_f32(sg_comm *comm, float *values, size_t count)
{
    reduce(comm, values, count, sizeof *values, MPI_FLOAT, MPI_SUM);
}

void sg_comm_max_i64(sg_comm *comm, int64_t *values, size_t count)
{
    reduce(comm, values, count, sizeof *values, MPI_INT64_T, MPI_MAX);
}

void sg_comm_max_f64(sg_comm *comm, double *values, size_t count)
{
    reduce(comm, values, count, sizeof *values, MPI_DOUBLE, MPI_MAX);
}

void sg_comm_broadcast(sg_comm *comm, void *bytes, size_t count, int root)
{
    for (size_t done = 0; done < count; done += comm->piece) {
        size_t n = count - done < comm->piece ? count - done : comm->piece;
        MPI_Bcast((char *)bytes + done, (int)n, MPI_BYTE, root, comm->world);
    }
}

void sg_comm_all_gather(sg_comm *comm, const void *mine, size_t count, void *all)
{
    if (count <= comm->piece) {
        MPI_Allgather(mine, (int)count, MPI_BYTE, all, (int)count, MPI_BYTE, comm->world);
        return;
    }
    for (int root = 0; root < comm->ranks; root++) {
        char *part = (char *)all + (size_t)root * count;
        if (root == comm->rank) {
            memcpy(part, mine, count);
        }
        sg_comm_broadcast(comm, part, count, root);
    }
}
