/*
 * How large the tiles are. The result does not depend on it, so it is a question of work and memory
 * only: the fewest pixels computed, in tiles and chunks with which all that a rank holds fits into
 * its share of memory.
 */
#include "jobs/predict_memory.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "base/size.h"
#include "nn/fit.h"
#include "tiles/augment.h"

/* Halos between tiles of this many halos cost about a fifth; larger tiles win little and only take
 * memory. Small networks still get tiles that are worth starting for. */
enum { TILE_HALOS = 23, TILE_LEAST = 1024 };
/* Several tiles are classified at once when one alone is small: a quarter of the largest batch. */
enum { BATCH_PIXELS = 1 << 20, BATCH_MOST = 8 };
/* Of a chunk at most: what a rank holds twice beside its tiles. */
enum { CHUNK_PIXELS = 12 << 20 };
/* With augmentation, square tiles that cost no more than this save the executor of the turned. */
static const double MOST_FOR_SQUARES = 1.1;
/* Chunks that are whole blocks of this many overviews, where the busiest rank then has hardly more
 * to do. */
enum { OVERVIEWS_IN_CHUNK = 3 };
static const double MOST_FOR_OVERVIEWS = 1.02;
/* GDAL's block cache, bytes, and the reading threads of a rank. */
enum { CACHE = 32 << 20, CACHE_LEAST = 4 << 20, READERS = 2 };
/* How often less memory for tiles is tried, and how much less. */
enum { TRIALS = 10 };
/* The longest side of a chunk where memory is as short as can be. */
enum { MOST_SMALL = 1024 };
static const double NARROWER = 0.75;
/* Where tiling is not exact on this machine, all scenes are cut alike. */
enum { FIXED_TILE = 1024, FIXED_CHUNK = 2048 };
/* In blend mode results depend on tiles, so they must not depend on memory. What tiles share costs
 * work: (4 / 3)^2 times with a quarter. */
enum { BLENDED_TILE = 512, OVERLAP_PARTS = 4 };

sg_err sg_bytes_parse(const char *text, double *bytes)
{
    static const char unit[] = "KMGT";
    char *end = NULL;
    *bytes = strtod(text, &end);
    const char *found = *end ? strchr(unit, *end & ~0x20) : NULL;
    if (found) {
        *bytes *= ldexp(1, 10 * (int)(found - unit + 1));
        end++;
    }
    if (*end == 'B' || *end == 'b')
        end++;
    if (end == text || *end || !(*bytes >= 1) || isinf(*bytes))
        return sg_fail(SG_EUSAGE, "--max-mem %s: expected an amount such as 800M or 2G", text);
    return SG_OK;
}

/* Memory that programs may still take, bytes. */
static double available_memory(void)
{
    double kib = 0;
    char line[128];
    FILE *file = fopen("/proc/meminfo", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "MemAvailable: %lf kB", &kib) == 1)
            break;
    if (file)
        fclose(file);
    if (kib > 0)
        return kib * 1024;
    return (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
}

/* A rank's memory for all: as asked, else what it has and half of its share of what is free; the
 * least of all ranks. */
static sg_err agree_budget(const sg_predict_options *options, const sg_predict_rank *rank,
                           sg_comm *comm, double *budget)
{
    sg_err err = SG_OK;
    *budget = rank->resident + available_memory() / 2 / sg_comm_local_ranks(comm);
    if (options->max_mem)
        err = sg_bytes_parse(options->max_mem, budget);
    err = sg_comm_agree(comm, err);
    if (err != SG_OK)
        return err;
    double least = -*budget;
    sg_comm_max_f64(comm, &least, 1);
    *budget = -least;
    return SG_OK;
}

/* Bytes per pixel of a tile, about: the network's values, two batches being read, the results. */
static sg_err tile_bytes(const sg_network *network, int want_probabilities, double *bytes)
{
    const sg_spec *spec = &network->checkpoint.spec;
    sg_err err = sg_network_bytes_per_pixel(network, bytes);
    *bytes += 2 * (sizeof(float) * spec->bands + 1) + 1;
    if (want_probabilities)
        *bytes += (double)sizeof(float) * spec->classes.count;
    return err;
}

/* Bytes per pixel of a chunk, about: there are two of them, values made of one, and its overviews.
 */
