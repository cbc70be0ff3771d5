/* What an MPI library with Open MPI's extensions says of itself. */
#include "comm/inner.h"

#include <mpi-ext.h>

bool sg_comm_takes_device_memory(void)
{
#ifdef MPIX_CUDA_AWARE_SUPPORT /* else the header is there, and says nothing of CUDA */
    return MPIX_Query_cuda_support() == 1;
#else
    return false;
#endif
}
