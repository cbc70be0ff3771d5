/* Covering regions with tiles. Both axes are treated alike, so all is about one axis. */
#include "train/cover.h"

#include <string.h>

#include "base/size.h"

static int64_t axis_tiles(const sg_cover *c, int64_t length)
{
    return length <= c->tile ? 1 : sg_div_up(length - c->tile, c->step) + 1;
}

/* The last tile is moved inwards to end with the region. */
static int64_t axis_origin(const sg_cover *c, int64_t length, int64_t i)
{
    return sg_min64(i * c->step, sg_max64(length - c->tile, 0));
}

/* Where the core of tile i begins: half-way through its overlap with the one before. */
static int64_t axis_core(const sg_cover *c, int64_t length, int64_t i)
{
    if (i == 0)
        return 0;
    if (i == axis_tiles(c, length))
        return length;
    return (axis_origin(c, length, i - 1) + c->tile + axis_origin(c, length, i)) / 2;
}

int64_t sg_cover_longest(const sg_regions *regions, sg_split split)
{
    int64_t longest = 0;
    for (size_t i = 0; i < regions->count; i++) {
        const sg_region *region = &regions->item[i];
        if (region->split == split)
            longest = sg_max64(longest, sg_max64(region->window.w, region->window.h));
    }
    return longest;
}

sg_err sg_cover_make(sg_cover *cover, const sg_regions *regions, sg_split split, int64_t tile,
                     int64_t margin, int64_t stride)
{
    sg_err err;
    memset(cover, 0, sizeof *cover);
    SG_ASSERT(tile > 0 && margin >= 0 && 2 * margin < tile && stride > 0);
    cover->regions = regions;
    cover->split = split;
    cover->tile = tile;
    cover->step = (tile - 2 * margin) / stride * stride;
    if (cover->step == 0)
        cover->step = tile - 2 * margin;
    err = sg_calloc(regions->count + 1, sizeof *cover->first, &cover->first);
    for (size_t i = 0; !err && i < regions->count; i++) {
        const sg_region *region = &regions->item[i];
        cover->first[i] = cover->tiles;
        if (region->split == split && !sg_window_is_empty(region->window))
            cover->tiles += (uint64_t)(axis_tiles(cover, region->window.w) *
                                       axis_tiles(cover, region->window.h));
        cover->first[i + 1] = cover->tiles;
    }
    return err;
}

void sg_cover_clear(sg_cover *cover)
{
    sg_free(cover->first);
    memset(cover, 0, sizeof *cover);
}

size_t sg_cover_sample(const sg_cover *cover, uint64_t index, sg_sample *sample)
{
    size_t r = sg_regions_find(cover->first, cover->regions->count, index);
    const sg_window *w = &cover->regions->item[r].window;
    int64_t across = axis_tiles(cover, w->w), k = (int64_t)(index - cover->first[r]);
    int64_t x = k % across, y = k / across;
    SG_ASSERT(index < cover->tiles);
    sample->scene = cover->regions->item[r].scene;
    sample->turn = 0;
    sample->window.x = w->x + axis_origin(cover, w->w, x);
    sample->window.y = w->y + axis_origin(cover, w->h, y);
    sample->window.w = sample->window.h = cover->tile;
    sample->count.x = w->x + axis_core(cover, w->w, x);
    sample->count.y = w->y + axis_core(cover, w->h, y);
    sample->count.w = w->x + axis_core(cover, w->w, x + 1) - sample->count.x;
    sample->count.h = w->y + axis_core(cover, w->h, y + 1) - sample->count.y;
    return r;
}
