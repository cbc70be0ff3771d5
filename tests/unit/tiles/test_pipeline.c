/*
 * The pipeline with a network that is a function of its neighbourhood: whatever the grid, the batch
 * and the number of readers, the stitched result is that of one single tile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "base/rng.h"
#include "data/scene_writer.h"
#include "support/tempdir.h"
#include "tiles/pipeline.h"

enum { FRAME = 24, MARGIN = 10 }; /* of a CRF */
enum { WIDTH = 150, HEIGHT = 110, BANDS = 2, CLASSES = 5, HOLE = 60, STRIDE = 4, HALO = 8 };
static const double NODATA = 200;

typedef struct {
    const sg_grid *grid;
    int64_t next, chunks_done, told;
    int network_calls, tiles_seen;
    int fail_network, fail_chunk, fail_next; /* at this call, 0: never */
    int32_t raw, in_flight;
    struct {
        sg_raw_image *image; /* NULL: free */
        int32_t n, call;
    } begun[SG_IN_FLIGHT_MOST];
    uint8_t *classes;     /* (HEIGHT, WIDTH) */
    float *probabilities; /* (HEIGHT, WIDTH, CLASSES) or NULL */
} world;

/* Rows and columns below HOLE have no data. */
static void make_scene(const char *path)
{
    const sg_scene_options options = {.width = WIDTH,
                                      .height = HEIGHT,
                                      .bands = BANDS,
                                      .type = "Byte",
                                      .block = 16,
                                      .compress = "NONE",
                                      .crs = "",
                                      .geotransform = {0, 1, 0, 0, 0, -1},
                                      .has_nodata = 1,
                                      .nodata = NODATA};
    sg_scene_writer *writer = NULL;
    float *pixels = malloc(sizeof(float) * WIDTH * HEIGHT * BANDS);
    for (uint32_t i = 0; i < WIDTH * HEIGHT * BANDS; i++) {
        uint32_t x = i / BANDS % WIDTH, y = i / BANDS / WIDTH;
        pixels[i] = (float)sg_below(sg_random(3, SG_STREAM_SCENE, i, 0).v[0], 180);
        if (x < HOLE && y < HOLE)
            pixels[i] = (float)NODATA;
    }
    sg_gdal_start(1 << 20);
    assert_int_equal(sg_scene_create(&writer, path, &options), SG_OK);
    assert_int_equal(sg_scene_write(writer, (sg_window){0, 0, WIDTH, HEIGHT}, pixels), SG_OK);
    assert_int_equal(sg_scene_commit(writer), SG_OK);
    free(pixels);
}

/* The sum over a square of 2 HALO + 1 pixels, zero outside the tile: it reaches exactly the halo.
 */
static double neighbourhood(const float *pixels, int64_t w, int64_t h, int64_t x, int64_t y)
{
    double sum = 0;
    for (int64_t j = y - HALO; j <= y + HALO; j += HALO / 2)
        for (int64_t i = x - HALO; i <= x + HALO; i += HALO / 2)
            if (i >= 0 && j >= 0 && i < w && j < h)
                sum += pixels[(j * w + i) * BANDS] + 2 * pixels[(j * w + i) * BANDS + 1];
    return sum;
}

/* As the network sees it: plain numbers. */
static float *numbers_of(const world *w, int32_t n, const sg_raw_image *image)
{
    size_t one = (size_t)(w->grid->tile_w * w->grid->tile_h * BANDS);
    float *pixels = malloc(sizeof(float) * one * (size_t)n);
    for (int32_t i = 0; i < n; i++) {
        assert_true(w->raw ? image[i].type == SG_RAW_U8 : sg_raw_is_plain(&image[i]));
        sg_raw_to_f32(&image[i], w->grid->tile_h, w->grid->tile_w, BANDS, pixels + (size_t)i * one);
    }
    return pixels;
}

