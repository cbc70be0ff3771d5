#include "mpi/step_backend.h"

#include "cuda/cuda.h"

bool step_backend_is_here(void)
{
    const sg_cuda_options options = {0};
    sg_backend *backend = NULL;
    sg_err err = sg_cuda_open(&backend, &options);
    sg_backend_close(backend);
    return err == SG_OK;
}

sg_err step_backend_open(const sg_comm *comm, sg_backend **backend, int32_t *has_face)
{
    const sg_cuda_options options = {.local_rank = sg_comm_local_rank(comm),
                                     .local_ranks = sg_comm_local_ranks(comm)};
    *has_face = 0;
    return sg_cuda_open(backend, &options);
}
