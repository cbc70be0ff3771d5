/* An MPI library that does not say whether it takes a device's memory is not given any. */
#include "comm/comm.h"

bool sg_comm_takes_device_memory(void)
{
    return false;
}
