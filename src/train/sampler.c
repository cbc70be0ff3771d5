/*
 * Which crop is sample i: everything follows from (seed, i) by counter-based random numbers, so
 * neither ranks nor threads nor a resumed run can change it.
 */
#include "train/sampler.h"

#include <string.h>

#include "base/log.h"
#include "base/rng.h"
#include "base/size.h"

/* Uniform in [0, 1) with 53 bits. */
static double uniform53(uint32_t high, uint32_t low)
{
    return ((double)(high >> 5) * 67108864.0 + (double)(low >> 6)) / 9007199254740992.0;
}

/* The first region whose cumulative share is above u. */
static size_t find_region(const sg_sampler *s, double u)
{
    size_t low = 0, high = s->train_count - 1;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->cumulative[middle] > u)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Where a crop of `tile` begins in [start, start + length). */
static int64_t place(int64_t start, int64_t length, int64_t tile, uint32_t word)
{
    return length > tile ? start + sg_below(word, (uint32_t)(length - tile + 1)) : start;
}

void sg_sampler_sample(const sg_sampler *s, uint64_t index, sg_sample *sample)
{
    sg_random4 crop = sg_random(s->seed, SG_STREAM_CROP, index, 0);
    size_t found = find_region(s, uniform53(crop.v[0], crop.v[1]));
    const sg_region *region = &s->regions->item[s->train[found]];
    sample->scene = region->scene;
    sample->window.x = place(region->window.x, region->window.w, s->tile, crop.v[2]);
    sample->window.y = place(region->window.y, region->window.h, s->tile, crop.v[3]);
    sample->window.w = sample->window.h = s->tile;
    sample->count = sg_window_intersect(sample->window, region->window);
    sample->within = region->window;
    sample->alter = s->alter;
    sample->jitter = s->jitter;
    sample->seed = s->seed;
    sample->index = index;
    sample->turn = 0;
    if (s->augment)
        sample->turn = (int32_t)(sg_random(s->seed, SG_STREAM_AUGMENT, index, 0).v[0] & 7u);
}

/* Whether a crop at the origin of a region smaller than the tile stays within the region as far as
 * the scene goes. */
static sg_err check_small(const sg_training *t, const sg_region *region, bool *fits)
{
    sg_raster *raster = NULL;
    sg_window scene = {0, 0, 0, 0}, crop = region->window;
    sg_err err = sg_raster_open(&raster, t->scenes->scene[region->scene].image, NULL, 0);
    if (err)
        return err;
    scene.w = sg_raster_get_info(raster)->width;
    scene.h = sg_raster_get_info(raster)->height;
    crop.w = sg_max64(crop.w, t->tile);
    crop.h = sg_max64(crop.h, t->tile);
    *fits = sg_window_contains(region->window, sg_window_intersect(crop, scene));
    sg_raster_close(raster);
    return SG_OK;
}

static sg_err choose_regions(sg_sampler_tables *tables, const sg_training *t, size_t *left_out)
{
    sg_sampler *s = &tables->sampler;
    double area = 0;
    for (size_t i = 0; i < t->regions->count; i++) {
        const sg_region *region = &t->regions->item[i];
        bool fits = true;
        sg_err err = SG_OK;
        if (region->split != SG_SPLIT_TRAIN || sg_window_is_empty(region->window))
            continue;
        if (region->window.w < t->tile || region->window.h < t->tile)
            err = check_small(t, region, &fits);
        if (err)
            return err;
        if (!fits) {
            ++*left_out;
            continue;
        }
        area += (double)region->window.w * (double)region->window.h;
        tables->train[s->train_count] = i;
        tables->cumulative[s->train_count++] = area;
    }
    for (size_t k = 0; k < s->train_count; k++)
        tables->cumulative[k] /= area;
    return SG_OK;
}

sg_err sg_sampler_make(sg_sampler_tables *tables, const sg_training *t)
{
    size_t left_out = 0, most = t->regions->count > 0 ? t->regions->count : 1;
    sg_err err;
    memset(tables, 0, sizeof *tables);
    err = sg_calloc(most, sizeof *tables->train, &tables->train);
    if (!err)
        err = sg_calloc(most, sizeof *tables->cumulative, &tables->cumulative);
    if (!err)
        err = choose_regions(tables, t, &left_out);
    if (!err && tables->sampler.train_count == 0)
        err = sg_fail(SG_EUSAGE,
                      "no training region can hold a tile of %d pixels; use a smaller tile or "
                      "larger blocks",
                      t->tile);
    if (err) {
        sg_sampler_clear(tables);
        return err;
    }
    if (left_out > 0)
        sg_warn("training regions left out: %zu are smaller than the tile of %d pixels and border "
                "on another split",
                left_out, t->tile);
    tables->sampler.regions = t->regions;
    tables->sampler.train = tables->train;
    tables->sampler.cumulative = tables->cumulative;
    tables->sampler.seed = t->seed;
    tables->sampler.tile = t->tile;
    tables->sampler.augment = t->augment;
    tables->sampler.alter = sg_alter_any(&t->alter) ? &t->alter : NULL;
    tables->sampler.jitter = t->jitter;
    return SG_OK;
}

void sg_sampler_clear(sg_sampler_tables *tables)
{
    sg_free(tables->train);
    sg_free(tables->cumulative);
    memset(tables, 0, sizeof *tables);
}
