/*
 * NCCL. One communicator for all ranks, made from rank 0's identifier. Beside it a rank that gives
 * up tells all others through MPI: not every loss is seen by NCCL itself, and who waits for a sum
 * that will never come must hear of it.
 *
 * Not yet run between GPUs; in tests a library of the same calls stands in for NCCL.
 */
#include "comm/nccl.h"

#include <dlfcn.h>
#include <nccl.h>
#include <string.h>
#include "base/size.h"
#include "comm/inner.h"

enum { GIVEN_UP = 1 }; /* message tag */

typedef struct {
    ncclResult_t (*get_unique_id)(ncclUniqueId *);
    ncclResult_t (*init)(ncclComm_t *, int, ncclUniqueId, int);
    ncclResult_t (*all_reduce)(const void *, void *, size_t, ncclDataType_t, ncclRedOp_t,
                               ncclComm_t, cudaStream_t);
    ncclResult_t (*async_error)(ncclComm_t, ncclResult_t *);
    ncclResult_t (*abort)(ncclComm_t);
    ncclResult_t (*destroy)(ncclComm_t);
    const char *(*error_string)(ncclResult_t);
} nccl_calls;

struct sg_nccl {
    nccl_calls call;
    ncclComm_t ring; /* owned; NULL: given up */
    cudaStream_t stream;
    MPI_Comm comm; /* its own */
    int rank, ranks;
    MPI_Request alarm; /* of a rank that gives up */
};

/* Where the loader looks, else where it lay when this was built. */
static void *open_library(void)
{
    void *library = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
#ifdef SEGTILES_NCCL_LIBRARY
    if (!library)
        library = dlopen(SEGTILES_NCCL_LIBRARY, RTLD_NOW | RTLD_LOCAL);
#endif
    return library;
}

/* The library stays open: it has threads of its own. */
static sg_err find_calls(nccl_calls *call)
{
    const struct {
        const char *name;
        void *to;
    } wanted[] = {{"ncclGetUniqueId", &call->get_unique_id},
                  {"ncclCommInitRank", &call->init},
                  {"ncclAllReduce", &call->all_reduce},
                  {"ncclCommGetAsyncError", &call->async_error},
                  {"ncclCommAbort", &call->abort},
                  {"ncclCommDestroy", &call->destroy},
                  {"ncclGetErrorString", &call->error_string}};
    void *library = open_library();
    if (!library)
        return sg_fail(SG_EUNSUPPORTED, "NCCL is not here (libnccl.so.2 cannot be opened)");
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        void *found = dlsym(library, wanted[i].name);
        if (!found)
            return sg_fail(SG_EUNSUPPORTED, "libnccl.so.2 has no %s", wanted[i].name);
        memcpy(wanted[i].to, &found, sizeof found);
    }
    return SG_OK;
}

/* One GPU for each rank: NCCL refuses another. [collective] */
static sg_err check_devices(const sg_nccl *n, const uint8_t device[16])
{
    uint8_t *all = NULL;
    sg_err err = sg_comm_made(n->comm, sg_calloc((size_t)n->ranks, 16, &all));
    if (err) {
        sg_free(all);
        return err;
    }
    MPI_Allgather(device, 16, MPI_BYTE, all, 16, MPI_BYTE, n->comm);
    for (int a = 0; !err && a < n->ranks; a++)
        for (int b = a + 1; !err && b < n->ranks; b++)
            if (memcmp(all + (size_t)a * 16, all + (size_t)b * 16, 16) == 0)
                err = sg_fail(SG_EUNSUPPORTED, "ranks %d and %d share a GPU, NCCL wants one each",
                              a, b);
    sg_free(all);
    return err;
}

static sg_err failed(const sg_nccl *n, ncclResult_t result)
{
    return sg_fail(SG_EINTERNAL,
                   "NCCL: %s, in summing gradients between GPUs; run again, and without this node "
                   "where it comes back (SEGTILES_SUMS=host does without NCCL): what was saved is "
                   "intact",
                   n->call.error_string(result));
}

