/*
 * Places of classes: every rank looks through its pieces of the training regions, and what they
 * found is put together in an order that does not depend on who found it.
 */
#include "jobs/survey.h"

#include "base/size.h"
#include "jobs/label_walk.h"
#include "train/cover.h"

#include <string.h>

enum { PIECE = 1024 }; /* pixels, square: what is read at once */

typedef struct {
    const sg_survey *survey;
    const sg_spec *spec;
    const bool *wanted; /* [classes] */
    uint64_t seed;
    int64_t most;   /* places of a class */
    int64_t region; /* the one at hand */
    sg_place *item; /* this rank's */
    size_t count, capacity;
} search;

static sg_err add_piece(void *user, sg_window piece, const uint8_t *classes)
{
    search *s = user;
    const int64_t *pixels = s->survey->pixels[SG_SPLIT_TRAIN];
    sg_err err = SG_OK;
    for (int64_t i = 0; err == SG_OK && i < piece.w * piece.h; i++) {
        uint8_t class = classes[i];
        if (class == SG_NO_CLASS || !s->wanted[class])
            continue;
        sg_place place = {class, s->region, piece.x + i % piece.w, piece.y + i / piece.w};
        if (!sg_places_holds(s->seed, &place, pixels[class], s->most))
            continue;
        err = sg_grow(&s->item, &s->capacity, s->count + 1, sizeof(place));
        if (err == SG_OK)
            s->item[s->count++] = place;
    }
    return err;
}

static sg_err search_all(search *s, const sg_comm *comm, const sg_scenes *scenes)
{
    const sg_regions *whole = sg_survey_whole(s->survey);
    sg_label_walk walk;
    sg_err err = sg_label_walk_open(&walk, comm, scenes, PIECE, add_piece, s);
    for (size_t i = 0; err == SG_OK && i < whole->count; i++) {
        s->region = (int64_t)i;
        if (whole->item[i].split == SG_SPLIT_TRAIN)
            err = sg_label_walk_region(&walk, &whole->item[i]);
    }
    sg_label_walk_close(&walk);
    return err;
}

/* Every rank's places lie beside each other in an array that is zero elsewhere: the sum of these
 * has them all. [collective] */
static sg_err gather(const search *s, sg_comm *comm, sg_places *places)
{
    const int rank = sg_comm_rank(comm), ranks = sg_comm_ranks(comm);
    int64_t *counts = NULL;
    sg_place *all = NULL;
    size_t before = 0, total = 0;
    sg_err err = sg_comm_agree(comm, sg_calloc((size_t)ranks, sizeof(*counts), &counts));
    if (err != SG_OK) {
        sg_free(counts);
        return err;
    }
    counts[rank] = (int64_t)s->count;
    sg_comm_sum_i64(comm, counts, (size_t)ranks);
    for (int r = 0; r < ranks; r++) {
        before += r < rank ? (size_t)counts[r] : 0;
        total += (size_t)counts[r];
    }
    sg_free(counts);
    err = sg_comm_agree(comm, sg_calloc(total + 1, sizeof(*all), &all));
    if (err != SG_OK) {
        sg_free(all);
        return err;
    }
    if (s->count > 0)
        memcpy(all + before, s->item, s->count * sizeof(*all));
    sg_comm_sum_i64(comm, (int64_t *)all, total * sizeof(*all) / sizeof(int64_t));
    return sg_comm_agree(comm, sg_places_make(places, s->spec->classes.count, all, total));
}

sg_err sg_survey_crops(sg_survey *survey, sg_comm *comm, const sg_spec *spec, const sg_job *job,
                       sg_crop_rules *rules)
{
    bool wanted[SG_CLASSES_MAX] = {false}, any = false;
    sg_err err = sg_comm_agree(comm, sg_job_crop_rules(job, survey->pixels[SG_SPLIT_TRAIN], rules));
    if (err != SG_OK)
        return err;
    for (int32_t c = 0; c < spec->classes.count; c++) {
        wanted[c] = rules->share[c] > 0 || rules->paste[c];
        any |= wanted[c];
    }
    if (!any)
        return SG_OK;
    search s = {.survey = survey,
                .spec = spec,
                .wanted = wanted,
                .seed = job->seed,
                .most = sg_places_wanted(spec->classes.count)};
    const sg_scenes scenes = sg_survey_as_scenes(survey, spec, &job->data.label);
    err = sg_comm_agree(comm, search_all(&s, comm, &scenes));
    if (err == SG_OK)
        err = gather(&s, comm, &survey->places);
    sg_free(s.item);
    rules->places = &survey->places;
    return err;
}

sg_err sg_survey_epoch(const sg_survey *survey, const sg_job *job, double *crops)
{
    const double tile = job->train.tile;
    sg_cover cover;
    *crops = (double)sg_survey_pixels(survey, SG_SPLIT_TRAIN) / (tile * tile);
    if (job->train.crops != SG_CROPS_GRID)
        return SG_OK;
    sg_err err = sg_cover_make(&cover, &survey->regions, SG_SPLIT_TRAIN, job->train.tile, 0, 1);
    *crops = (double)cover.tiles;
    sg_cover_clear(&cover);
    return err;
}
