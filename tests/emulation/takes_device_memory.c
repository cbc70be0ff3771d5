/* An emulated GPU's memory is the host's: any MPI library takes it. */
#include "comm/comm.h"

bool sg_comm_takes_device_memory(void)
{
    return true;
}
