/*
 * Making tiles: the threads of all ranks take runs of tiles from one counter, read, pack and keep
 * them. Which thread makes a tile shows nowhere in the result.
 */
#include "jobs/tile.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/size.h"
#include "tiles/failure.h"

/* Tiles taken at once: neighbours in a row, which share blocks of the file, but few enough for all
 * threads to have some. */
enum { RUN_MOST = 64, RUNS_PER_THREAD = 8 };

typedef struct {
    const sg_tile_work *work;
    sg_counter *taken; /* runs */
    int64_t run, runs; /* tiles of one; how many */
    sg_progress progress;
    pthread_mutex_t lock; /* for the parts and what follows */
    sg_failure failure;
    double synced;
} making;

/* One thread's. */
typedef struct {
    making *m;
    pthread_t thread;
    sg_tile_packer *packer;
    sg_source *source; /* of this scene: */
    size_t scene;
    float *pixels;           /* (tile, tile, bands) */
    uint8_t *valid, *labels; /* (tile, tile) */
} maker;

static sg_err open_maker(maker *k)
{
    const sg_tile_format *format = &k->m->work->layout->format;
    size_t area = (size_t)format->tile * (size_t)format->tile;
    sg_err err = sg_tile_packer_open(&k->packer, format);
    if (err == SG_OK)
        err = sg_malloc(area * (size_t)format->bands, sizeof *k->pixels, &k->pixels);
    if (err == SG_OK)
        err = sg_malloc(area, 1, &k->valid);
    return err == SG_OK ? sg_malloc(area, 1, &k->labels) : err;
}

static void close_maker(maker *k)
{
    sg_source_close(k->source);
    sg_tile_packer_close(k->packer);
    sg_free(k->pixels);
    sg_free(k->valid);
    sg_free(k->labels);
}

static sg_err open_scene(maker *k, size_t scene)
{
    if (k->source != NULL && k->scene == scene)
        return SG_OK;
    sg_source_close(k->source);
    k->source = NULL;
    k->scene = scene;
    return sg_source_open(&k->source, k->m->work->scenes, (int32_t)scene);
}

/* Now and then what is kept is made to outlive the machine. With the lock. */
static sg_err keep(making *m, int64_t tile, const uint8_t *record, size_t bytes)
{
    enum { SYNC_SECONDS = 60 };
    sg_err err = sg_parts_add(m->work->parts, tile, record, bytes);
    if (err != SG_OK || sg_now() - m->synced < SYNC_SECONDS)
        return err;
    m->synced = sg_now();
    return sg_parts_sync(m->work->parts);
}

static sg_err make_tile(maker *k, int64_t tile)
{
    making *m = k->m;
    const uint8_t *record;
    size_t bytes, scene;
    const sg_window window = sg_tile_layout_window(m->work->layout, tile, &scene);
    sg_err err = open_scene(k, scene);
    if (err == SG_OK)
        err = sg_source_read(k->source, window, k->pixels, k->valid);
    if (err == SG_OK)
        err = sg_source_labels(k->source, window, k->labels);
    if (err != SG_OK)
        return err;
    err = sg_tile_pack(k->packer, k->pixels, k->valid, k->labels, &record, &bytes);
    if (err != SG_OK)
        return sg_fail_in(err, m->work->scenes->scene[scene].image);
    pthread_mutex_lock(&m->lock);
    err = keep(m, tile, record, bytes);
    pthread_mutex_unlock(&m->lock);
    return err;
}

static sg_err make_run(maker *k, int64_t run)
{
    making *m = k->m;
    const int64_t first = run * m->run;
    const int64_t end = sg_min64(first + m->run, m->work->layout->tiles);
    sg_err err = SG_OK;
    for (int64_t tile = first; err == SG_OK && tile < end && !*m->work->stop; tile++)
        if (!sg_parts_has(m->work->parts, tile))
            err = make_tile(k, tile);
    return err;
}

/* The next run, `runs` when there is none for this thread any more. */
static sg_err take_run(making *m, int64_t *run)
{
    *run = m->runs;
    if (*m->work->stop)
        return SG_OK;
    sg_err err = sg_counter_next(m->taken, run);
    *run = sg_min64(*run, m->runs);
    pthread_mutex_lock(&m->lock);
    sg_progress_show(&m->progress, sg_min64(*run * m->run, m->work->layout->tiles), "");
    pthread_mutex_unlock(&m->lock);
    return err;
}

/* The rest is taken, so that nobody makes it: the first failure is the one to tell of. */
static void take_rest(making *m, sg_err failed)
{
    int64_t run = 0;
    pthread_mutex_lock(&m->lock);
    sg_failure_keep(&m->failure, failed);
    pthread_mutex_unlock(&m->lock);
    while (run < m->runs && sg_counter_next(m->taken, &run) == SG_OK)
        ;
}

static void *run_maker(void *user)
{
    maker *k = user;
    int64_t run = 0;
    sg_err err = open_maker(k);
    if (err == SG_OK)
        err = take_run(k->m, &run);
    while (err == SG_OK && run < k->m->runs) {
        err = make_run(k, run);
        if (err == SG_OK)
            err = take_run(k->m, &run);
    }
    if (err != SG_OK)
        take_rest(k->m, err);
    close_maker(k);
    return NULL;
}

/* This rank's threads; the calling one works too. */
static sg_err run_makers(making *m)
{
    maker *k = NULL;
    int32_t started = 0;
    sg_err err = sg_calloc((size_t)m->work->threads, sizeof *k, &k);
    if (err != SG_OK) {
        take_rest(m, err);
        return err;
    }
    for (int32_t i = 0; i < m->work->threads; i++)
        k[i].m = m;
    while (started + 1 < m->work->threads &&
           pthread_create(&k[started + 1].thread, NULL, run_maker, &k[started + 1]) == 0)
        started++; /* with fewer it takes longer */
    run_maker(&k[0]);
    for (int32_t i = 1; i <= started; i++)
        pthread_join(k[i].thread, NULL);
    sg_free(k);
    return sg_failure_raise(&m->failure);
}

/* [collective] */
static sg_err check_stopped(const making *m)
{
    int64_t stopped = *m->work->stop;
    sg_comm_max_i64(m->work->comm, &stopped, 1);
    return stopped ? sg_fail(SG_ESTOPPED,
                             "stopped by a signal before all tiles were made; run the same command "
                             "again to go on")
                   : SG_OK;
}

sg_err sg_tile_make_all(const sg_tile_work *work)
{
    const int64_t threads = (int64_t)sg_comm_ranks(work->comm) * work->threads;
    making m = {.work = work, .synced = sg_now()};
    int64_t found = 0;
    m.run = sg_min64(RUN_MOST, sg_max64(1, work->layout->tiles / (threads * RUNS_PER_THREAD)));
    m.runs = sg_div_up(work->layout->tiles, m.run);
    sg_err err = sg_counter_create(&m.taken, work->comm);
    if (err != SG_OK)
        return err;
    pthread_mutex_init(&m.lock, NULL);
    for (int64_t i = 0; i < work->layout->tiles; i++)
        found += sg_parts_has(work->parts, i);
    if (found > 0)
        sg_info("an earlier run has made %lld of %lld tiles", (long long)found,
                (long long)work->layout->tiles);
    sg_progress_start(&m.progress, "tile", work->layout->tiles);
    err = sg_comm_agree(work->comm, run_makers(&m));
    sg_progress_end(&m.progress);
    if (err == SG_OK)
        err = check_stopped(&m);
    pthread_mutex_destroy(&m.lock);
    sg_counter_close(m.taken);
    return err;
}
