#include "cpu/device.h"

#include <omp.h>
#include "base/size.h"

sg_err sg_cpu_reserve(sg_cpu *cpu, size_t bytes)
{
    if (bytes <= cpu->scratch_bytes)
        return SG_OK;
    void *scratch = NULL;
    sg_err err = sg_malloc(bytes, 1, &scratch);
    if (err)
        return err;
    sg_free(cpu->scratch);
    cpu->scratch = scratch;
    cpu->scratch_bytes = bytes;
    return SG_OK;
}

void sg_cpu_for(const sg_cpu *cpu, int64_t items, int64_t grain, sg_cpu_body body, void *context)
{
    int64_t blocks = sg_div_up(items, grain);
    int threads = (int)sg_min64(cpu->threads, blocks);
    if (threads <= 1) {
        for (int64_t b = 0; b < blocks; b++)
            body(context, b * grain, sg_min64(items, (b + 1) * grain));
        return;
    }
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
    for (int64_t b = 0; b < blocks; b++)
        body(context, b * grain, sg_min64(items, (b + 1) * grain));
}

sg_err sg_cpu_prepare_plain(sg_backend *backend, const sg_site *site, void **kernel)
{
    *kernel = backend;
    return SG_OK;
}

void sg_cpu_release_plain(void *kernel) {}
