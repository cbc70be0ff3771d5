/*
 * Two slots of memory that take turns, so that what is in one travels while the other is filled or
 * read: pinned memory of the host, and as much of the GPU. A copy goes in a stream of its own,
 * beside what is computed; events say when. [local]
 *
 *     images     the host fills a slot, `moved` is recorded behind the copy to the GPU; `used`
 * behind the kernel that reads it, and the next copy into the slot waits for that results    `used`
 * is recorded behind the kernel that fills a slot, the copy to the host waits for it; `moved`
 * behind the copy, and the host waits for that
 */
#ifndef SG_CUDA_SLOTS_H
#define SG_CUDA_SLOTS_H

#include "cuda/device.h"

enum { SG_SLOTS = 2 };

typedef struct {
    uint8_t *host;   /* pinned, owned */
    uint8_t *device; /* owned */
    size_t bytes;    /* of either */
    cudaEvent_t moved, used;
    uint64_t ticket; /* of what it holds; 0: nothing */
    size_t part[2];  /* sizes of that: the user's affair */
} sg_slot;

struct sg_slots {
    sg_slot slot[SG_SLOTS];
    cudaStream_t stream; /* of the copies, owned */
    uint64_t tickets;    /* given so far */
};

sg_err sg_slots_open(sg_slots **slots);
void sg_slots_close(sg_cuda *cuda, sg_slots *slots); /* NULL is fine */
/* The slot whose turn it is, once its last copy has ended, with room for so many bytes and a ticket
 * of its own. Nothing may be recorded meanwhile. */
sg_err sg_slots_next(sg_cuda *cuda, sg_slots *slots, size_t bytes, sg_slot **slot);
/* The slot that holds what the ticket was given for; NULL: it holds something else by now. */
sg_slot *sg_slots_find(sg_slots *slots, uint64_t ticket);
/* What is given to `stream` from now on waits for the event; record it behind what was given. */
sg_err sg_slots_wait(cudaStream_t stream, cudaEvent_t event);
sg_err sg_slots_record(cudaEvent_t event, cudaStream_t stream);

#endif
