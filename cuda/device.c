/* Memory of the GPU and checks of CUDA's results. */
#include "cuda/device.h"

#include <stdlib.h>
#include <unistd.h>

/* Errors after which every later call fails, too: the process cannot use the GPU again. Some have
 * names in newer toolkits only. */
static bool is_lost(cudaError_t result)
{
    const int lasting[] = {
        cudaErrorECCUncorrectable,    cudaErrorNvlinkUncorrectable, 226 /* contained */,
        cudaErrorIllegalAddress,      cudaErrorLaunchTimeout,       cudaErrorAssert,
        cudaErrorHardwareStackError,  cudaErrorIllegalInstruction,  cudaErrorMisalignedAddress,
        cudaErrorInvalidAddressSpace, cudaErrorInvalidPc,           cudaErrorLaunchFailure,
        721 /* tensor memory */,      cudaErrorExternalDevice};
    for (size_t i = 0; i < sizeof lasting / sizeof *lasting; i++)
        if ((int)result == lasting[i])
            return true;
    return false;
}

static sg_err lost(cudaError_t result)
{
    char node[64] = "?";
    int device = 0;
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    cudaGetDevice(&device);
    gethostname(node, sizeof node - 1);
    return sg_fail(SG_EINTERNAL,
                   "GPU %d%s%s of node %s is lost: %s (CUDA error %d); run again, and without "
                   "this node where it comes back: what was saved is intact",
                   device, visible ? " of CUDA_VISIBLE_DEVICES=" : "", visible ? visible : "", node,
                   cudaGetErrorString(result), (int)result);
}

sg_err sg_cuda_alive(void)
{
    cudaError_t result = cudaFree(NULL); /* fails as every call does when the GPU is lost */
    return is_lost(result) ? lost(result) : SG_OK;
}

sg_err sg_cuda_check(cudaError_t result, const char *what)
{
    if (result == cudaSuccess)
        return SG_OK;
    cudaGetLastError(); /* an error that is told is over, unless it broke the device */
    if (is_lost(result))
        return lost(result);
    return sg_fail(result == cudaErrorMemoryAllocation ? SG_ENOMEM : SG_EINTERNAL, "CUDA: %s: %s",
                   what, cudaGetErrorString(result));
}

sg_err sg_cuda_use(const sg_cuda *cuda)
{
    return sg_cuda_check(cudaSetDevice(cuda->device), "the GPU cannot be used");
}

sg_err sg_cuda_alloc(sg_cuda *cuda, size_t bytes, void **memory)
{
    *memory = NULL;
    sg_err err = sg_cuda_use(cuda);
    if (err)
        return err;
    cudaError_t result = cudaMalloc(memory, bytes > 0 ? bytes : 1);
    if (result != cudaErrorMemoryAllocation)
        return sg_cuda_check(result, "memory cannot be taken");
    size_t unused = 0, total = 0;
    cudaGetLastError();
    cudaMemGetInfo(&unused, &total);
    *memory = NULL;
    return sg_fail(SG_ENOMEM,
                   "%zu MiB wanted of the GPU's memory, of which %zu of %zu MiB are free",
                   bytes >> 20, unused >> 20, total >> 20);
}

void sg_cuda_free(sg_cuda *cuda, void *memory)
{
    if (memory && sg_cuda_use(cuda) == SG_OK)
        cudaFree(memory);
}

sg_err sg_cuda_reserve(sg_cuda *cuda, size_t bytes)
{
    if (bytes <= cuda->scratch_bytes)
        return SG_OK;
    sg_cuda_free(cuda, cuda->scratch); /* waits for what runs; first, as both may not fit */
    cuda->scratch = NULL;
    cuda->scratch_bytes = 0;
    sg_err err = sg_cuda_alloc(cuda, bytes, &cuda->scratch);
    if (!err)
        cuda->scratch_bytes = bytes;
    return err;
}

sg_err sg_cuda_prepare_plain(sg_backend *backend, const sg_site *site, void **kernel)
{
    *kernel = backend;
    return SG_OK;
}

void sg_cuda_release_plain(void *kernel) {}
