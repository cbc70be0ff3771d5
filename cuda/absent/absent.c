/* What a build without CUDA has in place of the backend. */
#include "cuda/cuda.h"

sg_err sg_cuda_open(sg_backend **backend, const sg_cuda_options *options)
{
    *backend = NULL;
    return sg_fail(SG_EUNSUPPORTED, "the device \"cuda\" is not in this build: it was made without "
                                    "CUDA (-DSEGTILES_CUDA=ON says what is missing)");
}