static double chunk_bytes(const sg_predict_options *options, const sg_network *network,
                          const sg_predict_size *size)
{
    double probabilities = sg_predict_pixel_bytes(network, SG_OUT_PROBABILITIES), bytes = 3;
    if (options->crf.iterations > 0)
        bytes += probabilities + 2 * sizeof(float) * network->checkpoint.spec.bands;
    if (size->want_probabilities)
        bytes += 2 * probabilities + sizeof(float);
    for (int i = 0; i < SG_OUTPUTS; i++)
        bytes += size->wanted[i] ? sg_predict_pixel_bytes(network, i) / 2 : 0;
    return bytes;
}

/* And what augmentation adds to a tile: its buffers, and an executor for turned tiles. */
static sg_err add_augment_bytes(const sg_network *network, double *bytes)
{
    const sg_spec *spec = &network->checkpoint.spec;
    double turned = 0;
    sg_err err = sg_network_bytes_per_pixel(network, &turned);
    *bytes += turned + sg_augment_bytes_per_pixel(spec->bands, spec->classes.count);
    return err;
}

static int64_t largest_tile(const sg_network_reach *reach)
{
    int64_t side = sg_max64(TILE_HALOS * reach->halo, TILE_LEAST);
    return side * side;
}

static int32_t choose_batch(const sg_grid *grid, int64_t ranks, double most_pixels)
{
    double tile = (double)(grid->tile_w * grid->tile_h);
    int64_t tiles = sg_div_up(sg_grid_chunks(grid), ranks) * grid->tiles_x * grid->tiles_y;
    double most = fmin(BATCH_PIXELS / tile, most_pixels / tile);
    return (int32_t)sg_max64(1, sg_min64(sg_min64((int64_t)most, BATCH_MOST), tiles));
}

static void fix_sizes(sg_grid_wish *wish)
{
    int64_t least = wish->stride + 2 * wish->halo;
    wish->tile = sg_max64(FIXED_TILE, sg_round_up(2 * least, wish->stride));
    wish->chunk_w = wish->chunk_h = FIXED_CHUNK;
}

/* A chunk that reaches over the scene's edge ends with its last block, as one that is asked for
 * does: a prediction that is gone on with has its chunks from the journal. */
static void trim_chunks(sg_grid *grid, const sg_grid_wish *wish)
{
    int64_t unit = sg_max64(wish->block, wish->stride);
    grid->chunk_w = sg_min64(grid->chunk_w, sg_round_up(grid->padded_w, unit));
    grid->chunk_h = sg_min64(grid->chunk_h, sg_round_up(grid->padded_h, unit));
}

/*
 * Chunks of 2, 4 or 8 blocks a side where that costs little: so many levels of overviews then have
 * all their blocks in one chunk, and are finished with it.
 */
static sg_err choose_grid(const sg_grid_wish *wish, sg_grid *grid)
{
    sg_err err = sg_grid_create(grid, wish);
    double most = MOST_FOR_OVERVIEWS * (err == SG_OK ? sg_grid_busiest(grid, wish->ranks) : 0);
    sg_grid_wish larger = *wish;
    for (int i = 0; err == SG_OK && wish->chunk_w == 0 && i < OVERVIEWS_IN_CHUNK; i++) {
        sg_grid tried;
        larger.block *= 2;
        if (larger.block * larger.block > wish->most_chunk)
            break;
        err = sg_grid_create(&tried, &larger);
        if (err == SG_OK && sg_grid_busiest(&tried, wish->ranks) <= most)
            *grid = tried;
    }
    if (err == SG_OK)
        trim_chunks(grid, wish);
    return err;
}

/* Square tiles of about the same area, where they cost little. */
static sg_err prefer_squares(const sg_grid_wish *wish, sg_grid *grid)
{
    sg_grid_wish square = *wish;
    sg_grid tried;
    double most = MOST_FOR_SQUARES * sg_grid_busiest(grid, wish->ranks);
    int64_t side = (int64_t)sqrt((double)grid->tile_w * (double)grid->tile_h);
    square.tile = side / wish->stride * wish->stride;
    square.chunk_w = grid->chunk_w;
    square.chunk_h = grid->chunk_h;
    if (grid->tile_w == grid->tile_h || square.tile < wish->stride + 2 * wish->halo)
        return SG_OK;
    sg_err err = sg_grid_create(&tried, &square);
    if (err == SG_OK && tried.tile_w == tried.tile_h &&
        sg_grid_busiest(&tried, wish->ranks) <= most)
        *grid = tried;
    return err;
}

