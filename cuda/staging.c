/*
 * Copies between the host and the GPU through pinned memory: two buffers take turns, so that the
 * processor fills one while the other travels.
 */
#include <string.h>
#include "base/size.h"
#include "cuda/device.h"

enum { SLOTS = 2, SLOT_BYTES = 8 << 20 };

struct sg_staging {
    uint8_t *memory[SLOTS];    /* pinned, owned */
    cudaEvent_t copied[SLOTS]; /* the last copy from or to this slot has ended */
};

sg_err sg_staging_open(sg_staging **staging)
{
    sg_staging *s = NULL;
    *staging = NULL;
    sg_err err = sg_calloc(1, sizeof *s, &s);
    for (int i = 0; !err && i < SLOTS; i++) {
        err = sg_cuda_check(cudaMallocHost((void **)&s->memory[i], SLOT_BYTES),
                            "pinned memory cannot be taken");
        if (!err)
            err = sg_cuda_check(cudaEventCreateWithFlags(&s->copied[i], cudaEventDisableTiming),
                                "an event cannot be made");
    }
    if (err)
        sg_staging_close(s);
    else
        *staging = s;
    return err;
}

void sg_staging_close(sg_staging *s)
{
    if (!s)
        return;
    for (int i = 0; i < SLOTS; i++) {
        if (s->copied[i])
            cudaEventDestroy(s->copied[i]);
        if (s->memory[i])
            cudaFreeHost(s->memory[i]);
    }
    sg_free(s);
}

static sg_err wait_for(sg_staging *s, int slot)
{
    return sg_cuda_check(cudaEventSynchronize(s->copied[slot]), "a copy failed");
}

static sg_err start(sg_cuda *cuda, void *to, const void *from, size_t bytes,
                    enum cudaMemcpyKind kind, int slot)
{
    sg_err err =
        sg_cuda_check(cudaMemcpyAsync(to, from, bytes, kind, cuda->stream), "a copy failed");
    if (!err)
        err = sg_cuda_check(cudaEventRecord(cuda->staging->copied[slot], cuda->stream),
                            "a copy failed");
    return err;
}

/* A copy that is recorded would bring the same bytes again and again. */
static sg_err begin_copy(const sg_cuda *cuda)
{
    return cuda->recording
               ? sg_fail(SG_EUNSUPPORTED, "copies between host and GPU are not recorded")
               : sg_cuda_use(cuda);
}

sg_err sg_cuda_upload(sg_cuda *cuda, void *device, const void *host, size_t bytes)
{
    sg_staging *s = cuda->staging;
    sg_err err = begin_copy(cuda);
    int slot = 0;
    for (size_t at = 0; !err && at < bytes; at += SLOT_BYTES, slot = (slot + 1) % SLOTS) {
        size_t part = bytes - at < SLOT_BYTES ? bytes - at : SLOT_BYTES;
        err = wait_for(s, slot);
        if (err)
            return err;
        memcpy(s->memory[slot], (const uint8_t *)host + at, part);
        err = start(cuda, (uint8_t *)device + at, s->memory[slot], part, cudaMemcpyHostToDevice,
                    slot);
    }
    return err;
}

static size_t part_of(size_t bytes, size_t part)
{
    size_t at = part * SLOT_BYTES;
    return at >= bytes ? 0 : bytes - at < SLOT_BYTES ? bytes - at : SLOT_BYTES;
}

/* Part k travels while part k - 1 is taken out of its slot. */
sg_err sg_cuda_download(sg_cuda *cuda, void *host, const void *device, size_t bytes)
{
    sg_staging *s = cuda->staging;
    sg_err err = begin_copy(cuda);
    size_t parts = (bytes + SLOT_BYTES - 1) / SLOT_BYTES;
    for (size_t k = 0; !err && parts > 0 && k <= parts; k++) {
        if (part_of(bytes, k) > 0)
            err = start(cuda, s->memory[k % SLOTS], (const uint8_t *)device + k * SLOT_BYTES,
                        part_of(bytes, k), cudaMemcpyDeviceToHost, (int)(k % SLOTS));
        if (err || k == 0)
            continue;
        err = wait_for(s, (int)((k - 1) % SLOTS));
        if (!err)
            memcpy((uint8_t *)host + (k - 1) * SLOT_BYTES, s->memory[(k - 1) % SLOTS],
                   part_of(bytes, k - 1));
    }
    return err;
}
