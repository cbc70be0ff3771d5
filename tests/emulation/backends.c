/* The one backend of the emulated op tests. */
#include "op/harness.h"

#include "cuda/cuda.h"

const char *const op_backend_names[] = {"cuda"};

size_t op_backend_count(void)
{
    return 1;
}

sg_err op_backend_open(const char *name, sg_backend **backend)
{
    const sg_cuda_options options = {.local_rank = 1};
    return sg_cuda_open(backend, &options);
}
