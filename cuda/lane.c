/*
 * Lanes: a stream of its own for what carries gradients, ordered by events against the one that
 * computes. Copies go straight from and to pinned memory, so that they neither wait for the
 * processor nor make it wait.
 *
 * Not yet run on a GPU; in the emulation a copy is done as late, or as early, as events allow.
 */
#include <string.h>
#include "base/size.h"
#include "cuda/device.h"

struct sg_lane {
    sg_cuda *cuda;       /* borrowed */
    cudaStream_t stream; /* owned, as all below */
    cudaEvent_t computed, carried;
    cudaEvent_t *mark; /* [marks] */
    int32_t marks;
};

static sg_err make_event(cudaEvent_t *event)
{
    return sg_cuda_check(cudaEventCreateWithFlags(event, cudaEventDisableTiming),
                         "an event cannot be made");
}

static void close_lane(sg_lane *lane)
{
    if (!lane)
        return;
    if (sg_cuda_use(lane->cuda) == SG_OK) {
        if (lane->stream)
            cudaStreamSynchronize(lane->stream);
        for (int32_t m = 0; m < lane->marks; m++)
            cudaEventDestroy(lane->mark[m]);
        if (lane->computed)
            cudaEventDestroy(lane->computed);
        if (lane->carried)
            cudaEventDestroy(lane->carried);
        if (lane->stream)
            cudaStreamDestroy(lane->stream);
    }
    sg_free(lane->mark);
    sg_free(lane);
}

static sg_err make(sg_lane *lane, int32_t marks)
{
    sg_err err = sg_cuda_use(lane->cuda);
    if (!err)
        err = sg_cuda_check(cudaStreamCreateWithFlags(&lane->stream, cudaStreamNonBlocking),
                            "a stream cannot be made");
    if (!err)
        err = make_event(&lane->computed);
    if (!err)
        err = make_event(&lane->carried);
    if (!err)
        err = sg_calloc(marks > 0 ? (size_t)marks : 1, sizeof *lane->mark, &lane->mark);
    for (; !err && lane->marks < marks; lane->marks += !err)
        err = make_event(&lane->mark[lane->marks]);
    return err;
}

static sg_err open_lane(sg_backend *backend, int32_t marks, sg_lane **lane)
{
    sg_lane *l = NULL;
    *lane = NULL;
    sg_err err = sg_calloc(1, sizeof *l, &l);
    if (err)
        return err;
    l->cuda = sg_cuda_of(backend);
    err = make(l, marks);
    if (err)
        close_lane(l);
    else
        *lane = l;
    return err;
}

static sg_err host_alloc(sg_lane *lane, size_t bytes, void **memory)
{
    *memory = NULL;
    sg_err err = sg_cuda_use(lane->cuda);
    return err ? err
               : sg_cuda_check(cudaMallocHost(memory, bytes > 0 ? bytes : 1),
                               "pinned memory cannot be taken");
}

static void host_free(sg_lane *lane, void *memory)
{
    if (memory && sg_cuda_use(lane->cuda) == SG_OK)
        cudaFreeHost(memory);
}

/* Work that is given to `later` from now on waits for what was given to `earlier`. */
static sg_err order(sg_lane *lane, cudaEvent_t event, cudaStream_t earlier, cudaStream_t later)
{
    sg_err err = sg_cuda_use(lane->cuda);
    if (!err)
        err = sg_cuda_check(cudaEventRecord(event, earlier), "an event cannot be recorded");
    return err ? err : sg_cuda_check(cudaStreamWaitEvent(later, event, 0), "a stream cannot wait");
}

static sg_err follow(sg_lane *lane)
{
    return order(lane, lane->computed, lane->cuda->stream, lane->stream);
}

static sg_err lead(sg_lane *lane)
{
    return order(lane, lane->carried, lane->stream, lane->cuda->stream);
}

static sg_err copy(sg_lane *lane, void *to, const void *from, size_t bytes,
                   enum cudaMemcpyKind kind)
{
    sg_err err = sg_cuda_use(lane->cuda);
    return err ? err
               : sg_cuda_check(cudaMemcpyAsync(to, from, bytes, kind, lane->stream),
                               "a gradient cannot be copied");
}

static sg_err down(sg_lane *lane, void *host, const void *device, size_t bytes)
{
    return copy(lane, host, device, bytes, cudaMemcpyDeviceToHost);
}

static sg_err up(sg_lane *lane, void *device, const void *host, size_t bytes)
{
    return copy(lane, device, host, bytes, cudaMemcpyHostToDevice);
}

static sg_err put_mark(sg_lane *lane, int32_t mark)
{
    SG_ASSERT(mark >= 0 && mark < lane->marks);
    sg_err err = sg_cuda_use(lane->cuda);
    return err ? err
               : sg_cuda_check(cudaEventRecord(lane->mark[mark], lane->stream),
                               "an event cannot be recorded");
}

static sg_err has_passed(sg_lane *lane, int32_t mark, bool *passed)
{
    sg_err err = sg_cuda_use(lane->cuda);
    if (err)
        return err;
    cudaError_t result = cudaEventQuery(lane->mark[mark]);
    *passed = result == cudaSuccess;
    return result == cudaErrorNotReady ? SG_OK : sg_cuda_check(result, "a gradient did not arrive");
}

static void place(sg_lane *lane, sg_lane_place *place)
{
    struct cudaDeviceProp properties;
    memset(place, 0, sizeof *place);
    if (cudaGetDeviceProperties(&properties, lane->cuda->device) != cudaSuccess)
        return;
    place->stream = lane->stream;
    memcpy(place->device, &properties.uuid, sizeof place->device);
}

const sg_lane_calls sg_cuda_lanes = {
    .open = open_lane,
    .close = close_lane,
    .host_alloc = host_alloc,
    .host_free = host_free,
    .follow = follow,
    .lead = lead,
    .down = down,
    .up = up,
    .mark = put_mark,
    .passed = has_passed,
    .place = place,
};
