/*
 * Passes as CUDA graphs: the launches of one pass, or of a section of it, recorded once, go to the
 * GPU in one call, so that it does not wait for the processor between small kernels. The first pass
 * runs plainly, as libraries load their code then; the second is recorded. What cannot be recorded
 * (losses and norms that sum over ranks, and what the host computes a part of) runs plainly for
 * ever. A recording holds pointers into scratch memory: where that has moved since, it is made
 * anew. What differs from pass to pass (what dropout draws, the momentum of running statistics) is
 * read by recorded kernels from memory of the GPU, and goes there before the launch.
 *
 * Not yet run on a GPU; in the emulation launches are kept and repeated in their order.
 */
#include <string.h>
#include "base/log.h"
#include "base/size.h"
#include "cuda/device.h"

typedef struct {
    cudaGraphExec_t graph; /* NULL: not recorded yet */
    const void *scratch;   /* where it lay */
    int ran, refused;
} recording;

static void drop(recording *r)
{
    if (r->graph)
        cudaGraphExecDestroy(r->graph);
    r->graph = NULL;
}

/* Once begun, a capture must be ended, whatever happens within. */
static sg_err capture(sg_cuda *cuda, sg_err (*work)(void *), void *context, cudaGraph_t *graph)
{
    sg_err err = sg_cuda_check(
        cudaStreamBeginCapture(cuda->stream, cudaStreamCaptureModeThreadLocal), "no recording");
    if (err)
        return err;
    cuda->recording = 1;
    err = work(context);
    cuda->recording = 0;
    sg_err ended = sg_cuda_check(cudaStreamEndCapture(cuda->stream, graph), "no recording");
    return err ? err : ended;
}

static sg_err record(sg_cuda *cuda, recording *r, sg_err (*work)(void *), void *context)
{
    cudaGraph_t graph = NULL;
    drop(r);
    sg_err err = capture(cuda, work, context, &graph);
    if (!err)
        err = sg_cuda_check(cudaGraphInstantiate(&r->graph, graph, 0), "no recording");
    if (graph)
        cudaGraphDestroy(graph);
    if (err) {
        r->graph = NULL;
        r->refused = 1;
        sg_verbose("a pass is not recorded: %s", sg_error_text());
    }
    r->scratch = cuda->scratch;
    return err;
}

/* Behind what was given to the stream before, which may still want the last one. */
static sg_err note_run(sg_cuda *cuda, const sg_run *run)
{
    const sg_cuda_run now = {run->seed, run->step, run->first_sample};
    if (cuda->run_known && memcmp(&now, &cuda->run_now, sizeof now) == 0)
        return SG_OK;
    sg_err err = sg_cuda_upload(cuda, cuda->run, &now, sizeof now);
    cuda->run_known = err == SG_OK;
    cuda->run_now = now;
    return err;
}

sg_err sg_cuda_repeat(sg_backend *backend, void **kept, sg_err (*work)(void *), void *context,
                      const sg_run *run)
{
    sg_cuda *cuda = sg_cuda_of(backend);
    recording *r = *kept;
    sg_err err = sg_cuda_use(cuda);
    if (!err && !r)
        err = sg_calloc(1, sizeof *r, &r);
    *kept = r;
    if (err)
        return err;
    if (!r->ran || r->refused) {
        err = work(context);
        r->ran = err == SG_OK;
        return err;
    }
    if (run)
        err = note_run(cuda, run);
    if (err)
        return err;
    if ((!r->graph || r->scratch != cuda->scratch) && record(cuda, r, work, context) != SG_OK)
        return work(context);
    return sg_cuda_check(cudaGraphLaunch(r->graph, cuda->stream), "a recording cannot be run");
}

void sg_cuda_forget(sg_backend *backend, void *kept)
{
    recording *r = kept;
    if (!r)
        return;
    if (sg_cuda_use(sg_cuda_of(backend)) == SG_OK) {
        cudaStreamSynchronize(sg_cuda_of(backend)->stream); /* it may be running */
        drop(r);
    }
    sg_free(r);
}
