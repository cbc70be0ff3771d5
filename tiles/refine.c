#include "tiles/refine.h"

#include <omp.h>
#include <string.h>
#include "base/size.h"
#include "tiles/failure.h"

size_t sg_refine_field(const sg_grid *grid)
{
    int64_t side = grid->frame + 2 * grid->margin;
    return (size_t)(sg_min64(side, grid->width) * sg_min64(side, grid->height));
}

static sg_err make_worker(sg_refine *refine, int32_t i)
{
    const sg_pipeline_options *options = refine->options;
    const sg_grid *grid = options->grid;
    sg_err err = sg_crf_create(&refine->crf[i], &options->crf, options->spec->bands,
                               options->spec->classes.count, sg_refine_field(grid));
    if (err == SG_OK && options->cutline)
        err = sg_malloc((size_t)grid->frame, (size_t)grid->frame, &refine->asked[i]);
    return err;
}

sg_err sg_refine_open(sg_refine *refine, const sg_pipeline_options *options)
{
    const sg_grid *grid = options->grid;
    size_t pixels =
        (size_t)(sg_min64(grid->chunk_w, grid->part.w) * sg_min64(grid->chunk_h, grid->part.h));
    size_t values = (size_t)options->spec->classes.count * sizeof(float);
    size_t workers = (size_t)options->crf_workers;
    *refine = (sg_refine){.options = options};
    SG_ASSERT(options->want_probabilities && grid->frame > 0 && options->crf_workers > 0);
    sg_err err = sg_malloc(pixels, 1, &refine->classes);
    if (err == SG_OK)
        err = sg_malloc(pixels, values, &refine->probabilities);
    if (err == SG_OK)
        err = sg_calloc(workers, sizeof(*refine->crf), &refine->crf);
    if (err == SG_OK)
        err = sg_calloc(workers, sizeof(*refine->asked), &refine->asked);
    for (int32_t i = 0; err == SG_OK && i < options->crf_workers; i++)
        err = make_worker(refine, i);
    return err;
}

void sg_refine_close(sg_refine *refine)
{
    for (int32_t i = 0; refine->crf && refine->asked && i < refine->options->crf_workers; i++) {
        sg_crf_close(refine->crf[i]);
        sg_free(refine->asked[i]);
    }
    sg_free(refine->crf);
    sg_free(refine->asked);
    sg_free(refine->classes);
    sg_free(refine->probabilities);
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
static sg_err cut(const sg_refine *refine, const sg_crf_result *at, uint8_t *asked)
{
    sg_window core = at->core;
    memset(asked, 1, (size_t)(core.w * core.h));
    sg_err err = sg_cutline_apply(refine->options->cutline, core, asked);
    for (int64_t i = 0; err == SG_OK && i < core.w * core.h; i++)
        if (!asked[i])
            forget_pixel(refine, at, i / core.w * at->row + i % core.w);
    return err;
}

static void run_window(const sg_refine *refine, const sg_refine_chunk *chunk,
                       const sg_crf_result *to, sg_window window, sg_crf *crf)
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
    sg_crf_run(crf, &field, &result);
}

static sg_err refine_window(const sg_refine *refine, const sg_refine_chunk *chunk, sg_window window,
                            int worker)
{
    sg_cutline *cutline = refine->options->cutline;
    sg_crf_result to = place_of(refine, chunk->core, sg_window_intersect(window, chunk->core));
    bool misses = false;
    sg_err err = cutline ? sg_cutline_misses(cutline, to.core, &misses) : SG_OK;
    if (err == SG_OK && !misses)
        run_window(refine, chunk, &to, window, refine->crf[worker]);
    return err == SG_OK && cutline ? cut(refine, &to, refine->asked[worker]) : err;
}

sg_err sg_refine_run(sg_refine *refine, const sg_refine_chunk *chunk)
{
    const int64_t side = refine->options->grid->frame;
    const sg_window core = chunk->core;
    const int64_t left = core.x / side, upper = core.y / side;
    const int64_t across = sg_div_up(core.x + core.w, side) - left;
    const int64_t windows = across * (sg_div_up(core.y + core.h, side) - upper);
    sg_failure failure = {0};
#pragma omp parallel for num_threads(refine->options->crf_workers) schedule(dynamic, 1)
    for (int64_t i = 0; i < windows; i++) {
        const sg_window window = {(left + i % across) * side, (upper + i / across) * side, side,
                                  side};
        sg_err err = refine_window(refine, chunk, window, omp_get_thread_num());
#pragma omp critical(sg_refine_failure)
        sg_failure_keep(&failure, err);
    }
    return sg_failure_raise(&failure);
}
