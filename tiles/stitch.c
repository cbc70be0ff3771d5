#include "tiles/stitch.h"

#include <pthread.h>
#include <string.h>
#include "base/clock.h"
#include "base/queue.h"
#include "base/size.h"
#include "tiles/blend.h"
#include "tiles/failure.h"
#include "tiles/refine.h"

enum { BUFFERS = 2 };

typedef struct {
    sg_window core, reach; /* what is the chunk's, and what its tiles cover */
    uint8_t *classes;      /* (reach.h, reach.w) */
    float *probabilities;  /* (reach.h, reach.w, classes) or NULL */
    float *bands;          /* (reach.h, reach.w, bands) for a CRF, or NULL */
} chunk_buffer;

struct sg_stitch {
    const sg_pipeline_options *options; /* borrowed */
    sg_blend blend;                     /* in blend mode */
    sg_refine refine;                   /* with a CRF; the writer's */
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

static bool refines(const sg_stitch *stitch)
{
    return stitch->options->crf.iterations > 0;
}

static sg_blend_chunk summed(const chunk_buffer *chunk)
{
    return (sg_blend_chunk){chunk->reach, chunk->classes, chunk->probabilities};
}

static sg_err make_buffer(sg_stitch *stitch, chunk_buffer *chunk)
{
    const sg_pipeline_options *options = stitch->options;
    const sg_spec *spec = options->spec;
    int64_t width, height;
    size_t pixels;
    sg_grid_longest_reach(options->grid, &width, &height);
    sg_err err = sg_size_mul((size_t)width, (size_t)height, &pixels);
    if (err == SG_OK)
        err = sg_malloc(pixels, 1, &chunk->classes);
    if (err == SG_OK && options->want_probabilities)
        err = sg_malloc(pixels, (size_t)spec->classes.count * sizeof(float), &chunk->probabilities);
    if (err == SG_OK && refines(stitch))
        err = sg_malloc(pixels, (size_t)spec->bands * sizeof(float), &chunk->bands);
    return err == SG_OK ? sg_queue_push(stitch->empty, chunk) : err;
}

static sg_err make_buffers(sg_stitch *stitch)
{
    const sg_pipeline_options *options = stitch->options;
    sg_err err = SG_OK;
    for (int i = 0; err == SG_OK && i < BUFFERS; i++)
        err = make_buffer(stitch, &stitch->buffer[i]);
    if (err == SG_OK && blends(stitch)) {
        SG_ASSERT(options->want_probabilities);
        err = sg_blend_open(&stitch->blend, options->grid, options->spec->classes.count);
    }
    if (err == SG_OK && refines(stitch))
        err = sg_refine_open(&stitch->refine, options);
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

/* What is made of a chunk when all its tiles are there, and the user's part of it. */
static sg_err finish_chunk(sg_stitch *stitch, const chunk_buffer *chunk)
{
    const sg_pipeline_options *options = stitch->options;
    if (blends(stitch)) {
        sg_blend_chunk sums = summed(chunk);
        sg_blend_end(&stitch->blend, &sums);
    }
    if (!refines(stitch))
        return options->chunk(options->user, chunk->core, chunk->classes, chunk->probabilities);
    sg_refine *refine = &stitch->refine;
    const sg_refine_chunk whole = {chunk->core, chunk->reach, chunk->classes, chunk->bands,
                                   chunk->probabilities};
    sg_err err = sg_refine_run(refine, &whole);
    return err == SG_OK
               ? options->chunk(options->user, chunk->core, refine->classes, refine->probabilities)
               : err;
}

static void write_chunk(sg_stitch *stitch, const chunk_buffer *chunk)
{
    double start = sg_now();
    sg_err err = finish_chunk(stitch, chunk);
    stitch->write_s += sg_now() - start;
    if (err != SG_OK) {
        pthread_mutex_lock(&stitch->lock);
        sg_failure_keep(&stitch->failure, err);
        pthread_mutex_unlock(&stitch->lock);
        return;
    }
    stitch->written += chunk->core.w * chunk->core.h;
    if (stitch->options->progress)
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
    stitch->current->reach = sg_grid_reach(stitch->options->grid, chunk);
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

static void lay_bands(const sg_stitch *stitch, const sg_tile *tile, const float *pixels)
{
    chunk_buffer *chunk = stitch->current;
    size_t bands = (size_t)stitch->options->spec->bands;
    patch p = patch_of(tile, chunk->reach);
    for (size_t y = 0; y < p.height; y++)
        memcpy(chunk->bands + (p.to + y * p.to_row) * bands,
               pixels + (p.from + y * p.from_row) * bands, p.width * bands * sizeof *pixels);
}

static void lay(const sg_stitch *stitch, const sg_tile *tile, const sg_tile_result *result)
{
    chunk_buffer *chunk = stitch->current;
    patch p = patch_of(tile, chunk->reach);
    lay_classes(&p, result->valid, result->classes, chunk->classes);
    if (chunk->probabilities)
        lay_probabilities(&p, (size_t)stitch->options->spec->classes.count, result->valid,
                          result->probabilities, chunk->probabilities);
}

/* A tile without data adds nothing. */
static void blend(const sg_stitch *stitch, const sg_tile *tile, const sg_tile_result *result)
{
    sg_blend_chunk sums = summed(stitch->current);
    if (result->probabilities)
        sg_blend_add(&stitch->blend, &sums, tile, result->valid, result->probabilities);
}

sg_err sg_stitch_put(sg_stitch *stitch, const sg_planned_tile *tile, const sg_tile_result *result)
{
    sg_err err = failed(stitch);
    if (err != SG_OK)
        return err;
    if (!stitch->current)
        begin_chunk(stitch, tile->chunk);
    chunk_buffer *chunk = stitch->current;
    if (blends(stitch))
        blend(stitch, &tile->tile, result);
    else
        lay(stitch, &tile->tile, result);
    if (refines(stitch) && result->pixels)
        lay_bands(stitch, &tile->tile, result->pixels);
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
        sg_free(stitch->buffer[i].bands);
    }
    sg_blend_close(&stitch->blend);
    sg_refine_close(&stitch->refine);
    sg_queue_close(stitch->empty);
    sg_queue_close(stitch->full);
    pthread_mutex_destroy(&stitch->lock);
    sg_free(stitch);
}