static sg_err begin(void *user, int32_t n, const sg_raw_image *image)
{
    world *w = user;
    w->tiles_seen += n;
    if (++w->network_calls == w->fail_network)
        return sg_fail(SG_EINTERNAL, "the network broke");
    for (int k = 0; k < w->in_flight; k++)
        if (!w->begun[k].image) {
            w->begun[k].image =
                memcpy(malloc(sizeof *image * (size_t)n), image, sizeof *image * (size_t)n);
            w->begun[k].n = n;
            w->begun[k].call = w->network_calls;
            return SG_OK;
        }
    fail_msg("more than %d batches are in flight", w->in_flight);
    return SG_EINTERNAL;
}

/* Of the batch begun first; its tiles are read as late as this. */
static sg_err end(void *user, uint8_t *classes, float *probabilities)
{
    world *w = user;
    int first = w->begun[1].image && (!w->begun[0].image || w->begun[1].call < w->begun[0].call);
    int64_t tw = w->grid->tile_w, th = w->grid->tile_h;
    int32_t n = w->begun[first].n;
    float *pixels = numbers_of(w, n, w->begun[first].image);
    for (int64_t i = 0; i < n * tw * th; i++) {
        const float *tile = pixels + i / (tw * th) * tw * th * BANDS;
        int64_t sum = (int64_t)neighbourhood(tile, tw, th, i % tw, i / tw % th);
        classes[i] = (uint8_t)(((sum % CLASSES) + CLASSES) % CLASSES);
        for (int c = 0; probabilities && c < CLASSES; c++)
            probabilities[i * CLASSES + c] = (float)(sum % 1000 + c);
    }
    free(pixels);
    free(w->begun[first].image);
    w->begun[first].image = NULL;
    return SG_OK;
}

static sg_err next(void *user, int64_t *chunk)
{
    world *w = user;
    *chunk = w->next++;
    return w->next == w->fail_next ? sg_fail(SG_EINTERNAL, "no more chunks to be had") : SG_OK;
}

static sg_err put(void *user, sg_window core, const uint8_t *classes, const float *probabilities)
{
    world *w = user;
    if (++w->chunks_done == w->fail_chunk)
        return sg_fail(SG_EOUTPUT, "the disk is full");
    for (int64_t y = 0; y < core.h; y++) {
        int64_t to = (core.y + y) * WIDTH + core.x;
        memcpy(w->classes + to, classes + y * core.w, (size_t)core.w);
        if (w->probabilities)
            memcpy(w->probabilities + to * CLASSES, probabilities + y * core.w * CLASSES,
                   sizeof(float) * CLASSES * (size_t)core.w);
    }
    return SG_OK;
}

static void progress(void *user, const sg_pipeline_report *work)
{
    world *w = user;
    assert_true(work->written > w->told);
    assert_true(work->wall_s > 0); /* and its parts are in it, but for rounding */
    assert_true(work->network_s + work->wait_s + work->stall_s <= work->wall_s + 1e-6);
    w->told = work->written;
}

typedef struct {
    int64_t tile, chunk;
    int32_t batch, readers;
} setting;

static const sg_crf_options no_crf = {0};
static const sg_crf_options a_crf = {
    .iterations = 2, .w1 = 2, .alpha = 3, .beta = 50, .w2 = 1, .gamma = 2};

