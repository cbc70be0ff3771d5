/*
 * Sparse labels: a few polygons in a large scene leave nearly every random crop without a label.
 * The training regions are then replaced by windows around labelled cells, such that every crop
 * inside a window holds its whole cell. Ranks look through pieces in turn; the result does not
 * depend on their number.
 */
#include "jobs/survey.h"

#include "base/log.h"
#include "base/size.h"

#include <string.h>

/* Below this share of labelled pixels the crops are taken around labels. */
static const double sparse_share = 0.1;

enum { PIECE_CELLS = 16 }; /* cells per side of what is read at once */

typedef struct {
    const sg_survey *survey;
    sg_scenes scenes;
    int64_t tile, cell; /* pixels */
    int rank, ranks;
    int64_t turn;     /* pieces so far */
    uint8_t *classes; /* (PIECE_CELLS * cell)^2 */
} search;

typedef struct {
    int64_t across, down; /* cells */
    int64_t *labelled;    /* [down][across] labelled pixels, of this rank's pieces */
} cell_map;

static void note_piece(const search *s, sg_window region, sg_window piece, cell_map *map)
{
    for (int64_t y = 0; y < piece.h; y++) {
        int64_t *row = map->labelled + (piece.y - region.y + y) / s->cell * map->across;
        const uint8_t *classes = s->classes + y * piece.w;
        for (int64_t x = 0; x < piece.w; x++)
            row[(piece.x - region.x + x) / s->cell] += classes[x] != SG_NO_CLASS;
    }
}

/* This rank's pieces of one region. */
static sg_err search_region(search *s, const sg_region *region, cell_map *map)
{
    sg_window all = region->window;
    int64_t step = PIECE_CELLS * s->cell;
    sg_source *source = NULL;
    sg_err err = SG_OK;
    for (int64_t y = all.y; y < all.y + all.h; y += step) {
        for (int64_t x = all.x; err == SG_OK && x < all.x + all.w; x += step) {
            sg_window piece = sg_window_intersect((sg_window){x, y, step, step}, all);
            if (s->turn++ % s->ranks != s->rank)
                continue;
            if (source == NULL)
                err = sg_source_open(&source, &s->scenes, region->scene);
            if (err == SG_OK)
                err = sg_source_labels(source, piece, s->classes);
            if (err == SG_OK)
                note_piece(s, all, piece, map);
        }
    }
    sg_source_close(source);
    return err;
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

static sg_err add_windows(const search *s, const sg_region *region, const cell_map *map,
                          sg_regions *focused)
{
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
static sg_err focus_region(search *s, sg_comm *comm, const sg_region *region, sg_regions *focused)
{
    cell_map map = {sg_div_up(region->window.w, s->cell), sg_div_up(region->window.h, s->cell),
                    NULL};
    size_t cells = (size_t)(map.across * map.down);
    sg_err err = sg_calloc(cells, sizeof(map.labelled[0]), &map.labelled);
    if (err == SG_OK)
        err = search_region(s, region, &map);
    err = sg_comm_agree(comm, err);
    if (err == SG_OK) {
        sg_comm_sum_i64(comm, map.labelled, cells);
        err = sg_comm_agree(comm, add_windows(s, region, &map, focused));
    }
    sg_free(map.labelled);
    return err;
}

/* Every region in turn; those of other splits stay as they are. [collective] */
static sg_err focus_all(search *s, sg_comm *comm, sg_regions *focused)
{
    const sg_regions *regions = &s->survey->regions;
    size_t side = (size_t)(PIECE_CELLS * s->cell);
    sg_err err = sg_comm_agree(comm, sg_malloc(side, side, &s->classes));
    for (size_t i = 0; err == SG_OK && i < regions->count; i++) {
        const sg_region *region = &regions->item[i];
        if (region->split == SG_SPLIT_TRAIN) {
            err = focus_region(s, comm, region, focused);
            continue;
        }
        err = sg_grow(&focused->item, &focused->capacity, focused->count + 1, sizeof(*region));
        if (err == SG_OK)
            focused->item[focused->count++] = *region;
        err = sg_comm_agree(comm, err);
    }
    sg_free(s->classes);
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
    search s = {.survey = survey,
                .scenes = sg_survey_as_scenes(survey, spec, &job->data.label),
                .tile = job->train.tile,
                .cell = sg_max64(1, job->train.tile / 2),
                .rank = sg_comm_rank(comm),
                .ranks = sg_comm_ranks(comm)};
    if (job->train.crops == SG_CROPS_ALL || job->train.crops == SG_CROPS_GRID ||
        (job->train.crops != SG_CROPS_LABELLED && !is_sparse(survey, spec->classes.count)))
        return SG_OK;
    sg_err err = focus_all(&s, comm, &focused);
    if (err != SG_OK) {
        sg_regions_clear(&focused);
        return err;
    }
    survey->unfocused = survey->regions;
    survey->regions = focused;
    sg_info("labels are sparse: crops are taken around them, %zu places", focused.count);
    return SG_OK;
}
