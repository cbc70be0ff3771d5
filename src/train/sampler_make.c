/* The tables of a sampler: which regions crops are taken from, and how often. */
#include "train/sampler.h"

#include <string.h>

#include "base/log.h"
#include "base/size.h"

/* Whether a crop at the origin of a region smaller than the tile stays within the region as far as
 * the scene goes. */
static sg_err check_small(const sg_training *t, const sg_region *region, int32_t tile, bool *fits)
{
    sg_window scene, crop = region->window;
    sg_err err = sg_source_extent(t->scenes, region->scene, &scene);
    if (err)
        return err;
    crop.w = sg_max64(crop.w, tile);
    crop.h = sg_max64(crop.h, tile);
    *fits = sg_window_contains(region->window, sg_window_intersect(crop, scene));
    return SG_OK;
}

/* Both lists are in the order of scenes, and parts in the order of their wholes. */
static size_t find_whole(const sg_regions *whole, const sg_region *part, size_t from)
{
    while (whole->item[from].split != part->split || whole->item[from].scene != part->scene ||
           !sg_window_contains(whole->item[from].window, part->window)) {
        from++;
        SG_ASSERT(from < whole->count);
    }
    return from;
}

static sg_err choose_regions(sg_sampler_tables *tables, const sg_training *t, size_t *left_out)
{
    sg_sampler *s = &tables->sampler;
    size_t whole = 0;
    for (size_t i = 0; i < t->regions->count; i++) {
        const sg_region *region = &t->regions->item[i];
        bool fits = true;
        sg_err err = SG_OK;
        if (region->split != SG_SPLIT_TRAIN || sg_window_is_empty(region->window))
            continue;
        if (region->window.w < s->tile || region->window.h < s->tile)
            err = check_small(t, region, s->tile, &fits);
        if (err)
            return err;
        if (!fits) {
            ++*left_out;
            continue;
        }
        whole = t->whole ? find_whole(t->whole, region, whole) : i;
        tables->usable[whole] = true;
        tables->whole_of[s->train_count] = whole;
        tables->train[s->train_count++] = i;
    }
    return SG_OK;
}

/* By area or, where scenes are to be equal, by the share of their scene's area. */
static sg_err weigh_regions(sg_sampler_tables *tables, const sg_training *t)
{
    const sg_sampler *s = &tables->sampler;
    double *scene_area = NULL, sum = 0;
    int32_t scenes = 0;
    for (size_t k = 0; k < s->train_count; k++)
        scenes = (int32_t)sg_max64(scenes, t->regions->item[s->train[k]].scene + 1);
    sg_err err = sg_calloc((size_t)scenes, sizeof(double), &scene_area);
    if (err)
        return err;
    for (size_t k = 0; k < s->train_count; k++) {
        const sg_region *region = &t->regions->item[tables->train[k]];
        scene_area[region->scene] += (double)region->window.w * (double)region->window.h;
    }
    for (size_t k = 0; k < s->train_count; k++) {
        const sg_region *region = &t->regions->item[tables->train[k]];
        double area = (double)region->window.w * (double)region->window.h;
        sum += t->crops.equal_scenes ? area / scene_area[region->scene] : area;
        tables->cumulative[k] = sum;
    }
    for (size_t k = 0; k < s->train_count; k++)
        tables->cumulative[k] /= sum;
    sg_free(scene_area);
    return SG_OK;
}

/* The regions that are used, in the order of `train`. */
static sg_err make_grid(sg_sampler_tables *tables, const sg_training *t)
{
    sg_sampler *s = &tables->sampler;
    sg_regions *used = &tables->grid_regions;
    sg_err err = sg_grow(&used->item, &used->capacity, s->train_count, sizeof *used->item);
    if (err)
        return err;
    for (size_t k = 0; k < s->train_count; k++)
        used->item[used->count++] = t->regions->item[tables->train[k]];
    s->grid = &tables->grid;
    return sg_cover_make(&tables->grid, used, SG_SPLIT_TRAIN, s->tile, 0, 1);
}

/* The places in regions that are used. */
static sg_err keep_places(sg_sampler_tables *tables, const sg_training *t)
{
    const sg_places *all = t->crops.places;
    size_t kept = 0;
    sg_place *item = NULL;
    sg_err err = sg_malloc(all->first[all->classes] + 1, sizeof *item, &item);
    if (err)
        return err;
    for (size_t i = 0; i < all->first[all->classes]; i++)
        if (tables->usable[all->item[i].region])
            item[kept++] = all->item[i];
    return sg_places_make(&tables->places, all->classes, item, kept);
}

