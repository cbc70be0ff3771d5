#include "cuda/slots.h"

static sg_err make_event(cudaEvent_t *event)
{
    return sg_cuda_check(cudaEventCreateWithFlags(event, cudaEventDisableTiming),
                         "an event cannot be made");
}

sg_err sg_slots_open(sg_slots **slots)
{
    sg_slots *s = NULL;
    *slots = NULL;
    sg_err err = sg_calloc(1, sizeof *s, &s);
    if (err)
        return err;
    *slots = s; /* to be closed, also where it is not whole */
    err = sg_cuda_check(cudaStreamCreateWithFlags(&s->stream, cudaStreamNonBlocking),
                        "a stream cannot be made");
    for (int i = 0; !err && i < SG_SLOTS; i++) {
        err = make_event(&s->slot[i].moved);
        if (!err)
            err = make_event(&s->slot[i].used);
    }
    return err;
}

/* Both streams have ended what they do with it. */
static void drop_memory(sg_cuda *cuda, sg_slot *slot)
{
    if (slot->host)
        cudaFreeHost(slot->host);
    sg_cuda_free(cuda, slot->device);
    slot->host = slot->device = NULL;
    slot->bytes = 0;
    slot->ticket = 0;
}

void sg_slots_close(sg_cuda *cuda, sg_slots *s)
{
    if (!s)
        return;
    if (s->stream)
        cudaStreamSynchronize(s->stream);
    for (int i = 0; i < SG_SLOTS; i++) {
        drop_memory(cuda, &s->slot[i]);
        if (s->slot[i].moved)
            cudaEventDestroy(s->slot[i].moved);
        if (s->slot[i].used)
            cudaEventDestroy(s->slot[i].used);
    }
    if (s->stream)
        cudaStreamDestroy(s->stream);
    sg_free(s);
}

/* Grows seldom: with the first batch, and where a later one is larger. */
static sg_err grow(sg_cuda *cuda, sg_slot *slot, size_t bytes)
{
    void *memory = NULL;
    if (bytes <= slot->bytes)
        return SG_OK;
    sg_err err = sg_cuda_check(cudaEventSynchronize(slot->used), "what the GPU computed failed");
    if (err)
        return err;
    drop_memory(cuda, slot);
    err = sg_cuda_alloc(cuda, bytes, &memory);
    slot->device = memory;
    if (!err)
        err = sg_cuda_check(cudaMallocHost((void **)&slot->host, bytes),
                            "pinned memory cannot be taken");
    if (err)
        drop_memory(cuda, slot);
    else
        slot->bytes = bytes;
    return err;
}

sg_err sg_slots_next(sg_cuda *cuda, sg_slots *s, size_t bytes, sg_slot **slot)
{
    sg_slot *next = &s->slot[s->tickets % SG_SLOTS];
    *slot = next;
    if (cuda->recording)
        return sg_fail(SG_EUNSUPPORTED, "copies between host and GPU are not recorded");
    sg_err err = sg_cuda_use(cuda);
    if (!err)
        err = sg_cuda_check(cudaEventSynchronize(next->moved), "a copy failed");
    if (!err)
        err = grow(cuda, next, bytes);
    next->ticket = err ? 0 : ++s->tickets;
    return err;
}

sg_slot *sg_slots_find(sg_slots *s, uint64_t ticket)
{
    for (int i = 0; i < SG_SLOTS; i++)
        if (ticket > 0 && s->slot[i].ticket == ticket)
            return &s->slot[i];
    return NULL;
}

sg_err sg_slots_wait(cudaStream_t stream, cudaEvent_t event)
{
    return sg_cuda_check(cudaStreamWaitEvent(stream, event, 0), "a stream cannot wait");
}

sg_err sg_slots_record(cudaEvent_t event, cudaStream_t stream)
{
    return sg_cuda_check(cudaEventRecord(event, stream), "an event cannot be recorded");
}
