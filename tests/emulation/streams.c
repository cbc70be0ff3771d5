/*
 * Streams, events and captured work of the emulation. Work waits in its stream until somebody waits
 * for it, or until a moment drawn by chance before, and is done in the order of its stream and of
 * the events between streams. So what lacks an event, or is read before anybody waited for it,
 * comes too early or too late in one run or another.
 *
 * A stream's work is done by the thread that gives it work; others may ask for its events.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "cuda_runtime_api.h"

typedef enum { WORK, POLL, RECORD, WAIT } op_kind;

typedef struct op {
    struct op *next;
    op_kind kind;
    size_t bytes; /* of the context */
    void (*work)(const void *);
    int (*poll)(void *);
    cudaEvent_t event;
    uint64_t ticket;       /* of a record, or the one waited for */
    max_align_t context[]; /* a copy */
} op;

struct sg_emulated_graph {
    op *first, **end;
};

struct sg_emulated_stream {
    op *first, **end;
    pthread_t worker;
    cudaGraph_t capturing; /* or NULL */
    cudaStream_t next;     /* of all streams */
};

struct sg_emulated_event {
    cudaStream_t stream; /* in which it was recorded last */
    uint64_t put, done;  /* tickets of records */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static cudaStream_t streams;
static uint32_t draws = 12345;
static int launches; /* of graphs */

static uint32_t draw(uint32_t below)
{
    draws = draws * 1664525u + 1013904223u;
    return (draws >> 16) % below;
}

/* SEGTILES_EMULATED_STREAMS=late: nothing is done before somebody waits for it. */
static int runs_ahead(void)
{
    const char *wish = getenv("SEGTILES_EMULATED_STREAMS");
    return (!wish || strcmp(wish, "late") != 0) && draw(3) == 0;
}

static int is_mine(cudaStream_t stream)
{
    return stream && pthread_equal(stream->worker, pthread_self());
}

/* Do the first thing of a stream; 0: it is empty, or has to wait. */
static int step(cudaStream_t stream)
{
    op *o = stream->first;
    if (!o || (o->kind == WAIT && o->event->done < o->ticket) ||
        (o->kind == POLL && !o->poll(o->context)))
        return 0;
    stream->first = o->next;
    if (!stream->first)
        stream->end = &stream->first;
    if (o->kind == WORK)
        o->work(o->context);
    if (o->kind == RECORD && o->event->done < o->ticket)
        o->event->done = o->ticket;
    free(o);
    return 1;
}

/* Something towards the end of what a stream holds; 0: it waits for another process, or is empty.
 */
static int advance(cudaStream_t stream)
{
    if (step(stream))
        return 1;
    const op *o = stream->first;
    return o && o->kind == WAIT && o->event->stream != stream && advance(o->event->stream);
}

static void put(cudaStream_t stream, op *o)
{
    pthread_mutex_lock(&lock);
    o->next = NULL;
    *stream->end = o;
    stream->end = &o->next;
    stream->worker = pthread_self();
    if (runs_ahead()) /* the GPU works meanwhile */
        for (cudaStream_t s = streams; s; s = s->next)
            for (uint32_t n = draw(4); n > 0 && is_mine(s) && step(s); n--)
                ;
    pthread_mutex_unlock(&lock);
}

static op *make_op(op_kind kind, const void *context, size_t bytes)
{
    op *o = calloc(1, sizeof *o + bytes);
    o->kind = kind;
    o->bytes = bytes;
    if (bytes > 0)
        memcpy(o->context, context, bytes);
    return o;
}

void sg_emulated_give(cudaStream_t stream, void (*work)(const void *), const void *context,
                      size_t bytes)
{
    op *o = make_op(WORK, context, bytes);
    cudaGraph_t graph = stream->capturing;
    o->work = work;
    if (!graph) {
        put(stream, o);
        return;
    }
    *graph->end = o;
    graph->end = &o->next;
}

void sg_emulated_give_poll(cudaStream_t stream, int (*poll)(void *), const void *context,
                           size_t bytes)
{
    op *o = make_op(POLL, context, bytes);
    o->poll = poll;
    put(stream, o);
}

/* Until nothing is left that can be done without another process. */
void sg_emulated_wait_all(void)
{
    int any = 1;
    while (any) {
        any = 0;
        pthread_mutex_lock(&lock);
        for (cudaStream_t s = streams; s; s = s->next)
            any = (is_mine(s) && advance(s)) || any;
        pthread_mutex_unlock(&lock);
    }
}

static cudaError_t wait_until(cudaStream_t stream, cudaEvent_t event)
{
    for (;;) {
        pthread_mutex_lock(&lock);
        int over = event ? event->done >= event->put : !stream->first;
        cudaStream_t working = event ? event->stream : stream;
        int worked = !over && is_mine(working) && advance(working);
        pthread_mutex_unlock(&lock);
        if (over)
            return sg_emulated_health();
        if (!worked)
            usleep(50);
    }
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags)
{
    cudaStream_t made = calloc(1, sizeof *made);
    made->end = &made->first;
    pthread_mutex_lock(&lock);
    made->worker = pthread_self();
    made->next = streams;
    streams = made;
    pthread_mutex_unlock(&lock);
    *stream = made;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream)
{
    return wait_until(stream, NULL);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    cudaStreamSynchronize(stream);
    pthread_mutex_lock(&lock);
    cudaStream_t *at = &streams;
    while (*at != stream)
        at = &(*at)->next;
    *at = stream->next;
    pthread_mutex_unlock(&lock);
    free(stream);
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags)
{
    *event = calloc(1, sizeof **event);
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    op *o = make_op(RECORD, NULL, 0);
    if (stream->capturing)
        abort(); /* nothing of ours does */
    pthread_mutex_lock(&lock);
    o->event = event;
    o->ticket = ++event->put;
    event->stream = stream;
    pthread_mutex_unlock(&lock);
    put(stream, o);
    return sg_emulated_health();
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags)
{
    op *o = make_op(WAIT, NULL, 0);
    pthread_mutex_lock(&lock);
    o->event = event;
    o->ticket = event->put;
    pthread_mutex_unlock(&lock);
    put(stream, o);
    return sg_emulated_health();
}

cudaError_t cudaEventQuery(cudaEvent_t event)
{
    pthread_mutex_lock(&lock);
    if (is_mine(event->stream))
        for (uint32_t n = draw(3); n > 0 && event->done < event->put && advance(event->stream); n--)
            ;
    int over = event->done >= event->put;
    pthread_mutex_unlock(&lock);
    cudaError_t health = sg_emulated_health();
    return health ? health : over ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    return wait_until(NULL, event);
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    sg_emulated_wait_all();
    free(event);
    return cudaSuccess;
}

/* ---- captured work ---- */

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode)
{
    stream->capturing = calloc(1, sizeof *stream->capturing);
    stream->capturing->end = &stream->capturing->first;
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    for (op *o = graph->first, *next; o; o = next) {
        next = o->next;
        free(o);
    }
    free(graph);
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    const char *wish = getenv("SEGTILES_EMULATED_CAPTURE");
    *graph = stream->capturing;
    stream->capturing = NULL;
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

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    launches++;
    for (const op *o = exec->first; o; o = o->next)
        sg_emulated_give(stream, o->work, o->context, o->bytes);
    return sg_emulated_health();
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    return cudaGraphDestroy(exec);
}

int sg_emulated_graph_launches(void)
{
    return launches;
}
