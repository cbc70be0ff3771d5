#include "tiles/stitch.h"

#include <pthread.h>
#include <string.h>
#include "base/clock.h"
#include "base/queue.h"
#include "base/size.h"
#include "tiles/blend.h"
#include "tiles/failure.h"

enum { BUFFERS = 2 };

typedef struct {
    sg_window core;
    uint8_t *classes;     /* (core.h, core.w) */
    float *probabilities; /* (core.h, core.w, classes) or NULL */
} chunk_buffer;

struct sg_stitch {
    const sg_pipeline_options *options; /* borrowed */
    sg_blend blend;                     /* in blend mode */
    chunk_buffer buffer[BUFFERS];
    chunk_buffer *current; /* being stitched, or NULL */
    sg_queue *empty, *full;
    pthread_t writer;
    int running;
    pthread_mutex_t lock; /* guards failure and noted */
    sg_failure failure;
    sg_pipeline_report noted; /* what the network's thread has told of itself */
    int64_t written;          /* pixels; the writer's until finished */
    double write_s, wait_s;   /* write_s is the writer's until finished */
};

static bool blends(const sg_stitch *stitch)
{
    return stitch->options->grid->step_w > 0;
}

static sg_blend_chunk summed(const chunk_buffer *chunk)
{
    return (sg_blend_chunk){chunk->core, chunk->classes, chunk->probabilities};
}

static sg_err make_buffers(sg_stitch *stitch)
{
    const sg_pipeline_options *options = stitch->options;
    const sg_grid *grid = options->grid;
    size_t pixels, values;
    sg_err err = sg_size_mul((size_t)sg_min64(grid->chunk_w, grid->part.w),
                             (size_t)sg_min64(grid->chunk_h, grid->part.h), &pixels);
    if (err == SG_OK)
        err = sg_size_mul(pixels, (size_t)options->spec->classes.count, &values);
    for (int i = 0; err == SG_OK && i < BUFFERS; i++) {
        err = sg_malloc(pixels, 1, &stitch->buffer[i].classes);
        if (err == SG_OK && options->want_probabilities)
            err = sg_malloc(values, sizeof(float), &stitch->buffer[i].probabilities);
        if (err == SG_OK)
            err = sg_queue_push(stitch->empty, &stitch->buffer[i]);
    }
    if (err == SG_OK && blends(stitch)) {
        SG_ASSERT(options->want_probabilities);
        err = sg_blend_open(&stitch->blend, grid, options->spec->classes.count);
    }
    return err;
}

static void tell_progress(sg_stitch *stitch)
{
    pthread_mutex_lock(&stitch->lock);
    sg_pipeline_report work = stitch->noted;
    pthread_mutex_unlock(&stitch->lock);
    work.written = stitch->written;
    work.write_s = stitch->write_s;
    stitch->options->progress(stitch->options->user, &work);
}

static void write_chunk(sg_stitch *stitch, const chunk_buffer *chunk)
{
    const sg_pipeline_options *options = stitch->options;
    double start = sg_now();
    if (blends(stitch)) {
        sg_blend_chunk sums = summed(chunk);
        sg_blend_end(&stitch->blend, &sums);
    }
    sg_err err = options->chunk(options->user, chunk->core, chunk->classes, chunk->probabilities);
    stitch->write_s += sg_now() - start;
    if (err != SG_OK) {
        pthread_mutex_lock(&stitch->lock);
        sg_failure_keep(&stitch->failure, err);
        pthread_mutex_unlock(&stitch->lock);
        return;
    }
    stitch->written += chunk->core.w * chunk->core.h;
    if (options->progress)
        tell_progress(stitch);
}

static sg_err failed(sg_stitch *stitch)
{
    pthread_mutex_lock(&stitch->lock);
    sg_err err = sg_failure_raise(&stitch->failure);
    pthread_mutex_unlock(&stitch->lock);
    return err;
}

/* After a failure chunks are dropped, so that nobody waits for a buffer for ever. */
static void *write_chunks(void *argument)
{
    sg_stitch *stitch = argument;
    for (chunk_buffer *chunk; (chunk = sg_queue_pop(stitch->full));) {
        if (failed(stitch) == SG_OK)
            write_chunk(stitch, chunk);
        if (sg_queue_push(stitch->empty, chunk) != SG_OK)
            break;
    }
    return NULL;
}

sg_err sg_stitch_start(sg_stitch **out, const sg_pipeline_options *options)
{
    sg_stitch *stitch = NULL;
    *out = NULL;
    sg_err err = sg_calloc(1, sizeof *stitch, &stitch);
    if (err != SG_OK)
        return err;
    stitch->options = options;
    pthread_mutex_init(&stitch->lock, NULL);
    err = sg_queue_create(&stitch->empty, BUFFERS);
    if (err == SG_OK)
        err = sg_queue_create(&stitch->full, BUFFERS);
    if (err == SG_OK)
        err = make_buffers(stitch);
    if (err == SG_OK) {
        stitch->running = pthread_create(&stitch->writer, NULL, write_chunks, stitch) == 0;
        if (!stitch->running)
            err = sg_fail(SG_ENOMEM, "the writer thread cannot be started");
    }
    if (err != SG_OK) {
        sg_stitch_close(stitch);
        return err;
    }
    *out = stitch;
    return SG_OK;
}

