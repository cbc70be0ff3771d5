/*
 * Results come down beside what is computed: the class of each pixel in one byte, and its shares
 * only where they are asked for. Through two slots of pinned memory: the results of one pass travel
 * while the next one is computed.
 */
#include <string.h>
#include "cuda/slots.h"

/* Behind the kernel, in the copies' stream. */
static sg_err bring_down(sg_cuda *cuda, const sg_slot *slot, size_t bytes)
{
    cudaStream_t stream = cuda->results->stream;
    sg_err err = sg_slots_record(slot->used, cuda->stream);
    if (!err)
        err = sg_slots_wait(stream, slot->used);
    if (!err)
        err = sg_cuda_check(
            cudaMemcpyAsync(slot->host, slot->device, bytes, cudaMemcpyDeviceToHost, stream),
            "a copy failed");
    return err ? err : sg_slots_record(slot->moved, stream);
}

/* Slots hold the classes, then the shares, if any. */
sg_err sg_cuda_classify_begin(sg_backend *backend, const sg_logits *logits, bool probabilities,
                              uint64_t *ticket)
{
    sg_cuda *cuda = sg_cuda_of(backend);
    size_t shares = 0, first = sg_cuda_piece(logits->pixels);
    sg_slot *slot = NULL;
    sg_err err = SG_OK;
    *ticket = 0;
    if (probabilities)
        err = sg_size_mul3(logits->pixels, (size_t)logits->classes, sizeof(float), &shares);
    if (!err)
        err = sg_slots_next(cuda, cuda->results, first + shares, &slot);
    if (err)
        return err;
    slot->part[0] = logits->pixels;
    slot->part[1] = shares;
    err = sg_cuda_classify_into(cuda, logits, slot->device,
                                probabilities ? (float *)(slot->device + first) : NULL);
    if (!err)
        err = bring_down(cuda, slot, probabilities ? first + shares : logits->pixels);
    if (!err)
        *ticket = slot->ticket;
    return err;
}

sg_err sg_cuda_classify_end(sg_backend *backend, uint64_t ticket, uint8_t *classes,
                            float *probabilities)
{
    sg_cuda *cuda = sg_cuda_of(backend);
    sg_slot *slot = sg_slots_find(cuda->results, ticket);
    if (!slot)
        return sg_fail(SG_EUSAGE, "these results are no longer kept: at most %d are", SG_SLOTS);
    SG_ASSERT((probabilities != NULL) == (slot->part[1] > 0));
    sg_err err = sg_cuda_use(cuda);
    if (!err)
        err = sg_cuda_check(cudaEventSynchronize(slot->moved), "what the GPU computed failed");
    slot->ticket = 0;
    if (err)
        return err;
    memcpy(classes, slot->host, slot->part[0]);
    if (probabilities)
        memcpy(probabilities, slot->host + sg_cuda_piece(slot->part[0]), slot->part[1]);
    return SG_OK;
}

sg_err sg_cuda_classify(sg_backend *backend, const void *values, sg_dtype type, size_t pixels,
                        int64_t c, uint8_t *classes, float *probabilities)
{
    const sg_logits logits = {values, type, pixels, c};
    uint64_t ticket;
    sg_err err = sg_cuda_classify_begin(backend, &logits, probabilities != NULL, &ticket);
    return err ? err : sg_cuda_classify_end(backend, ticket, classes, probabilities);
}
