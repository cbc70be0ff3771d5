#include "mpi/step_backend.h"

#include "cuda/cuda.h"

bool step_backend_is_here(void)
{
    return true;
}

sg_err step_backend_open(const sg_comm *comm, sg_backend **backend, int32_t *has_face)
{
    const sg_cuda_options options = {.local_rank = sg_comm_local_rank(comm),
                                     .local_ranks = sg_comm_local_ranks(comm)};
    *has_face = 0;
    return sg_cuda_open(backend, &options);
}