/* The chunk that the tile belongs to. */
static void begin_chunk(sg_stitch *stitch, int64_t chunk)
{
    double start = sg_now();
    stitch->current = sg_queue_pop(stitch->empty);
    stitch->wait_s += sg_now() - start;
    stitch->current->core = sg_grid_chunk(stitch->options->grid, chunk);
    if (blends(stitch)) {
        sg_blend_chunk sums = summed(stitch->current);
        sg_blend_begin(&stitch->blend, &sums);
    }
}

/* What a tile's core is copied from and to: pixel offsets of its first pixel, and row lengths. */
typedef struct {
    size_t from, to, from_row, to_row, width, height;
} patch;

static patch patch_of(const sg_tile *tile, sg_window chunk)
{
    sg_window core = tile->core;
    return (patch){.from =
                       (size_t)((core.y - tile->input.y) * tile->input.w + core.x - tile->input.x),
                   .to = (size_t)((core.y - chunk.y) * chunk.w + core.x - chunk.x),
                   .from_row = (size_t)tile->input.w,
                   .to_row = (size_t)chunk.w,
                   .width = (size_t)core.w,
                   .height = (size_t)core.h};
}

static void lay_classes(const patch *p, const uint8_t *valid, const uint8_t *classes, uint8_t *to)
{
    for (size_t y = 0; y < p->height; y++) {
        uint8_t *out = to + p->to + y * p->to_row;
        size_t row = p->from + y * p->from_row;
        if (!classes) {
            memset(out, SG_NO_CLASS, p->width);
            continue;
        }
        for (size_t x = 0; x < p->width; x++)
            out[x] = valid[row + x] ? classes[row + x] : SG_NO_CLASS;
    }
}

static void lay_probabilities(const patch *p, size_t count, const uint8_t *valid,
                              const float *probabilities, float *to)
{
    for (size_t y = 0; y < p->height; y++) {
        float *out = to + (p->to + y * p->to_row) * count;
        size_t row = p->from + y * p->from_row;
        for (size_t x = 0; x < p->width; x++) {
            int known = probabilities && valid[row + x];
            for (size_t c = 0; c < count; c++)
                out[x * count + c] =
                    known ? probabilities[(row + x) * count + c] : SG_NO_PROBABILITY;
        }
    }
}

static void lay(const sg_stitch *stitch, const sg_tile *tile, const uint8_t *valid,
                const uint8_t *classes, const float *probabilities)
{
    chunk_buffer *chunk = stitch->current;
    patch p = patch_of(tile, chunk->core);
    lay_classes(&p, valid, classes, chunk->classes);
    if (chunk->probabilities)
        lay_probabilities(&p, (size_t)stitch->options->spec->classes.count, valid, probabilities,
                          chunk->probabilities);
}

/* A tile without data adds nothing. */
static void blend(const sg_stitch *stitch, const sg_tile *tile, const uint8_t *valid,
                  const float *probabilities)
{
    sg_blend_chunk sums = summed(stitch->current);
    if (probabilities)
        sg_blend_add(&stitch->blend, &sums, tile, valid, probabilities);
}

sg_err sg_stitch_put(sg_stitch *stitch, const sg_planned_tile *tile, const uint8_t *valid,
                     const uint8_t *classes, const float *probabilities)
{
    sg_err err = failed(stitch);
    if (err != SG_OK)
        return err;
    if (!stitch->current)
        begin_chunk(stitch, tile->chunk);
    chunk_buffer *chunk = stitch->current;
    if (blends(stitch))
        blend(stitch, &tile->tile, valid, probabilities);
    else
        lay(stitch, &tile->tile, valid, classes, probabilities);
    if (!tile->last)
        return SG_OK;
    stitch->current = NULL;
    return sg_queue_push(stitch->full, chunk);
}

void sg_stitch_note(sg_stitch *stitch, const sg_pipeline_report *work)
{
    pthread_mutex_lock(&stitch->lock);
    stitch->noted = *work;
    stitch->noted.stall_s = stitch->wait_s;
    pthread_mutex_unlock(&stitch->lock);
}

sg_err sg_stitch_finish(sg_stitch *stitch)
{
    sg_queue_shut(stitch->full);
    double start = sg_now();
    if (stitch->running)
        pthread_join(stitch->writer, NULL);
    stitch->running = 0;
    stitch->wait_s += sg_now() - start;
    return failed(stitch);
}

void sg_stitch_report(const sg_stitch *stitch, sg_pipeline_report *report)
{
    report->written = stitch->written;
    report->write_s = stitch->write_s;
    report->stall_s = stitch->wait_s;
}

void sg_stitch_close(sg_stitch *stitch)
{
    if (!stitch)
        return;
    if (stitch->running)
        (void)sg_stitch_finish(stitch);
    for (int i = 0; i < BUFFERS; i++) {
        sg_free(stitch->buffer[i].classes);
        sg_free(stitch->buffer[i].probabilities);
    }
    sg_blend_close(&stitch->blend);
    sg_queue_close(stitch->empty);
    sg_queue_close(stitch->full);
    pthread_mutex_destroy(&stitch->lock);
    sg_free(stitch);
}
