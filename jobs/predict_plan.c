/*
 * How large the tiles are. The result does not depend on it, so it is a question of work and memory
 * only: the fewest pixels computed, in tiles whose values fit into a rank's share of memory.
 */
#include "jobs/predict.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/log.h"
#include "base/size.h"

/* Halos between tiles of this many halos cost about a fifth; larger tiles win little and only take
 * memory. Small networks still get tiles that are worth starting for. */
enum { TILE_HALOS = 23, TILE_LEAST = 1024 };
/* Several tiles are classified at once when one alone is small: a quarter of the largest batch. */
enum { BATCH_PIXELS = 1 << 20, BATCH_MOST = 8 };
/* Of a chunk at most: what a rank holds twice beside its tiles. */
enum { CHUNK_PIXELS = 12 << 20 };
/* Chunks that are whole blocks of this many overviews, where the busiest rank then has hardly more
 * to do. */
enum { OVERVIEWS_IN_CHUNK = 3 };
static const double MOST_FOR_OVERVIEWS = 1.02;
/* Where tiling is not exact on this machine, all scenes are cut alike. */
enum { FIXED_TILE = 1024, FIXED_CHUNK = 2048 };

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

/* A rank's memory for tiles and chunks: as asked, else half of its share of what is free; the least
 * of all ranks. */
static sg_err agree_budget(const sg_predict_options *options, sg_comm *comm, double *budget)
{
    sg_err err = SG_OK;
    *budget = available_memory() / 2 / sg_comm_local_ranks(comm);
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

/* Bytes per pixel of a tile: the network's values, two batches being read, the results. */
static sg_err tile_bytes(const sg_network *network, int want_probabilities, double *bytes)
{
    const sg_spec *spec = &network->checkpoint.spec;
    sg_err err = sg_network_bytes_per_pixel(network, bytes);
    *bytes += 2 * (sizeof(float) * spec->bands + 1) + 1;
    if (want_probabilities)
        *bytes += (double)sizeof(float) * spec->classes.count;
    return err;
}

/* Bytes per pixel of a chunk: there are two of them, values made of one, and its overviews. */
static double chunk_bytes(const sg_spec *spec, int want_probabilities)
{
    double probabilities = sizeof(float) * (double)spec->classes.count;
    return want_probabilities ? 2 * (1 + probabilities) + 1 + 2 * sizeof(float) + probabilities / 4
                              : 2 + 1.25;
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

static sg_err check_wished_tile(const sg_predict_options *options, const sg_grid *grid,
                                int32_t batch, double bytes, double budget)
{
    double need = (double)grid->tile_w * (double)grid->tile_h * batch * bytes;
    if (!options->max_mem || need <= budget)
        return SG_OK;
    return sg_fail(SG_EUSAGE,
                   "%d tile(s) of %" PRId64 " x %" PRId64 " pixels need %.0f MiB: more than "
                   "--max-mem %s; make --tile or --batch smaller",
                   batch, grid->tile_w, grid->tile_h, need / (1 << 20), options->max_mem);
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
    return err;
}

static sg_err choose(const sg_predict_options *options, const sg_network *network,
                     sg_grid_wish *wish, double budget, double bytes, sg_predict_plan *plan)
{
    int32_t batch = sg_max64(options->batch, 1);
    double most = fmin(0.75 * budget / bytes / batch, (double)largest_tile(&network->reach));
    wish->most_pixels = (int64_t)most;
    if (!network->exact)
        fix_sizes(wish);
    sg_err err = choose_grid(wish, &plan->grid);
    if (err != SG_OK)
        return err;
    plan->batch = options->batch;
    if (plan->batch == 0)
        plan->batch = network->exact ? choose_batch(&plan->grid, wish->ranks, most) : 1;
    return check_wished_tile(options, &plan->grid, plan->batch, bytes, budget);
}

static void tell(const sg_predict_plan *plan)
{
    const sg_grid *grid = &plan->grid;
    sg_verbose("%" PRId64 " chunks of %" PRId64 " x %" PRId64 ", tiles of %" PRId64 " x %" PRId64
               ", batch %d: %.3f pixels computed for one written",
               sg_grid_chunks(grid), grid->chunk_w, grid->chunk_h, grid->tile_w, grid->tile_h,
               plan->batch, sg_grid_overhead(grid));
}

sg_err sg_predict_choose(const sg_predict_options *options, const sg_network *network,
                         sg_comm *comm, const sg_predict_size *size, sg_predict_plan *plan)
{
    double budget = 0, bytes = 1;
    sg_err err = agree_budget(options, comm, &budget);
    if (err != SG_OK)
        return err;
    sg_grid_wish wish = {.width = size->width,
                         .height = size->height,
                         .stride = network->reach.stride,
                         .halo = network->reach.halo,
                         .part = size->part,
                         .block = SG_PREDICT_BLOCK,
                         .tile = options->tile,
                         .chunk_w = options->chunk,
                         .chunk_h = options->chunk,
                         .ranks = sg_comm_ranks(comm)};
    double per_pixel = chunk_bytes(&network->checkpoint.spec, size->want_probabilities);
    if (size->chunk_w > 0) {
        wish.chunk_w = size->chunk_w;
        wish.chunk_h = size->chunk_h;
    }
    wish.most_chunk = (int64_t)fmin(CHUNK_PIXELS, budget / 4 / per_pixel);
    wish.most_chunk = sg_max64(wish.most_chunk, 1);
    err = tile_bytes(network, size->want_probabilities, &bytes);
    if (err == SG_OK)
        err = choose(options, network, &wish, budget, bytes, plan);
    err = sg_comm_agree(comm, err);
    if (err == SG_OK)
        tell(plan);
    return err;
}