static sg_err run_with(void **state, const setting *s, const sg_crf_options *crf, world *w,
                       sg_grid *grid)
{
    char path[TEMPDIR_PATH];
    static const double mean[BANDS] = {0, 0}, std[BANDS] = {1, 1};
    sg_spec spec = {.bands = BANDS, .band = {1, 2}, .classes = {.count = CLASSES}};
    const sg_grid_wish wish = {.frame = crf->iterations > 0 ? FRAME : 0,
                               .margin = crf->iterations > 0 ? MARGIN : 0,
                               .width = WIDTH,
                               .height = HEIGHT,
                               .stride = STRIDE,
                               .halo = HALO,
                               .block = 16,
                               .tile = s->tile,
                               .chunk_w = s->chunk,
                               .chunk_h = s->chunk,
                               .ranks = 1,
                               .most_pixels = 1 << 20};
    assert_int_equal(sg_grid_create(grid, &wish), SG_OK);
    w->grid = grid;
    sg_pipeline_options options = {.path = tempdir_path(state, "scene.tif", path),
                                   .spec = &spec,
                                   .mean = mean,
                                   .std = std,
                                   .grid = grid,
                                   .batch = s->batch,
                                   .readers = s->readers,
                                   .want_probabilities = w->probabilities != NULL,
                                   .crf = *crf,
                                   .crf_workers = s->readers,
                                   .raw = w->raw && crf->iterations == 0,
                                   .in_flight = w->in_flight,
                                   .begin = begin,
                                   .end = end,
                                   .next = next,
                                   .chunk = put,
                                   .progress = progress,
                                   .user = w};
    sg_pipeline_report report;
    sg_err err = sg_pipeline_run(&options, &report);
    if (err == SG_OK) {
        assert_int_equal(report.written, WIDTH * HEIGHT);
        assert_int_equal(report.computed, w->tiles_seen * grid->tile_w * grid->tile_h);
    }
    return err;
}

static sg_err run(void **state, const setting *s, world *w, sg_grid *grid)
{
    return run_with(state, s, &no_crf, w, grid);
}

static world make_world(int probabilities)
{
    world w = {.classes = malloc(WIDTH * HEIGHT), .in_flight = 1};
    memset(w.classes, 77, WIDTH * HEIGHT);
    if (probabilities)
        w.probabilities = malloc(sizeof(float) * WIDTH * HEIGHT * CLASSES);
    return w;
}

static void close_world(world *w)
{
    free(w->classes);
    free(w->probabilities);
    for (int k = 0; k < SG_IN_FLIGHT_MOST; k++)
        free(w->begun[k].image);
}

static void any_grid_batch_and_readers_give_the_single_tile(void **state)
{
    static const setting other[] = {{32, 32, 1, 1},  {32, 32, 4, 2}, {48, 64, 3, 3},
                                    {20, 16, 8, 2},  {64, 0, 2, 1},  {0, 48, 1, 2},
                                    {40, 160, 5, 4}, {24, 16, 64, 2}};
    const setting single = {0, 0, 1, 1};
    sg_grid grid;
    world expected = make_world(1);
    assert_int_equal(run(state, &single, &expected, &grid), SG_OK);
    assert_int_equal(grid.tile_w, 152);
    assert_int_equal(expected.network_calls, 1);
    for (size_t i = 0; i < 4 * (sizeof other / sizeof *other); i++) {
        world w = make_world(1);
        w.raw = i % 2;
        w.in_flight = 1 + i / 2 % 2;
        assert_int_equal(run(state, &other[i / 4], &w, &grid), SG_OK);
        assert_memory_equal(w.classes, expected.classes, WIDTH * HEIGHT);
        assert_memory_equal(w.probabilities, expected.probabilities,
                            sizeof(float) * WIDTH * HEIGHT * CLASSES);
        assert_int_equal(w.chunks_done, sg_grid_chunks(&grid));
        close_world(&w);
    }
    close_world(&expected);
}

