/* Which backend a command computes on, and in which number format. */
#include "jobs/command.h"

#include <string.h>
#include "base/threads.h"
#include "cpu/cpu.h"
#include "cuda/cuda.h"

static sg_err open_cpu(const sg_device_options *options, const sg_comm *comm, sg_backend **backend)
{
    int threads = options->threads;
    if (threads == 0)
        threads = comm ? sg_comm_threads(comm) : sg_threads_fair(1);
    return sg_cpu_open(backend, threads);
}

static bool is_tf32(const char *precision)
{
    return strcmp(precision, "tf32") == 0;
}

/* Ranks of a node take its GPUs in turn. */
static sg_err open_cuda(const sg_device_options *device, const sg_comm *comm, sg_backend **backend)
{
    const sg_cuda_options options = {.local_rank = comm ? sg_comm_local_rank(comm) : 0,
                                     .local_ranks = comm ? sg_comm_local_ranks(comm) : 1,
                                     .tf32 = is_tf32(device->precision)};
    return sg_cuda_open(backend, &options);
}

static sg_err open_backend(const sg_device_options *options, const sg_comm *comm,
                           sg_backend **backend)
{
    const char *device = options->device;
    if (strcmp(device, "reference") == 0)
        return sg_reference_open(backend);
    if (strcmp(device, "cuda") == 0)
        return open_cuda(options, comm, backend);
    if (strcmp(device, "auto") == 0) {
        sg_err err = open_cuda(options, comm, backend);
        return err == SG_EUNSUPPORTED ? open_cpu(options, comm, backend) : err;
    }
    if (strcmp(device, "cpu") == 0)
        return open_cpu(options, comm, backend);
    return sg_fail(SG_EUSAGE, "unknown device \"%s\"; there are auto, cpu, cuda and reference",
                   device);
}

static sg_err choose_type(const char *precision, const sg_backend *backend, sg_dtype *type)
{
    bool offers = backend->supports(backend, SG_BF16);
    if (strcmp(precision, "f32") == 0) {
        *type = SG_F32;
    } else if (is_tf32(precision)) { /* the tensors are f32: see sg_cuda_options */
        if (strcmp(backend->name, "cuda") != 0)
            return sg_fail(SG_EUNSUPPORTED,
                           "tf32 is not offered by this device (%s, %s); use --precision f32",
                           backend->name, backend->device);
        *type = SG_F32;
    } else if (strcmp(precision, "bf16") == 0) {
        if (!offers)
            return sg_fail(SG_EUNSUPPORTED,
                           "bf16 is not offered by this device (%s, %s); use --precision f32",
                           backend->name, backend->device);
        *type = SG_BF16;
    } else if (strcmp(precision, "auto") == 0) {
        *type = offers ? SG_BF16 : SG_F32;
    } else {
        return sg_fail(SG_EUSAGE, "unknown precision \"%s\"; there are auto, f32, tf32 and bf16",
                       precision);
    }
    return SG_OK;
}

sg_err sg_device_open(const sg_device_options *options, const sg_comm *comm, sg_backend **backend,
                      sg_dtype *type)
{
    *backend = NULL;
    sg_err err = open_backend(options, comm, backend);
    if (err == SG_OK)
        err = choose_type(options->precision, *backend, type);
    if (err != SG_OK) {
        sg_backend_close(*backend);
        *backend = NULL;
    }
    return err;
}