/* What a plan is looked for with. */
typedef struct {
    const sg_predict_options *options;
    const sg_network *network;
    const sg_predict_size *size;
    sg_predict_rank rank;
    sg_grid_wish wish;
    double per_tile, per_chunk; /* bytes of a pixel, about */
    double budget;              /* of a rank, for all that it holds */
    size_t device_bytes;        /* for values on a device with memory of its own; else SIZE_MAX */
} search;

/* Whether all that a rank holds fits with this batch. */
static bool fits(const search *s, sg_predict_plan *plan, int64_t batch)
{
    sg_predict_memory memory;
    plan->batch = (int32_t)batch;
    return sg_predict_need(s->options, s->network, s->size, &s->rank, plan, &memory) == SG_OK &&
           sg_predict_most(&memory) <= s->budget;
}

/*
 * For --batch auto: as many tiles as fit, at least 1. No more than a chunk has: batches are made of
 * one chunk. On a device with memory of its own, what is free there counts as well.
 */
static sg_err largest_batch(const search *s, sg_predict_plan *plan)
{
    const sg_network *network = s->network;
    const sg_grid *grid = &plan->grid;
    int64_t least = 1, most = sg_min64(grid->tiles_x * grid->tiles_y, SG_BATCH_MOST);
    const sg_abilities abilities = sg_backend_abilities(network->backend);
    const sg_plan_request request = {
        network->graph,
        {1, grid->tile_h, grid->tile_w, network->checkpoint.spec.bands},
        network->type,
        SG_PLAN_INFERENCE,
        &abilities};
    most = sg_fitting_batch(&request, s->device_bytes, most);
    while (least < most) {
        int64_t middle = least + (most - least + 1) / 2;
        if (fits(s, plan, middle))
            least = middle;
        else
            most = middle - 1;
    }
    plan->batch = (int32_t)least;
    return SG_OK;
}

/* As many as compute otherwise, but no more than a quarter of the bytes is for: one has its own. */
static int32_t crf_workers(const search *s, const sg_predict_plan *plan, double bytes)
{
    double each = sg_predict_crf_bytes(s->network, plan);
    return each > 0 ? (int32_t)fmin(s->rank.threads, 1 + floor(bytes / 4 / each)) : 0;
}

/* The plan for so many bytes of tiles and chunks, and what all of it takes. */
static sg_err make_plan(const search *s, double bytes, sg_predict_plan *plan, double *need)
{
    const sg_predict_options *options = s->options;
    const sg_network *network = s->network;
    int32_t batch = sg_max64(options->batch, 1);
    double most = fmin(0.75 * bytes / s->per_tile / batch, (double)largest_tile(&network->reach));
    sg_grid_wish wish = s->wish;
    sg_predict_memory memory;
    wish.most_pixels = (int64_t)most;
    wish.most_chunk = sg_max64((int64_t)fmin(CHUNK_PIXELS, bytes / 4 / s->per_chunk), 1);
    if (!network->exact && !wish.blend)
        fix_sizes(&wish);
    sg_err err = choose_grid(&wish, &plan->grid);
    if (err == SG_OK && options->augment && wish.tile == 0)
        err = prefer_squares(&wish, &plan->grid);
    if (err != SG_OK)
        return err;
    plan->augment = options->augment;
    plan->crf = options->crf;
    plan->crf_workers = crf_workers(s, plan, bytes);
    plan->batch = options->batch;
    if (plan->batch == SG_BATCH_LARGEST)
        err = largest_batch(s, plan);
    if (plan->batch == 0)
        plan->batch = network->exact ? choose_batch(&plan->grid, wish.ranks, most) : 1;
    err = sg_predict_need(options, network, s->size, &s->rank, plan, &memory);
    *need = sg_predict_most(&memory);
    return err;
}

