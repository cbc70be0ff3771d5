#include "nn/lane.h"

#include <string.h>
#include "base/size.h"
#include "nn/backend.h"

struct sg_lane {
    sg_backend *backend; /* borrowed */
};

static sg_err open_plain(sg_backend *backend, int32_t marks, sg_lane **lane)
{
    sg_err err = sg_calloc(1, sizeof **lane, lane);
    if (!err)
        (*lane)->backend = backend;
    return err;
}

static void close_plain(sg_lane *lane)
{
    sg_free(lane);
}

static sg_err host_alloc(sg_lane *lane, size_t bytes, void **memory)
{
    return sg_calloc(bytes > 0 ? bytes : 1, 1, memory);
}

static void host_free(sg_lane *lane, void *memory)
{
    sg_free(memory);
}

static sg_err nothing(sg_lane *lane)
{
    return SG_OK;
}

static sg_err down(sg_lane *lane, void *host, const void *device, size_t bytes)
{
    return lane->backend->download(lane->backend, host, device, bytes);
}

static sg_err up(sg_lane *lane, void *device, const void *host, size_t bytes)
{
    return lane->backend->upload(lane->backend, device, host, bytes);
}

static sg_err mark_plain(sg_lane *lane, int32_t mark)
{
    return SG_OK;
}

static sg_err passed_plain(sg_lane *lane, int32_t mark, bool *passed)
{
    *passed = true;
    return SG_OK;
}

static void place_plain(sg_lane *lane, sg_lane_place *place)
{
    memset(place, 0, sizeof *place);
}

const sg_lane_calls sg_lane_plain = {
    .open = open_plain,
    .close = close_plain,
    .host_alloc = host_alloc,
    .host_free = host_free,
    .follow = nothing,
    .lead = nothing,
    .down = down,
    .up = up,
    .mark = mark_plain,
    .passed = passed_plain,
    .place = place_plain,
};

const sg_lane_calls *sg_lanes_of(const sg_backend *backend)
{
    return backend->lanes ? backend->lanes : &sg_lane_plain;
}
