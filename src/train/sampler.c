/*
 * Which crop is sample i: everything follows from (seed, i) by counter-based random numbers, so
 * neither ranks nor threads nor a resumed run can change it.
 */
#include "train/sampler.h"

#include "base/rng.h"
#include "base/size.h"

/* Counters of SG_STREAM_CROP for one sample. */
enum { BY_AREA, KIND, PLACE, SHIFT };

/* Indices that no sample of a run has: those of crops that others receive something of. */
static const uint64_t PARTNERS = (uint64_t)1 << 62;

/* Where a crop of `tile` begins in [start, start + length). */
static int64_t place(int64_t start, int64_t length, int64_t tile, uint32_t word)
{
    return length > tile ? start + sg_below(word, (uint32_t)(length - tile + 1)) : start;
}

static void crop_by_area(const sg_sampler *s, uint64_t index, sg_sample *sample, size_t *whole)
{
    sg_random4 crop = sg_random(s->seed, SG_STREAM_CROP, index, BY_AREA);
    size_t found = sg_choose(s->cumulative, s->train_count, sg_uniform53(crop.v[0], crop.v[1]));
    const sg_window *window = &s->regions->item[s->train[found]].window;
    sample->window.x = place(window->x, window->w, s->tile, crop.v[2]);
    sample->window.y = place(window->y, window->h, s->tile, crop.v[3]);
    *whole = s->whole_of[found];
}

/* Where a crop begins that holds a pixel `offset` pixels from its start, as far as the region
 * allows. */
static int64_t around(int64_t start, int64_t length, int64_t tile, int64_t pixel, int64_t offset)
{
    return sg_min64(sg_max64(pixel - offset, start), sg_max64(start, start + length - tile));
}

static void crop_around(const sg_sampler *s, int64_t x, int64_t y, int64_t left, int64_t above,
                        size_t whole, sg_sample *sample)
{
    const sg_window *window = &s->whole->item[whole].window;
    sample->window.x = around(window->x, window->w, s->tile, x, left);
    sample->window.y = around(window->y, window->h, s->tile, y, above);
}

/* The pixel lies in the middle half of the crop, in each direction. */
static void crop_at_class(const sg_sampler *s, uint64_t index, int32_t class, sg_sample *sample,
                          size_t *whole)
{
    sg_random4 which = sg_random(s->seed, SG_STREAM_CROP, index, PLACE);
    sg_random4 shift = sg_random(s->seed, SG_STREAM_CROP, index, SHIFT);
    const sg_places *p = s->places;
    size_t first = p->first[class], count = p->first[class + 1] - first;
    const sg_place *at = &p->item[first + sg_below(which.v[0], (uint32_t)count)];
    uint32_t half = (uint32_t)sg_max64(1, s->tile / 2);
    *whole = (size_t)at->region;
    crop_around(s, at->x, at->y, s->tile / 4 + sg_below(shift.v[0], half),
                s->tile / 4 + sg_below(shift.v[1], half), *whole, sample);
}

static void crop_at_errors(const sg_sampler *s, uint64_t index, sg_sample *sample, size_t *whole)
{
    sg_random4 which = sg_random(s->seed, SG_STREAM_CROP, index, PLACE);
    int64_t x, y;
    sg_mining_pick(s->mining, which.v, whole, &x, &y);
    crop_around(s, x, y, s->tile / 2, s->tile / 2, *whole, sample);
}

/* Each epoch goes through the tiles in an order of its own. */
static void crop_of_grid(const sg_sampler *s, uint64_t index, sg_sample *sample, size_t *whole)
{
    uint64_t tiles = s->grid->tiles, epoch = index / tiles;
    uint64_t tile = sg_permute(s->seed, SG_STREAM_ORDER, epoch, index % tiles, tiles);
    *whole = s->whole_of[sg_cover_sample(s->grid, tile, sample)];
}

static void choose_window(const sg_sampler *s, uint64_t index, sg_sample *sample, size_t *whole)
{
    sg_random4 kind = sg_random(s->seed, SG_STREAM_CROP, index, KIND);
    double u = sg_uniform53(kind.v[0], kind.v[1]);
    int32_t class = 0;
    if (s->grid) {
        crop_of_grid(s, index, sample, whole);
        return;
    }
    while (class < s->classes && u >= s->class_end[class])
        class ++;
    if (class < s->classes)
        crop_at_class(s, index, class, sample, whole);
    else if (u < s->mining_end)
        crop_at_errors(s, index, sample, whole);
    else
        crop_by_area(s, index, sample, whole);
}

static void fill_in(const sg_sampler *s, uint64_t index, size_t whole, sg_sample *sample)
{
    const sg_region *region = &s->whole->item[whole];
    sample->scene = region->scene;
    sample->window.x -= s->beside;
    sample->window.y -= s->beside;
    sample->window.w = sample->window.h = s->tile + 2 * s->beside;
    sample->within = region->window;
    sample->count = sg_window_intersect(sample->window, region->window);
    sample->alter = s->alter;
    sample->jitter = s->jitter;
    sample->seed = s->seed;
    sample->index = index;
    sample->turn = 0;
    if (s->augment)
        sample->turn = (int32_t)(sg_random(s->seed, SG_STREAM_AUGMENT, index, 0).v[0] & 7u);
}

void sg_sampler_sample(const sg_sampler *s, uint64_t index, sg_sample *sample)
{
    size_t whole;
    choose_window(s, index, sample, &whole);
    fill_in(s, index, whole, sample);
}

bool sg_sampler_partner(const sg_sampler *s, uint64_t index, sg_mix_kind kind, sg_sample *sample,
                        uint8_t *class)
{
    const uint64_t other = PARTNERS + 2 * index + (kind == SG_MIX_REGIONS);
    size_t whole;
    if (kind == SG_MIX_RECTANGLE) {
        sg_sampler_sample(s, other, sample);
        return true;
    }
    if (s->pastes == 0)
        return false;
    sg_random4 which = sg_random(s->seed, SG_STREAM_CROP, other, KIND);
    *class = (uint8_t)s->paste[sg_below(which.v[0], (uint32_t)s->pastes)];
    crop_at_class(s, other, *class, sample, &whole);
    fill_in(s, other, whole, sample);
    return true;
}

static void sample_of(void *user, uint64_t index, sg_sample *sample)
{
    sg_sampler_sample(user, index, sample);
}

static bool partner_of(void *user, uint64_t index, sg_mix_kind kind, sg_sample *sample,
                       uint8_t *class)
{
    return sg_sampler_partner(user, index, kind, sample, class);
}

void sg_sampler_feed(sg_sampler *sampler, sg_loader_options *options)
{
    options->sample = sample_of;
    options->partner = partner_of;
    options->user = sampler;
}

void sg_sampler_learn(const sg_sampler *s, uint64_t index, int64_t wrong, int64_t seen)
{
    sg_sample sample = {0};
    size_t whole;
    choose_window(s, index, &sample, &whole);
    sg_mining_add(s->mining, whole, sample.window.x + s->tile / 2, sample.window.y + s->tile / 2,
                  wrong, seen);
}
