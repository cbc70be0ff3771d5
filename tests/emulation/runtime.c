/* The runtime's calls of the emulation: see include/cuda_runtime_api.h. */
#include "cuda_runtime_api.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 256 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static size_t used;

/* SEGTILES_EMULATED_LOST: the GPU breaks with so many calls that look at its health. */
cudaError_t sg_emulated_health(void)
{
    static int calls;
    const char *lost = getenv("SEGTILES_EMULATED_LOST");
    if (!lost)
        return cudaSuccess;
    return __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) > atoi(lost) ? cudaErrorECCUncorrectable
                                                                        : cudaSuccess;
}

static int gpus(void)
{
    const char *wish = getenv("SEGTILES_EMULATED_GPUS");
    return wish ? atoi(wish) : 2;
}

static size_t total(void)
{
    const char *mib = getenv("SEGTILES_EMULATED_MIB");
    return (mib ? (size_t)atoll(mib) : 4096) << 20;
}

cudaError_t cudaGetLastError(void)
{
    return cudaSuccess;
}

const char *cudaGetErrorString(cudaError_t error)
{
    return error == cudaSuccess                 ? "no error"
           : error == cudaErrorECCUncorrectable ? "uncorrectable ECC error encountered"
                                                : "error";
}

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = gpus();
    return cudaSuccess;
}

static _Thread_local int current;

cudaError_t cudaSetDevice(int device)
{
    current = device;
    return device >= 0 && device < gpus() ? cudaSuccess : cudaErrorNoDevice;
}

cudaError_t cudaGetDevice(int *device)
{
    *device = current;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int device)
{
    snprintf(properties->name, sizeof properties->name, "emulated GPU");
    properties->major = 9;
    properties->minor = 0;
    memset(&properties->uuid, device, sizeof properties->uuid);
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = 13000;
    return cudaSuccess;
}

/* The size stands before the memory. */
cudaError_t cudaMalloc(void **memory, size_t bytes)
{
    size_t whole = (bytes + 2 * ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    pthread_mutex_lock(&lock);
    int fits = bytes <= total() && used <= total() - bytes;
    char *block = fits ? aligned_alloc(ALIGNMENT, whole + ALIGNMENT) : NULL;
    if (block)
        used += bytes;
    pthread_mutex_unlock(&lock);
    if (!block)
        return cudaErrorMemoryAllocation;
    memcpy(block, &bytes, sizeof bytes);
    *memory = memset(block + ALIGNMENT, 0xff, bytes);
    return cudaSuccess;
}

cudaError_t cudaFree(void *memory)
{
    size_t bytes;
    if (!memory)
        return cudaSuccess;
    sg_emulated_wait_all();
    memcpy(&bytes, (char *)memory - ALIGNMENT, sizeof bytes);
    pthread_mutex_lock(&lock);
    used -= bytes;
    pthread_mutex_unlock(&lock);
    free((char *)memory - ALIGNMENT);
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *unused, size_t *all)
{
    *all = total();
    *unused = *all - used;
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void **memory, size_t bytes)
{
    *memory = malloc(bytes);
    if (*memory)
        memset(*memory, 0xff, bytes);
    return *memory ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFreeHost(void *memory)
{
    sg_emulated_wait_all();
    free(memory);
    return cudaSuccess;
}

typedef struct {
    void *to;
    const void *from;
    size_t bytes;
    int value;
} transfer;

static void copy(const void *context)
{
    const transfer *t = context;
    memcpy(t->to, t->from, t->bytes);
}

static void fill(const void *context)
{
    const transfer *t = context;
    memset(t->to, t->value, t->bytes);
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    const transfer t = {to, from, bytes, 0};
    sg_emulated_give(stream, copy, &t, sizeof t);
    return sg_emulated_health();
}

cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream)
{
    const transfer t = {to, NULL, bytes, value};
    sg_emulated_give(stream, fill, &t, sizeof t);
    return sg_emulated_health();
}