static sg_err share_out(sg_sampler_tables *tables, const sg_training *t)
{
    sg_sampler *s = &tables->sampler;
    double end = 0;
    s->classes = t->crops.places ? t->crops.places->classes : 0;
    for (int32_t c = 0; c < s->classes; c++) {
        bool none = tables->places.first[c] == tables->places.first[c + 1];
        if (none && t->crops.share[c] > 0)
            return sg_fail(SG_EUSAGE,
                           "crops are to be taken around class '%s', but no training region that "
                           "holds a tile of %d pixels has a pixel of it",
                           t->spec->classes.item[c].name, t->tile);
        end += t->crops.share[c];
        s->class_end[c] = end;
        if (!none && t->crops.paste[c])
            s->paste[s->pastes++] = c;
    }
    s->mining_end = end + t->crops.mining;
    if (t->crops.mining > 0)
        s->mining = &tables->mining;
    return t->crops.mining > 0 ? sg_mining_open(&tables->mining, s->whole, tables->usable, s->tile)
                               : SG_OK;
}

static sg_err find_tile(sg_sampler *s, const sg_training *t)
{
    const sg_pad *m = &t->margin;
    s->beside = (int32_t)sg_max64(sg_max64(m->top, m->bottom), sg_max64(m->left, m->right));
    s->tile = t->tile - 2 * s->beside;
    if (s->tile > 0)
        return SG_OK;
    return sg_fail(
        SG_EUSAGE,
        "a tile of %d pixels leaves nothing beside margins of %d, where a network without "
        "padding has no result",
        t->tile, s->beside);
}

static sg_err make_tables(sg_sampler_tables *tables, const sg_training *t)
{
    sg_sampler *s = &tables->sampler;
    size_t left_out = 0, most = t->regions->count + 1;
    s->regions = t->regions;
    s->whole = t->whole ? t->whole : t->regions;
    sg_err err = find_tile(s, t);
    if (!err)
        err = sg_calloc(most, sizeof *tables->train, &tables->train);
    if (!err)
        err = sg_calloc(most, sizeof *tables->whole_of, &tables->whole_of);
    if (!err)
        err = sg_calloc(most, sizeof *tables->cumulative, &tables->cumulative);
    if (!err)
        err = sg_calloc(s->whole->count + 1, sizeof *tables->usable, &tables->usable);
    if (!err)
        err = choose_regions(tables, t, &left_out);
    if (!err && s->train_count == 0)
        err = sg_fail(SG_EUSAGE,
                      "no training region can hold a tile of %d pixels; use a smaller tile or "
                      "larger blocks",
                      t->tile);
    if (!err && left_out > 0)
        sg_warn("training regions left out: %zu are smaller than the tile of %d pixels and border "
                "on another split",
                left_out, t->tile);
    s->train = tables->train;
    s->whole_of = tables->whole_of;
    s->cumulative = tables->cumulative;
    return err ? err : weigh_regions(tables, t);
}

sg_err sg_sampler_make(sg_sampler_tables *tables, const sg_training *t)
{
    memset(tables, 0, sizeof *tables);
    sg_sampler *s = &tables->sampler;
    sg_err err = make_tables(tables, t);
    if (!err && t->crops.grid)
        err = make_grid(tables, t);
    if (!err && t->crops.places)
        err = keep_places(tables, t);
    if (!err)
        err = share_out(tables, t);
    if (err) {
        sg_sampler_clear(tables);
        return err;
    }
    s->places = &tables->places;
    s->seed = t->seed;
    s->augment = t->augment;
    tables->alter = t->alter;
    s->alter = sg_alter_any(&t->alter) ? &tables->alter : NULL;
    s->jitter = t->jitter;
    return SG_OK;
}

void sg_sampler_clear(sg_sampler_tables *tables)
{
    sg_free(tables->train);
    sg_free(tables->whole_of);
    sg_free(tables->cumulative);
    sg_free(tables->usable);
    sg_cover_clear(&tables->grid);
    sg_regions_clear(&tables->grid_regions);
    sg_places_clear(&tables->places);
    sg_mining_close(&tables->mining);
    memset(tables, 0, sizeof *tables);
}
