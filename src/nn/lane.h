/*
 * A lane: a second queue of a device's work beside the one it computes in, for what carries numbers
 * between its memory and other ranks while it computes. Devices only: where memory is the host's
 * nothing has to be carried. [local]
 *
 * A lane is filled by the thread that uses its backend; `passed` may be asked by any.
 */
#ifndef SG_NN_LANE_H
#define SG_NN_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

struct sg_backend;
typedef struct sg_lane sg_lane;

/* What another library needs to put work of its own into a lane. */
typedef struct {
    void *stream;       /* CUDA's; NULL: nobody else can */
    uint8_t device[16]; /* the same for all ranks of a node that compute on this very device */
} sg_lane_place;

typedef struct {
    /* marks: how many there are, from 0. */
    sg_err (*open)(struct sg_backend *backend, int32_t marks, sg_lane **lane);
    void (*close)(sg_lane *lane); /* waits for what is in it; NULL is fine */
    /* Memory of the host that copies go to and come from beside everything else. */
    sg_err (*host_alloc)(sg_lane *lane, size_t bytes, void **memory);
    void (*host_free)(sg_lane *lane, void *memory);
    /* What the lane is given from now on begins when all that the backend was given has ended; and
     * the other way round. */
    sg_err (*follow)(sg_lane *lane);
    sg_err (*lead)(sg_lane *lane);
    /* Copies between the device's memory and host_alloc's, which belong to the lane until then. */
    sg_err (*down)(sg_lane *lane, void *host, const void *device, size_t bytes);
    sg_err (*up)(sg_lane *lane, void *device, const void *host, size_t bytes);
    /* Put a mark behind what the lane was given; has all before it ended? A mark that was put more
     * than once means the last time. */
    sg_err (*mark)(sg_lane *lane, int32_t mark);
    sg_err (*passed)(sg_lane *lane, int32_t mark, bool *passed);
    void (*place)(sg_lane *lane, sg_lane_place *place);
} sg_lane_calls;

/* Lanes of a backend that has none of its own: each copy is done when it returns. */
extern const sg_lane_calls sg_lane_plain;
/* A backend's lanes: its own, or these. */
const sg_lane_calls *sg_lanes_of(const struct sg_backend *backend);

#endif
