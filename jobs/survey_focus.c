/*
 * Sparse labels: a few polygons in a large scene leave nearly every random crop without a label.
 * The training regions are then replaced by windows around labelled cells, such that every crop
 * inside a window holds its whole cell. Ranks look through pieces in turn; the result does not
 * depend on their number.
 */
#include "jobs/survey.h"

#include "base/log.h"
#include "base/size.h"
#include "jobs/label_walk.h"

/* Below this share of labelled pixels the crops are taken around labels. */
static const double sparse_share = 0.1;

enum { PIECE_CELLS = 16 }; /* cells per side of what is read at once */

/* A region's cells. */
typedef struct {
    sg_window region;
    int64_t across, down;
    int64_t *labelled; /* [down][across] labelled pixels, of this rank's pieces */
} cell_map;

typedef struct {
    const sg_survey *survey;
    int64_t tile, cell; /* pixels */
    cell_map map;       /* of the region at hand */
} search;

static sg_err note_piece(void *user, sg_window piece, const uint8_t *classes)
{
    const search *s = user;
    const cell_map *map = &s->map;
    for (int64_t y = 0; y < piece.h; y++) {
        int64_t *row = map->labelled + (piece.y - map->region.y + y) / s->cell * map->across;
        for (int64_t x = 0; x < piece.w; x++)
            row[(piece.x - map->region.x + x) / s->cell] += classes[y * piece.w + x] != SG_NO_CLASS;
    }
    return SG_OK;
}

/* Where crops may lie along one axis that are to hold a cell: from *start, *length pixels. */
static void around(int64_t region, int64_t region_length, int64_t cell, int64_t cell_length,
                   int64_t tile, int64_t *start, int64_t *length)
{
    int64_t last = sg_max64(region, region + region_length - tile); /* of crops in the region */
    int64_t low = sg_min64(sg_max64(cell + cell_length - tile, region), last);
    int64_t high = sg_min64(sg_max64(cell, low), last);
    *start = low;
    *length = sg_min64(high + tile, region + region_length) - low;
}

static sg_err add_windows(const search *s, const sg_region *region, sg_regions *focused)
{
    const cell_map *map = &s->map;
    sg_window all = region->window;
    for (int64_t i = 0; i < map->across * map->down; i++) {
        if (map->labelled[i] == 0)
            continue;
        sg_region one = *region;
        sg_window cell = {all.x + i % map->across * s->cell, all.y + i / map->across * s->cell,
                          s->cell, s->cell};
        cell = sg_window_intersect(cell, all);
        around(all.x, all.w, cell.x, cell.w, s->tile, &one.window.x, &one.window.w);
        around(all.y, all.h, cell.y, cell.h, s->tile, &one.window.y, &one.window.h);
        sg_err err = sg_grow(&focused->item, &focused->capacity, focused->count + 1, sizeof(one));
        if (err != SG_OK)
            return err;
        focused->item[focused->count++] = one;
    }
    return SG_OK;
}

/* [collective] */
static sg_err focus_region(search *s, sg_label_walk *walk, sg_comm *comm, const sg_region *region,
                           sg_regions *focused)
{
    cell_map *map = &s->map;
    *map = (cell_map){region->window, sg_div_up(region->window.w, s->cell),
                      sg_div_up(region->window.h, s->cell), NULL};
    size_t cells = (size_t)(map->across * map->down);
    sg_err err = sg_calloc(cells, sizeof(map->labelled[0]), &map->labelled);
    if (err == SG_OK)
        err = sg_label_walk_region(walk, region);
    err = sg_comm_agree(comm, err);
    if (err == SG_OK) {
        sg_comm_sum_i64(comm, map->labelled, cells);
        err = sg_comm_agree(comm, add_windows(s, region, focused));
    }
    sg_free(map->labelled);
    return err;
}

/* Every region in turn; those of other splits stay as they are. [collective] */
static sg_err focus_all(search *s, sg_comm *comm, const sg_scenes *scenes, sg_regions *focused)
{
    const sg_regions *regions = &s->survey->regions;
    sg_label_walk walk;
    sg_err err = sg_comm_agree(
        comm, sg_label_walk_open(&walk, comm, scenes, PIECE_CELLS * s->cell, note_piece, s));
    for (size_t i = 0; err == SG_OK && i < regions->count; i++) {
        const sg_region *region = &regions->item[i];
        if (region->split == SG_SPLIT_TRAIN) {
            err = focus_region(s, &walk, comm, region, focused);
            continue;
        }
        err = sg_grow(&focused->item, &focused->capacity, focused->count + 1, sizeof(*region));
        if (err == SG_OK)
            focused->item[focused->count++] = *region;
        err = sg_comm_agree(comm, err);
    }
    sg_label_walk_close(&walk);
    return err;
}

static bool is_sparse(const sg_survey *survey, int32_t classes)
{
    int64_t labelled = 0;
    for (int32_t c = 0; c < classes; c++)
        labelled += survey->pixels[SG_SPLIT_TRAIN][c];
    return (double)labelled <
           sparse_share * (double)(labelled + survey->unlabelled[SG_SPLIT_TRAIN]);
}

sg_err sg_survey_focus(sg_survey *survey, sg_comm *comm, const sg_spec *spec, const sg_job *job)
{
    sg_regions focused = {0};
    sg_scenes scenes = sg_survey_as_scenes(survey, spec, &job->data.label);
    search s = {
        .survey = survey, .tile = job->train.tile, .cell = sg_max64(1, job->train.tile / 2)};
    if (job->train.crops == SG_CROPS_ALL || job->train.crops == SG_CROPS_GRID ||
        (job->train.crops != SG_CROPS_LABELLED && !is_sparse(survey, spec->classes.count)))
        return SG_OK;
    sg_err err = focus_all(&s, comm, &scenes, &focused);
    if (err != SG_OK) {
        sg_regions_clear(&focused);
        return err;
    }
    survey->unfocused = survey->regions;
    survey->regions = focused;
    sg_info("labels are sparse: crops are taken around them, %zu places", focused.count);
    return SG_OK;
}