static void with_a_crf_too(void **state)
{
    static const setting other[] = {{32, 32, 1, 1}, {32, 48, 4, 2}, {48, 64, 3, 3},
                                    {20, 16, 8, 2}, {64, 0, 2, 1},  {0, 48, 1, 2}};
    const setting single = {0, 0, 1, 1};
    sg_grid grid;
    world expected = make_world(1), without = make_world(1);
    assert_int_equal(run(state, &single, &without, &grid), SG_OK);
    assert_int_equal(run_with(state, &single, &a_crf, &expected, &grid), SG_OK);
    int changed = 0;
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        changed += expected.classes[i] != without.classes[i];
        assert_int_equal(expected.classes[i] == SG_NO_CLASS, without.classes[i] == SG_NO_CLASS);
    }
    assert_true(changed > 100);
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        world w = make_world(1);
        assert_int_equal(run_with(state, &other[i], &a_crf, &w, &grid), SG_OK);
        assert_memory_equal(w.classes, expected.classes, WIDTH * HEIGHT);
        assert_memory_equal(w.probabilities, expected.probabilities,
                            sizeof(float) * WIDTH * HEIGHT * CLASSES);
        close_world(&w);
    }
    close_world(&expected);
    close_world(&without);
}

static void pixels_without_data_have_no_class(void **state)
{
    const setting s = {32, 32, 2, 2};
    sg_grid grid;
    world w = make_world(1);
    w.raw = 1;
    assert_int_equal(run(state, &s, &w, &grid), SG_OK);
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        int hole = i % WIDTH < HOLE && i / WIDTH < HOLE;
        assert_int_equal(w.classes[i] == SG_NO_CLASS, hole);
        assert_int_equal(w.probabilities[i * CLASSES] == SG_NO_PROBABILITY, hole);
    }
    close_world(&w);
}

static void tiles_without_data_skip_the_network(void **state)
{
    const setting s = {32, 16, 1, 1};
    sg_grid grid;
    world w = make_world(0);
    assert_int_equal(run(state, &s, &w, &grid), SG_OK);
    int64_t tiles = 0;
    for (int64_t c = 0; c < sg_grid_chunks(&grid); c++)
        tiles += sg_grid_tiles(&grid, c);
    assert_int_equal(w.tiles_seen, tiles - 9); /* of 3 x 3 whole chunks in the hole */
    close_world(&w);
}

/* Each failure ends the run with its own text, whichever thread it happens in. */
static void failures_end_the_run_with_their_text(void **state)
{
    const setting s = {32, 32, 2, 3};
    for (int kind = 0; kind < 3; kind++)
        for (int at = 1; at <= 4; at++) {
            sg_grid grid;
            world w = make_world(0);
            w.in_flight = 1 + at % 2;
            w.fail_network = kind == 0 ? at : 0;
            w.fail_chunk = kind == 1 ? at : 0;
            w.fail_next = kind == 2 ? at : 0;
            sg_err err = run(state, &s, &w, &grid);
            assert_int_equal(err, kind == 1 ? SG_EOUTPUT : SG_EINTERNAL);
            assert_string_equal(sg_error_text(), kind == 0   ? "the network broke"
                                                 : kind == 1 ? "the disk is full"
                                                             : "no more chunks to be had");
            close_world(&w);
        }
}

static void a_failure_at_the_very_last_chunk_is_not_lost(void **state)
{
    const setting s = {32, 32, 2, 1};
    sg_grid grid;
    world w = make_world(0);
    w.fail_chunk = 20;
    assert_int_equal(run(state, &s, &w, &grid), SG_EOUTPUT);
    assert_int_equal(sg_grid_chunks(&grid), 20);
    close_world(&w);
}

static int make_group(void **state)
{
    char path[TEMPDIR_PATH];
    if (tempdir_make(state) != 0)
        return 1;
    make_scene(tempdir_path(state, "scene.tif", path));
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_grid_batch_and_readers_give_the_single_tile),
        cmocka_unit_test(with_a_crf_too),
        cmocka_unit_test(pixels_without_data_have_no_class),
        cmocka_unit_test(tiles_without_data_skip_the_network),
        cmocka_unit_test(failures_end_the_run_with_their_text),
        cmocka_unit_test(a_failure_at_the_very_last_chunk_is_not_lost),
    };
    return cmocka_run_group_tests_name("pipeline", tests, make_group, tempdir_remove);
}
