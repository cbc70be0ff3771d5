/* The backend's table, opening and closing. */
#include "cuda/cuda.h"

#include <stdio.h>
#include <string.h>
#include "base/size.h"
#include "cuda/cudnn_plan.h"
#include "cuda/device.h"
#include "cuda/slots.h"

enum { LEAST_MAJOR = 8 }; /* compute capability: bf16 needs 8.0 */

static bool supports(const sg_backend *backend, sg_dtype type)
{
    return type == SG_F32 || type == SG_BF16;
}

static sg_err allocate(sg_backend *backend, size_t bytes, void **memory)
{
    return sg_cuda_alloc(sg_cuda_of(backend), bytes, memory);
}

static void release(sg_backend *backend, void *memory)
{
    sg_cuda_free(sg_cuda_of(backend), memory);
}

static sg_err upload(sg_backend *backend, void *device, const void *host, size_t bytes)
{
    return sg_cuda_upload(sg_cuda_of(backend), device, host, bytes);
}

static sg_err download(sg_backend *backend, void *host, const void *device, size_t bytes)
{
    return sg_cuda_download(sg_cuda_of(backend), host, device, bytes);
}

static size_t available(sg_backend *backend)
{
    size_t unused = 0, total = 0;
    if (sg_cuda_use(sg_cuda_of(backend)) || cudaMemGetInfo(&unused, &total) != cudaSuccess)
        return 0;
    return unused / (size_t)sg_cuda_of(backend)->sharers;
}

static sg_err synchronize(sg_backend *backend)
{
    sg_cuda *cuda = sg_cuda_of(backend);
    sg_err err = sg_cuda_use(cuda);
    return err ? err
               : sg_cuda_check(cudaStreamSynchronize(cuda->stream), "what the GPU computed failed");
}

static void close_cuda(sg_backend *backend)
{
    sg_cuda *cuda = sg_cuda_of(backend);
    if (sg_cuda_use(cuda) == SG_OK) {
        if (cuda->stream)
            cudaStreamSynchronize(cuda->stream);
        sg_cudnn_close(cuda->cudnn);
        sg_staging_close(cuda->staging);
        sg_slots_close(cuda, cuda->images);
        sg_slots_close(cuda, cuda->results);
        sg_cuda_free(cuda, cuda->run);
        sg_cuda_free(cuda, cuda->scratch);
        if (cuda->stream)
            cudaStreamDestroy(cuda->stream);
    }
    sg_free(cuda);
}

static const sg_backend table = {
    .name = "cuda",
    .kernel =
        {
#define SG_OPERATOR(id, name) [SG_OP_##id] = &sg_cuda_##id,
#include "nn/ops.def"
#undef SG_OPERATOR
        },
    .host_memory = 0,
    .supports = supports,
    .alloc = allocate,
    .free = release,
    .available = available,
    .upload = upload,
    .download = download,
    .load_input = sg_cuda_load_input,
    .load = sg_cuda_load,
    .send = sg_cuda_send,
    .accumulate = sg_cuda_accumulate,
    .accumulate_pitched = sg_cuda_accumulate_pitched,
    .classify = sg_cuda_classify,
    .classify_begin = sg_cuda_classify_begin,
    .classify_end = sg_cuda_classify_end,
    .update = sg_cuda_update,
    .average = sg_cuda_average,
    .squares = sg_cuda_squares,
    .lanes = &sg_cuda_lanes,
    .repeat = sg_cuda_repeat,
    .forget = sg_cuda_forget,
    .synchronize = synchronize,
    .close = close_cuda,
};

/* How many GPUs there are. Without a driver CUDA leaves the number untouched. */
static sg_err count_devices(int *count)
{
    *count = 0;
    cudaError_t result = cudaGetDeviceCount(count);
    if (result == cudaSuccess && *count > 0)
        return SG_OK;
    if (result == cudaSuccess || result == cudaErrorNoDevice)
        return sg_fail(SG_EUNSUPPORTED, "the device \"cuda\" is not here: there is no NVIDIA GPU");
    cudaGetLastError();
    if (result == cudaErrorInsufficientDriver)
        return sg_fail(SG_EUNSUPPORTED, "the device \"cuda\" is not here: there is no NVIDIA "
                                        "driver, or it is too old for this build");
    return sg_fail(SG_EUNSUPPORTED, "the device \"cuda\" cannot be used: %s",
                   cudaGetErrorString(result));
}

/* chip: what a measured choice of engines depends on, but for cuDNN. */
static sg_err describe(sg_cuda *cuda, char *chip, size_t size)
{
    struct cudaDeviceProp properties;
    char version[32];
    int driver = 0;
    sg_err err = sg_cuda_check(cudaGetDeviceProperties(&properties, cuda->device),
                               "the GPU's properties cannot be read");
    if (err)
        return err;
    if (properties.major < LEAST_MAJOR)
        return sg_fail(SG_EUNSUPPORTED,
                       "the GPU %s has compute capability %d.%d; %d.0 or newer is needed",
                       properties.name, properties.major, properties.minor, LEAST_MAJOR);
    cudaDriverGetVersion(&driver);
    snprintf(chip, size, "%.120s, %d.%d, driver %d", properties.name, properties.major,
             properties.minor, driver);
    sg_cudnn_version(version, sizeof version);
    snprintf(cuda->base.kind, sizeof cuda->base.kind, "%.48s, %s%s", properties.name, version,
             cuda->tf32 ? ", tf32" : "");
    snprintf(cuda->base.device, sizeof cuda->base.device, "GPU %d, %.90s, CUDA %d.%d", cuda->device,
             cuda->base.kind, driver / 1000, driver % 1000 / 10);
    return SG_OK;
}

static sg_err open_device(sg_cuda *cuda)
{
    char chip[192];
    void *run = NULL;
    sg_err err = sg_cuda_use(cuda);
    if (!err)
        err = describe(cuda, chip, sizeof chip);
    if (!err)
        err = sg_cuda_check(cudaStreamCreateWithFlags(&cuda->stream, cudaStreamNonBlocking),
                            "a stream cannot be made");
    if (!err)
        err = sg_staging_open(&cuda->staging);
    if (!err)
        err = sg_slots_open(&cuda->images);
    if (!err)
        err = sg_slots_open(&cuda->results);
    if (!err)
        err = sg_cuda_alloc(cuda, sizeof *cuda->run, &run);
    cuda->run = run;
    return err ? err : sg_cudnn_open(cuda, chip, &cuda->cudnn);
}

sg_err sg_cuda_open(sg_backend **backend, const sg_cuda_options *options)
{
    int count;
    sg_cuda *cuda = NULL;
    *backend = NULL;
    SG_ASSERT(options->local_rank >= 0);
    sg_err err = count_devices(&count);
    if (!err)
        err = sg_calloc(1, sizeof *cuda, &cuda);
    if (err)
        return err;
    cuda->base = table;
    sg_cuda_place place = sg_cuda_place_of(options->local_rank, options->local_ranks, count);
    cuda->device = place.gpu;
    cuda->sharers = place.sharers;
    cuda->tf32 = options->tf32;
    err = open_device(cuda);
    if (err) {
        close_cuda(&cuda->base);
        return err;
    }
    *backend = &cuda->base;
    return SG_OK;
}