/* The smallest of everything that was left open, with chunks of this side. */
static sg_err make_small(const search *s, int64_t chunk, sg_predict_plan *plan, double *need)
{
    sg_predict_memory memory;
    sg_grid_wish wish = s->wish;
    if (wish.tile == 0)
        wish.tile = wish.stride + 2 * wish.halo;
    if (wish.chunk_w == 0)
        wish.chunk_w = wish.chunk_h = chunk;
    if (!s->network->exact && !wish.blend)
        fix_sizes(&wish);
    plan->cache = CACHE_LEAST;
    plan->readers = s->options->readers > 0 ? s->options->readers : 1;
    plan->augment = s->options->augment;
    plan->crf = s->options->crf;
    plan->crf_workers = 1;
    plan->batch = sg_max64(s->options->batch, 1);
    sg_err err = sg_grid_create(&plan->grid, &wish);
    if (err == SG_OK)
        err = sg_predict_need(s->options, s->network, s->size, &s->rank, plan, &memory);
    *need = sg_predict_most(&memory);
    return err;
}

/* Smaller chunks take less, but what is kept of each of them more. */
static sg_err make_least(const search *s, sg_predict_plan *plan, double *least)
{
    sg_err err = make_small(s, s->wish.block, plan, least);
    for (int64_t chunk = 2 * s->wish.block; err == SG_OK && chunk <= MOST_SMALL; chunk *= 2) {
        sg_predict_plan tried;
        double need = 0;
        err = make_small(s, chunk, &tried, &need);
        if (err == SG_OK && need < *least) {
            *plan = tried;
            *least = need;
        }
    }
    return err;
}

static sg_err refuse(const search *s, double least)
{
    const sg_predict_options *options = s->options;
    bool wishes = options->tile || options->batch || options->chunk || options->readers;
    if (!options->max_mem)
        return sg_fail(SG_ENOMEM,
                       "mapping this scene with this network takes at least %.0fM a rank, %.0fM "
                       "are free for it: start fewer ranks on a node",
                       ceil(least / (1 << 20)), floor(s->budget / (1 << 20)));
    return sg_fail(SG_EUSAGE,
                   "--max-mem %s: mapping this scene with this network takes at least %.0fM a "
                   "rank%s",
                   options->max_mem, ceil(least / (1 << 20)),
                   wishes ? ", with --tile, --batch, --chunk and --readers as given" : "");
}

/*
 * From what is left beside the fixed parts, less each time, until all of it fits. Where that is
 * much too little for two readers, there is one, and a small cache.
 */
static sg_err find_plan(const search *s, sg_predict_plan *plan)
{
    double least = 0, need = 0;
    sg_err err = make_least(s, plan, &least);
    if (err != SG_OK)
        return err;
    if (least > s->budget)
        return refuse(s, least);
    sg_predict_plan smallest = *plan;
    for (int tight = 0; tight < 2; tight++) {
        plan->cache = tight ? CACHE_LEAST : CACHE;
        plan->readers = s->options->readers > 0 ? s->options->readers : tight ? 1 : READERS;
        double bytes = s->budget - least + smallest.cache - plan->cache;
        for (int i = 0; i < TRIALS && bytes > 0; i++, bytes *= NARROWER) {
            err = make_plan(s, bytes, plan, &need);
            if (err == SG_OK && need <= s->budget)
                return SG_OK;
            if (err != SG_OK && err != SG_ENOMEM)
                return err;
        }
    }
    *plan = smallest;
    return SG_OK;
}

static void tell(const search *s, const sg_predict_plan *plan)
{
    const sg_grid *grid = &plan->grid;
    sg_predict_memory m = {0};
    const double mib = 1 << 20;
    sg_verbose("%" PRId64 " chunks of %" PRId64 " x %" PRId64 ", tiles of %" PRId64 " x %" PRId64
               ", %s, batch %d: %.3f pixels computed for one written",
               sg_grid_chunks(grid), grid->chunk_w, grid->chunk_h, grid->tile_w, grid->tile_h,
               s->wish.blend ? "blended" : "exact", plan->batch, sg_grid_overhead(grid));
    if (sg_predict_need(s->options, s->network, s->size, &s->rank, plan, &m) == SG_OK)
        sg_verbose("a rank takes up to %.0f MiB of %.0f: program %.0f, cache %.0f, readers %.0f, "
                   "network %.0f, batches %.0f, chunks %.0f, CRF %.0f, outputs %.0f, tables %.1f; "
                   "assembly %.0f",
                   sg_predict_most(&m) / mib, s->budget / mib, m.program / mib, m.cache / mib,
                   m.readers / mib, m.network / mib, m.batches / mib, m.chunks / mib, m.crf / mib,
                   m.outputs / mib, m.tables / mib, m.assembly / mib);
}

