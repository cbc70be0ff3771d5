#include "tiles/refine.h"

#include <string.h>
#include "base/size.h"

size_t sg_refine_field(const sg_grid *grid)
{
    int64_t side = grid->frame + 2 * grid->margin;
    return (size_t)(sg_min64(side, grid->width) * sg_min64(side, grid->height));
}

sg_err sg_refine_open(sg_refine *refine, const sg_pipeline_options *options)
{
    const sg_grid *grid = options->grid;
    size_t pixels =
        (size_t)(sg_min64(grid->chunk_w, grid->part.w) * sg_min64(grid->chunk_h, grid->part.h));
    int32_t classes = options->spec->classes.count;
    *refine = (sg_refine){.options = options};
    SG_ASSERT(options->want_probabilities && grid->frame > 0);
    sg_err err = sg_crf_create(&refine->crf, &options->crf, options->spec->bands, classes,
                               sg_refine_field(grid), options->crf_threads);
    if (err == SG_OK)
        err = sg_malloc(pixels, 1, &refine->classes);
    if (err == SG_OK)
        err = sg_malloc(pixels, (size_t)classes * sizeof(float), &refine->probabilities);
    if (err == SG_OK && options->cutline)
        err = sg_malloc((size_t)grid->frame, (size_t)grid->frame, &refine->asked);
    return err;
}

void sg_refine_close(sg_refine *refine)
{
    sg_crf_close(refine->crf);
    sg_free(refine->classes);
    sg_free(refine->probabilities);
    sg_free(refine->asked);
    *refine = (sg_refine){0};
}

/* Where a window's results go: its part of the chunk's core. */
static sg_crf_result place_of(const sg_refine *refine, sg_window chunk, sg_window core)
{
    int64_t at = (core.y - chunk.y) * chunk.w + core.x - chunk.x;
    return (sg_crf_result){.core = core,
                           .row = chunk.w,
                           .classes = refine->classes + at,
                           .probabilities =
                               refine->probabilities + at * refine->options->spec->classes.count};
}

static void forget_pixel(const sg_refine *refine, const sg_crf_result *at, int64_t pixel)
{
    int32_t classes = refine->options->spec->classes.count;
    at->classes[pixel] = SG_NO_CLASS;
    for (int32_t c = 0; c < classes; c++)
        at->probabilities[pixel * classes + c] = SG_NO_PROBABILITY;
}

/* Pixels outside of the cutline have been drawing at those inside: now they go. */
static sg_err cut(const sg_refine *refine, const sg_crf_result *at)
{
    sg_window core = at->core;
    memset(refine->asked, 1, (size_t)(core.w * core.h));
    sg_err err = sg_cutline_apply(refine->options->cutline, core, refine->asked);
    for (int64_t i = 0; err == SG_OK && i < core.w * core.h; i++)
        if (!refine->asked[i])
            forget_pixel(refine, at, i / core.w * at->row + i % core.w);
    return err;
}

/* core: what the chunk has of the window that begins at x, y. */
static void run_window(const sg_refine *refine, const sg_refine_chunk *chunk,
                       const sg_crf_result *to, sg_window window)
{
    const sg_spec *spec = refine->options->spec;
    const sg_grid *grid = refine->options->grid;
    sg_window reach = chunk->reach, seen = sg_grid_around(grid, window);
    int64_t from = (seen.y - reach.y) * reach.w + seen.x - reach.x;
    SG_ASSERT(sg_window_contains(reach, seen));
    const sg_crf_field field = {.w = seen.w,
                                .h = seen.h,
                                .row = reach.w,
                                .known = chunk->classes + from,
                                .bands = chunk->bands + from * spec->bands,
                                .probabilities = chunk->probabilities + from * spec->classes.count};
    sg_crf_result result = *to;
    result.core.x -= seen.x;
    result.core.y -= seen.y;
    sg_crf_run(refine->crf, &field, &result);
}

static sg_err refine_window(const sg_refine *refine, const sg_refine_chunk *chunk, sg_window window)
{
    sg_cutline *cutline = refine->options->cutline;
    sg_crf_result to = place_of(refine, chunk->core, sg_window_intersect(window, chunk->core));
    bool misses = false;
    sg_err err = cutline ? sg_cutline_misses(cutline, to.core, &misses) : SG_OK;
    if (err == SG_OK && !misses)
        run_window(refine, chunk, &to, window);
    return err == SG_OK && cutline ? cut(refine, &to) : err;
}

sg_err sg_refine_run(sg_refine *refine, const sg_refine_chunk *chunk)
{
    int64_t side = refine->options->grid->frame;
    sg_window core = chunk->core;
    sg_err err = SG_OK;
    for (int64_t y = core.y - core.y % side; y < core.y + core.h; y += side)
        for (int64_t x = core.x - core.x % side; err == SG_OK && x < core.x + core.w; x += side)
            err = refine_window(refine, chunk, (sg_window){x, y, side, side});
    return err;
}
