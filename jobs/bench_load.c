/*
 * segtiles bench load: how fast crops are read as a job trains on them, from its scenes and from
 * its tile store, in one run: the same crops, sampled, altered and normalised by the loader's
 * threads, with no network that they wait for.
 */
#include "jobs/bench.h"

#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/size.h"
#include "jobs/tile_facts.h"
#include "jobs/training_crops.h"
#include "nn/measure.h"

enum { CROPS = 256 }; /* of a rank, each time */

typedef struct {
    const sg_bench_options *options;
    sg_comm *comm;
    sg_job job;
    sg_tile_store *store; /* or NULL */
    int32_t threads;      /* of a rank's loader */
} bench;

/* Crops of one source. */
typedef struct {
    const bench *b;
    sg_training_crops crops;
    sg_loader *loader;
} reading;

static sg_err open_loader(reading *r)
{
    const int64_t batch = r->b->options->batch;
    const int64_t ranks = sg_comm_ranks(r->b->comm), rank = sg_comm_rank(r->b->comm);
    const sg_loader_options options = {.batch = (int32_t)batch,
                                       .threads = r->b->threads,
                                       .ahead = 2,
                                       .first = (uint64_t)(rank * batch),
                                       .end = INT64_MAX,
                                       .stride = (uint64_t)(ranks * batch)};
    return sg_training_crops_load(&r->crops, &r->b->job, options, &r->loader);
}

static sg_err read_crops(reading *r)
{
    sg_err err = SG_OK;
    for (int64_t n = 0; !err && n < CROPS; n += r->b->options->batch) {
        sg_batch *batch = sg_loader_next(r->loader);
        if (batch->error)
            err = sg_fail(batch->error, "%s", batch->message);
        sg_loader_return(r->loader, batch);
    }
    return err;
}

/* Median seconds in which every rank has read its crops; the first time fills the caches.
 * [collective] */
static sg_err time_crops(reading *r, double *median)
{
    double seconds[SG_BENCH_REPEATS];
    sg_err err = read_crops(r);
    for (int32_t i = 0; i < r->b->options->repeats; i++) {
        sg_comm_barrier(r->b->comm);
        double start = sg_now();
        if (!err)
            err = read_crops(r);
        seconds[i] = sg_now() - start;
        sg_comm_max_f64(r->b->comm, &seconds[i], 1);
    }
    *median = sg_measure_median(seconds, r->b->options->repeats);
    return sg_comm_agree(r->b->comm, err);
}

/* [collective] */
static sg_err measure(const bench *b, sg_tile_store *store, double *seconds, int32_t *bands)
{
    reading r = {.b = b};
    sg_err err = sg_training_crops_open(&r.crops, b->comm, &b->job, store);
    if (!err)
        err = sg_comm_agree(b->comm, open_loader(&r));
    if (!err)
        err = time_crops(&r, seconds);
    *bands = r.crops.spec.bands;
    sg_loader_close(r.loader);
    sg_training_crops_close(&r.crops);
    return err;
}

static sg_err open_bench(bench *b, bool *scenes)
{
    const sg_bench_options *o = b->options;
    const sg_yaml_source source = {o->job, NULL, (const char *const *)o->overrides,
                                   (size_t)o->override_count};
    sg_err err = sg_job_load(&b->job, &source);
    if (!err)
        err = sg_tile_facts_open(&b->store, &b->job);
    *scenes = sg_job_names_scenes(&b->job) || !b->store;
    if (!err && o->batch == 0)
        err = sg_fail(SG_EUSAGE, "--batch auto: bench load wants a number");
    b->threads = b->job.train.loader_threads > 0 ? b->job.train.loader_threads
                                                 : (int32_t)sg_min64(4, sg_comm_threads(b->comm));
    return err;
}

static void show(const bench *b, int32_t bands, double scenes, double store)
{
    const double tile = b->job.train.tile, ranks = sg_comm_ranks(b->comm);
    const double crops = ranks * (double)sg_round_up(CROPS, b->options->batch);
    const double pixels = 1e-6 * crops * tile * tile;
    printf("load: crops of %.0f x %.0f x %d, %d reading thread%s, %.0f rank%s\n", tile, tile,
           (int)bands, (int)b->threads, b->threads == 1 ? "" : "s", ranks, ranks == 1 ? "" : "s");
    if (scenes > 0)
        printf("from the scenes: %.0f crops/s, %.1f Mpx/s\n", crops / scenes, pixels / scenes);
    if (store > 0)
        printf("from %s: %.0f crops/s, %.1f Mpx/s\n", sg_tile_store_path(b->store), crops / store,
               pixels / store);
    if (scenes > 0 && store > 0)
        printf("the store is read %.2f times as fast\n", scenes / store);
}

sg_err sg_bench_load(const sg_bench_options *options, sg_comm *comm)
{
    bench b = {.options = options, .comm = comm};
    double scenes = 0, store = 0;
    int32_t bands = 0;
    bool has_scenes = false;
    sg_err err = sg_comm_agree(comm, open_bench(&b, &has_scenes));
    if (!err && has_scenes)
        err = measure(&b, NULL, &scenes, &bands);
    if (!err && b.store)
        err = measure(&b, b.store, &store, &bands);
    if (!err && sg_comm_rank(comm) == 0)
        show(&b, bands, scenes, store);
    sg_tile_store_close(b.store);
    sg_job_clear(&b.job);
    return err;
}