/* An eighth is left to the kernels' working space. The same on all ranks. [collective] */
static size_t device_memory(const sg_network *network, sg_comm *comm)
{
    sg_backend *backend = network->backend;
    double least = -INFINITY;
    if (backend->available)
        least = -0.875 * (double)backend->available(backend);
    sg_comm_max_f64(comm, &least, 1);
    return isinf(least) ? SIZE_MAX : (size_t)-least;
}

bool sg_predict_blends(const sg_predict_options *options, const sg_network *network)
{
    return strcmp(options->mode, "blend") == 0 || network->reach.unbounded;
}

sg_err sg_predict_check_mode(const sg_predict_options *options, const sg_network *network)
{
    if (network->reach.unbounded && strcmp(options->mode, "exact") == 0)
        return sg_fail(SG_EUNSUPPORTED,
                       "%s: --mode exact is impossible: this network looks at its whole input "
                       "(global pooling, group norm); --mode blend maps it",
                       network->path);
    if (network->reach.widest_margin > 0 && sg_predict_blends(options, network))
        return sg_fail(SG_EUNSUPPORTED,
                       "%s: --mode blend is impossible: this network has no result along the sides "
                       "of a tile (convolutions without padding); --mode exact maps it",
                       network->path);
    if (options->overlap != SG_OVERLAP_AUTO && !sg_predict_blends(options, network))
        return sg_fail(SG_EUSAGE,
                       "--overlap is for blended tiles: %s is mapped exactly without "
                       "--mode blend",
                       network->path);
    return SG_OK;
}

static void wish_blending(const sg_predict_options *options, sg_grid_wish *wish)
{
    int64_t tile = wish->tile > 0 ? wish->tile : sg_max64(BLENDED_TILE, 2 * wish->stride);
    wish->blend = true;
    wish->halo = 0;
    wish->tile = sg_round_up(tile, wish->stride);
    wish->overlap = options->overlap;
    if (options->overlap == SG_OVERLAP_AUTO)
        wish->overlap = wish->tile / OVERLAP_PARTS / wish->stride * wish->stride;
}

static sg_grid_wish make_wish(const sg_predict_options *options, const sg_network *network,
                              const sg_predict_size *size, int64_t ranks)
{
    sg_grid_wish wish = {.width = size->width,
                         .height = size->height,
                         .stride = network->reach.stride,
                         .halo = network->reach.halo,
                         .part = size->part,
                         .block = options->format.block,
                         .tile = options->tile,
                         .chunk_w = options->chunk,
                         .chunk_h = options->chunk,
                         .ranks = ranks,
                         .surrounded = network->reach.widest_margin > 0,
                         .most_pixels = INT64_MAX};
    if (size->chunk_w > 0) {
        wish.chunk_w = size->chunk_w;
        wish.chunk_h = size->chunk_h;
    }
    if (sg_predict_blends(options, network))
        wish_blending(options, &wish);
    if (options->crf.iterations > 0) {
        wish.frame = sg_crf_window(&options->crf);
        wish.margin = sg_crf_margin(&options->crf);
    }
    return wish;
}

sg_err sg_predict_choose(const sg_predict_options *options, const sg_network *network,
                         sg_comm *comm, const sg_predict_size *wanted, sg_predict_plan *plan)
{
    sg_predict_size whole = *wanted, *size = &whole;
    search s = {.options = options, .network = network, .size = size};
    /* they are what is blended, and what a CRF begins with */
    size->want_probabilities |= sg_predict_blends(options, network) || options->crf.iterations > 0;
    sg_predict_measure(options, comm, &s.rank);
    sg_err err = agree_budget(options, &s.rank, comm, &s.budget);
    if (err != SG_OK)
        return err;
    s.wish = make_wish(options, network, size, sg_comm_ranks(comm));
    s.device_bytes = device_memory(network, comm);
    s.per_chunk = chunk_bytes(options, network, size);
    err = tile_bytes(network, size->want_probabilities, &s.per_tile);
    if (err == SG_OK && options->augment)
        err = add_augment_bytes(network, &s.per_tile);
    if (err == SG_OK)
        err = find_plan(&s, plan);
    err = sg_comm_agree(comm, err);
    if (err == SG_OK) {
        sg_gdal_cache((size_t)plan->cache);
        tell(&s, plan);
    }
    return err;
}
