#include "tiles/split.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "base/rng.h"
#include "base/size.h"

const char *sg_split_name(sg_split split)
{
    static const char *const name[SG_SPLITS] = {"train", "val", "test"};
    return name[split];
}

static sg_err add_region(sg_regions *regions, sg_region region)
{
    sg_err err = sg_grow(&regions->item, &regions->capacity, regions->count + 1, sizeof region);
    if (err == SG_OK)
        regions->item[regions->count++] = region;
    return err;
}

sg_err sg_regions_add_scene(sg_regions *regions, int32_t scene, sg_split split, int64_t width,
                            int64_t height)
{
    return add_region(regions,
                      (sg_region){.scene = scene, .split = split, .window = {0, 0, width, height}});
}

void sg_regions_clear(sg_regions *regions)
{
    sg_free(regions->item);
    memset(regions, 0, sizeof *regions);
}

size_t sg_regions_find(const uint64_t *first, size_t regions, uint64_t index)
{
    size_t low = 0, high = regions - 1;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (first[middle + 1] > index)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* The blocks of a scene. What is left over at the right and below joins the last block when it is
 * less than half a block. */
typedef struct {
    int64_t width, height, block, guard;
    int64_t columns, rows;
    uint8_t *split; /* (rows, columns), sg_split */
} block_map;

static int64_t blocks_along(int64_t length, int64_t block)
{
    return sg_max64((length + block / 2) / block, 1);
}

/* Outside the map there is no other split to keep away from. */
static int differs(const block_map *map, int64_t row, int64_t column, int split)
{
    if (row < 0 || column < 0 || row >= map->rows || column >= map->columns)
        return 0;
    return map->split[row * map->columns + column] != split;
}

/* Is one of the three blocks above (row - 1) or below (row + 1) of another split? */
static int row_differs(const block_map *map, int64_t row, int64_t column, int split)
{
    return differs(map, row, column - 1, split) || differs(map, row, column, split) ||
           differs(map, row, column + 1, split);
}

/* The block without half the guard on each side where another split begins. Corners count: they are
 * kept apart by the rows. */
static sg_window shrunk_block(const block_map *map, int64_t row, int64_t column)
{
    int split = map->split[row * map->columns + column];
    int64_t half = sg_div_up(map->guard, 2);
    int64_t left = column * map->block, top = row * map->block;
    int64_t right = column + 1 == map->columns ? map->width : left + map->block;
    int64_t bottom = row + 1 == map->rows ? map->height : top + map->block;
    left += differs(map, row, column - 1, split) ? half : 0;
    right -= differs(map, row, column + 1, split) ? half : 0;
    top += row_differs(map, row - 1, column, split) ? half : 0;
    bottom -= row_differs(map, row + 1, column, split) ? half : 0;
    return (sg_window){left, top, sg_max64(right - left, 0), sg_max64(bottom - top, 0)};
}

/* Blocks of a share, at least one where any is asked for. */
static int64_t share_of(int64_t blocks, double share)
{
    if (share <= 0)
        return 0;
    return sg_max64((int64_t)((double)blocks * share + 0.5), 1);
}

/* Deal the blocks out in a random order that seed and scene decide: validation, test, training. */
static sg_err deal(block_map *map, const sg_block_split *options, int32_t scene)
{
    int64_t blocks = map->rows * map->columns;
    int64_t val = share_of(blocks, options->val), test = share_of(blocks, options->test);
    if (val + test >= blocks)
        return sg_fail(SG_EUSAGE,
                       "a scene of %" PRId64 " x %" PRId64 " pixels has %" PRId64
                       " block(s) of %" PRId64 ": too few to split; make blocks smaller",
                       map->width, map->height, blocks, options->block);
    sg_err err = sg_malloc((size_t)blocks, 1, &map->split);
    for (int64_t i = 0; err == SG_OK && i < blocks; i++) {
        uint64_t block = sg_permute(options->seed, SG_STREAM_SPLIT, (uint64_t)scene, (uint64_t)i,
                                    (uint64_t)blocks);
        map->split[block] = i < val          ? SG_SPLIT_VAL
                            : i < val + test ? SG_SPLIT_TEST
                                             : SG_SPLIT_TRAIN;
    }
    return err;
}

/* Can the window be joined to the last region, which lies just left of it? */
static int continues(const sg_region *last, const sg_region *next)
{
    return last->scene == next->scene && last->split == next->split &&
           last->window.y == next->window.y && last->window.h == next->window.h &&
           last->window.x + last->window.w == next->window.x;
}

static sg_err add_row(sg_regions *regions, const block_map *map, int32_t scene, int64_t row)
{
    size_t first = regions->count;
    sg_err err = SG_OK;
    for (int64_t column = 0; err == SG_OK && column < map->columns; column++) {
        sg_region next = {.scene = scene,
                          .split = (sg_split)map->split[row * map->columns + column],
                          .window = shrunk_block(map, row, column)};
        if (sg_window_is_empty(next.window))
            continue;
        sg_region *last = regions->count > first ? &regions->item[regions->count - 1] : NULL;
        if (last && continues(last, &next))
            last->window.w += next.window.w;
        else
            err = add_region(regions, next);
    }
    return err;
}

sg_err sg_regions_add_blocks(sg_regions *regions, int32_t scene, int64_t width, int64_t height,
                             const sg_block_split *options)
{
    if (options->block < 1 || options->guard < 0 || options->guard >= options->block)
        return sg_fail(SG_EUSAGE,
                       "blocks of %" PRId64 " pixels with a guard of %" PRId64
                       " leave nothing: the guard must be smaller",
                       options->block, options->guard);
    block_map map = {.width = width,
                     .height = height,
                     .block = options->block,
                     .guard = options->guard,
                     .columns = blocks_along(width, options->block),
                     .rows = blocks_along(height, options->block)};
    sg_err err = deal(&map, options, scene);
    for (int64_t row = 0; err == SG_OK && row < map.rows; row++)
        err = add_row(regions, &map, scene, row);
    sg_free(map.split);
    return err;
}

/* The same file, however it is spelled. */
static int same_file(const char *a, const char *b)
{
    char real_a[PATH_MAX], real_b[PATH_MAX];
    if (strcmp(a, b) == 0)
        return 1;
    return realpath(a, real_a) && realpath(b, real_b) && strcmp(real_a, real_b) == 0;
}

/* Footprints of scenes that only touch share less than this by rounding. */
static const double LEAST_SHARED = 1.0; /* pixels */

static sg_err check_pair(const sg_raster_info *a, const sg_georef *a_georef, sg_split a_split,
                         const sg_raster_info *b, const sg_georef *b_georef, sg_split b_split)
{
    const char *how = "is the same file as";
    if (!same_file(a->path, b->path)) {
        double shared = 0;
        how = "overlaps";
        sg_err err = sg_georef_footprint_overlap(a_georef, a->width, a->height, b_georef, b->width,
                                                 b->height, &shared);
        if (err != SG_OK || shared < LEAST_SHARED)
            return err;
    }
    return sg_fail(SG_EUSAGE, "%s (%s) %s %s (%s): its scores would be too good to be true",
                   a->path, sg_split_name(a_split), how, b->path, sg_split_name(b_split));
}

sg_err sg_split_check_overlap(const sg_raster_info *const *info, const sg_georef *const *georef,
                              const sg_split *split, int32_t scenes)
{
    sg_err err = SG_OK;
    for (int32_t i = 0; err == SG_OK && i < scenes; i++)
        for (int32_t j = i + 1; err == SG_OK && j < scenes; j++)
            if (split[i] != split[j])
                err = check_pair(info[i], georef[i], split[i], info[j], georef[j], split[j]);
    return err;
}
