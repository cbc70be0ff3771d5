#include "tiles/pipeline.h"

#include <string.h>
#include "base/clock.h"
#include "base/size.h"
#include "tiles/fetch.h"
#include "tiles/stitch.h"

/* A batch in the network's hands. */
typedef struct {
    sg_fetched *batch;
    int32_t n;       /* tiles of it that the network got */
    int32_t *result; /* [batch]: which of its results is tile i's, or -1 */
} flight;

typedef struct {
    const sg_pipeline_options *options;
    sg_fetch *fetch;
    sg_stitch *stitch;
    size_t tile_pixels;
    flight flight[SG_IN_FLIGHT_MOST]; /* a ring: batch k in flight k % in_flight */
    int64_t begun, ended;             /* batches */
    sg_raw_image *image;              /* [batch] that the network gets */
    uint8_t *classes;                 /* (batch, tile_h, tile_w) */
    float *probabilities;             /* (batch, tile_h, tile_w, classes) or NULL */
    int32_t filled;                   /* has the chunk at hand a tile with data? */
    sg_pipeline_report *report;
    double start;
} work;

static sg_err make_results(work *w)
{
    const sg_pipeline_options *options = w->options;
    size_t batch = (size_t)options->batch, pixels, values;
    w->tile_pixels = (size_t)options->grid->tile_w * (size_t)options->grid->tile_h;
    sg_err err = sg_size_mul(batch, w->tile_pixels, &pixels);
    if (err == SG_OK)
        err = sg_size_mul(pixels, (size_t)options->spec->classes.count, &values);
    for (int k = 0; err == SG_OK && k < options->in_flight; k++)
        err = sg_malloc(batch, sizeof *w->flight[k].result, &w->flight[k].result);
    if (err == SG_OK)
        err = sg_malloc(batch, sizeof *w->image, &w->image);
    if (err == SG_OK)
        err = sg_malloc(pixels, 1, &w->classes);
    if (err == SG_OK && options->want_probabilities)
        err = sg_malloc(values, sizeof(float), &w->probabilities);
    return err;
}

/* Does the tile's core have any valid pixel? valid: (tile_h, tile_w). */
static int has_data(const sg_tile *tile, const uint8_t *valid)
{
    sg_window input = tile->input, core = tile->core;
    for (int64_t y = core.y - input.y; y < core.y - input.y + core.h; y++)
        if (memchr(valid + y * input.w + core.x - input.x, 1, (size_t)core.w))
            return 1;
    return 0;
}

/* Which tiles have data, and where each one's result will stand. */
static void choose(work *w, flight *f)
{
    const sg_fetched *batch = f->batch;
    f->n = 0;
    for (int32_t i = 0; i < batch->n; i++) {
        f->result[i] = -1;
        w->report->unread += batch->tile[i].blank;
        if (batch->tile[i].blank ||
            !has_data(&batch->tile[i].tile, batch->valid + (size_t)i * w->tile_pixels))
            continue;
        w->image[f->n] = batch->image[i];
        f->result[i] = f->n++;
    }
}

/* Tiles around the chunk do not count as its own. */
static void count_chunk(work *w, const sg_planned_tile *tile, int known)
{
    sg_window chunk = sg_grid_chunk(w->options->grid, tile->chunk);
    w->filled |= known && !sg_window_is_empty(sg_window_intersect(tile->tile.core, chunk));
    if (!tile->last)
        return;
    w->report->chunks++;
    w->report->empty += !w->filled;
    w->filled = 0;
}

static sg_err stitch_batch(work *w, const flight *f)
{
    const sg_fetched *batch = f->batch;
    const bool crf = w->options->crf.iterations > 0; /* images are plain numbers then */
    size_t classes = (size_t)w->options->spec->classes.count;
    sg_err err = SG_OK;
    for (int32_t i = 0; err == SG_OK && i < batch->n; i++) {
        size_t first = f->result[i] < 0 ? 0 : (size_t)f->result[i] * w->tile_pixels;
        int known = f->result[i] >= 0;
        count_chunk(w, &batch->tile[i], known);
        const sg_tile_result result = {
            .valid = batch->valid + (size_t)i * w->tile_pixels,
            .pixels = known && crf ? batch->image[i].values : NULL,
            .classes = known ? w->classes + first : NULL,
            .probabilities = known && w->probabilities ? w->probabilities + first * classes : NULL};
        err = sg_stitch_put(w->stitch, &batch->tile[i], &result);
    }
    return err;
}

static sg_err begin(work *w, sg_fetched *batch)
{
    const sg_pipeline_options *options = w->options;
    flight *f = &w->flight[w->begun++ % options->in_flight];
    f->batch = batch;
    choose(w, f);
    if (f->n == 0)
        return SG_OK;
    double start = sg_now();
    sg_err err = options->begin(options->user, f->n, w->image);
    w->report->network_s += sg_now() - start;
    w->report->computed += (int64_t)w->tile_pixels * f->n;
    w->report->batches++;
    return err;
}

/* The batch that was begun first. */
static sg_err end(work *w)
{
    const sg_pipeline_options *options = w->options;
    const flight *f = &w->flight[w->ended++ % options->in_flight];
    double start = sg_now();
    sg_err err = f->n > 0 ? options->end(options->user, w->classes, w->probabilities) : SG_OK;
    w->report->network_s += sg_now() - start;
    w->report->wall_s = sg_now() - w->start;
    sg_stitch_note(w->stitch, w->report);
    if (err == SG_OK)
        err = stitch_batch(w, f);
    sg_fetch_return(w->fetch, f->batch);
    return err;
}

static sg_err run(work *w)
{
    for (;;) {
        sg_fetched *batch;
        double start = sg_now();
        sg_err err = sg_fetch_next(w->fetch, &batch);
        w->report->wait_s += sg_now() - start;
        if (err == SG_OK && batch)
            err = begin(w, batch);
        while (err == SG_OK && w->ended < w->begun &&
               (!batch || w->begun - w->ended == w->options->in_flight))
            err = end(w);
        if (err != SG_OK)
            return err;
        if (!batch)
            return sg_stitch_finish(w->stitch);
    }
}

sg_err sg_pipeline_run(const sg_pipeline_options *options, sg_pipeline_report *report)
{
    work w = {.options = options, .report = report, .start = sg_now()};
    *report = (sg_pipeline_report){0};
    sg_err err = make_results(&w);
    if (err == SG_OK)
        err = sg_stitch_start(&w.stitch, options);
    if (err == SG_OK)
        err = sg_fetch_start(&w.fetch, options);
    if (err == SG_OK)
        err = run(&w);
    sg_fetch_close(w.fetch);
    if (err == SG_OK)
        sg_stitch_report(w.stitch, report);
    sg_stitch_close(w.stitch);
    for (int k = 0; k < SG_IN_FLIGHT_MOST; k++)
        sg_free(w.flight[k].result);
    sg_free(w.image);
    sg_free(w.classes);
    sg_free(w.probabilities);
    report->wall_s = sg_now() - w.start;
    return err;
}