static void leave_ring(sg_nccl *n)
{
    if (n->ring)
        n->call.abort(n->ring);
    n->ring = NULL;
}

/* [collective] */
static sg_err make_ring(sg_nccl *n)
{
    ncclUniqueId id;
    memset(&id, 0, sizeof id);
    ncclResult_t result = n->rank == 0 ? n->call.get_unique_id(&id) : ncclSuccess;
    sg_err err = sg_comm_made(n->comm, result == ncclSuccess ? SG_OK : failed(n, result));
    if (err)
        return err;
    MPI_Bcast(&id, sizeof id, MPI_BYTE, 0, n->comm);
    result = n->call.init(&n->ring, n->ranks, id, n->rank);
    err = sg_comm_made(n->comm, result == ncclSuccess ? SG_OK : failed(n, result));
    if (err)
        leave_ring(n); /* its end would wait for those that are not in it */
    return err;
}

static sg_err make(sg_nccl *n, const uint8_t device[16])
{
    sg_err err = n->stream ? find_calls(&n->call)
                           : sg_fail(SG_EUNSUPPORTED, "this device has no CUDA stream");
    err = sg_comm_made(n->comm, err);
    if (!err)
        err = check_devices(n, device);
    return err ? err : make_ring(n);
}

sg_err sg_nccl_create(sg_nccl **nccl, sg_comm *comm, void *stream, const uint8_t device[16])
{
    sg_nccl *n = NULL;
    *nccl = NULL;
    sg_err err = sg_comm_made(comm->world, sg_calloc(1, sizeof *n, &n));
    if (err) {
        sg_free(n);
        return err;
    }
    n->stream = stream;
    n->rank = comm->rank;
    n->ranks = comm->ranks;
    n->alarm = MPI_REQUEST_NULL;
    MPI_Comm_dup(comm->world, &n->comm);
    err = make(n, device);
    if (err) {
        sg_nccl_close(n);
        return err;
    }
    MPI_Irecv(NULL, 0, MPI_BYTE, MPI_ANY_SOURCE, GIVEN_UP, n->comm, &n->alarm);
    *nccl = n;
    return SG_OK;
}

void sg_nccl_close(sg_nccl *n)
{
    if (!n)
        return;
    if (n->ring)
        n->call.destroy(n->ring);
    if (n->alarm != MPI_REQUEST_NULL) {
        MPI_Cancel(&n->alarm);
        MPI_Wait(&n->alarm, MPI_STATUS_IGNORE);
    }
    MPI_Comm_free(&n->comm);
    sg_free(n);
}

void sg_nccl_give_up(sg_nccl *n)
{
    if (!n->ring)
        return;
    leave_ring(n);
    for (int r = 0; r < n->ranks; r++)
        if (r != n->rank)
            MPI_Send(NULL, 0, MPI_BYTE, r, GIVEN_UP, n->comm);
}

static sg_err give_up(sg_nccl *n, ncclResult_t result)
{
    sg_err err = failed(n, result);
    sg_nccl_give_up(n);
    return err;
}

sg_err sg_nccl_sum(sg_nccl *n, float *values, size_t count)
{
    if (!n->ring)
        return SG_EPEER;
    ncclResult_t result =
        n->call.all_reduce(values, values, count, ncclFloat32, ncclSum, n->ring, n->stream);
    return result == ncclSuccess ? SG_OK : give_up(n, result);
}

sg_err sg_nccl_check(sg_nccl *n)
{
    ncclResult_t result = ncclSuccess;
    int told = 0;
    if (!n->ring)
        return SG_EPEER;
    MPI_Test(&n->alarm, &told, MPI_STATUS_IGNORE);
    if (told) {
        leave_ring(n);
        return SG_EPEER;
    }
    ncclResult_t asked = n->call.async_error(n->ring, &result);
    if (asked != ncclSuccess)
        result = asked;
    return result == ncclSuccess || result == ncclInProgress ? SG_OK : give_up(n, result);
}
