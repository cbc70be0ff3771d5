/* What a build without NCCL has in its place. */
#include "comm/nccl.h"

sg_err sg_nccl_create(sg_nccl **nccl, sg_comm *comm, void *stream, const uint8_t device[16])
{
    *nccl = NULL;
    return sg_fail(SG_EUNSUPPORTED, "NCCL is not in this build (-DSEGTILES_NCCL=ON says what is "
                                    "missing)");
}

void sg_nccl_close(sg_nccl *nccl) {}

sg_err sg_nccl_sum(sg_nccl *nccl, float *values, size_t count)
{
    return SG_EUNSUPPORTED;
}

sg_err sg_nccl_check(sg_nccl *nccl)
{
    return SG_EUNSUPPORTED;
}

void sg_nccl_give_up(sg_nccl *nccl) {}
