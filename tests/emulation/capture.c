/* Captured work of the emulation: a list of calls with copies of what they were given. */
#include <stdlib.h>
#include <string.h>
#include "cuda_runtime_api.h"

typedef struct kept {
    struct kept *next;
    void (*work)(const void *);
    max_align_t context[]; /* a copy */
} kept;

struct sg_emulated_graph {
    kept *first, **end;
};

static struct sg_emulated_graph *capturing;
static int launches;

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode)
{
    capturing = calloc(1, sizeof *capturing);
    capturing->end = &capturing->first;
    return cudaSuccess;
}

int sg_emulated_keep(void (*work)(const void *), const void *context, size_t bytes)
{
    if (!capturing)
        return 0;
    kept *one = calloc(1, sizeof *one + bytes);
    one->work = work;
    memcpy(one->context, context, bytes);
    *capturing->end = one;
    capturing->end = &one->next;
    return 1;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    for (kept *one = graph->first, *next; one; one = next) {
        next = one->next;
        free(one);
    }
    free(graph);
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    const char *wish = getenv("SEGTILES_EMULATED_CAPTURE");
    *graph = capturing;
    capturing = NULL;
    if (!wish || strcmp(wish, "no") != 0)
        return cudaSuccess;
    cudaGraphDestroy(*graph);
    *graph = NULL;
    return cudaErrorStreamCaptureInvalidated;
}

/* The executable graph takes the list over. */
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags)
{
    *exec = malloc(sizeof **exec);
    **exec = *graph;
    graph->first = NULL;
    return cudaSuccess;
}

static void run_graph(const void *context)
{
    const cudaGraphExec_t *exec = context;
    for (kept *one = (*exec)->first; one; one = one->next)
        one->work(one->context);
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    launches++;
    sg_emulated_put(stream, run_graph, &exec, sizeof exec);
    return sg_emulated_health();
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    sg_emulated_settle();
    return cudaGraphDestroy(exec);
}

int sg_emulated_graph_launches(void)
{
    return launches;
}
