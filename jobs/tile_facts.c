/* Reading what stands beside the tiles. A damaged file may hold any numbers. */
#include "jobs/tile_facts.h"

#include <math.h>
#include <string.h>

#include "base/size.h"
#include "train/checkpoint_spec.h"

static sg_err unsound(sg_tile_store *store, const char *what)
{
    return sg_fail(SG_EINPUT, "%s: %s: the file is damaged or not of this program",
                   sg_tile_store_path(store), what);
}

sg_err sg_tile_facts_spec(sg_tile_store *store, sg_spec *spec)
{
    int64_t dim[4];
    sg_store_file *file = sg_tile_store_file(store);
    sg_err err = sg_store_shape(file, "classes/value", dim);
    if (err == SG_OK && dim[0] > SG_CLASSES_MAX)
        err = unsound(store, "the number of classes is impossible");
    return err == SG_OK ? sg_spec_get(file, sg_tile_store_path(store), spec,
                                      sg_tile_store_layout(store)->format.bands, (int32_t)dim[0])
                        : err;
}

sg_err sg_tile_facts_job(sg_tile_store *store, sg_job *job)
{
    char *text = NULL;
    sg_yaml_source source = {.path = sg_tile_store_path(store)};
    sg_err err = sg_store_get_text(sg_tile_store_file(store), "job", &text);
    source.text = text;
    if (err == SG_OK)
        err = sg_job_load(job, &source);
    sg_free(text);
    return err;
}

/* An array whose first length is the number of scenes, `width` values each. */
static sg_err get_rows(sg_tile_store *store, const char *name, sg_store_type type, int64_t width,
                       size_t value_bytes, void *values)
{
    size_t scenes = sg_tile_store_layout(store)->scenes;
    void *all = NULL;
    sg_err err = sg_malloc(scenes, (size_t)width * value_bytes, &all);
    if (err == SG_OK)
        err = sg_store_get(sg_tile_store_file(store), name, type, scenes * (size_t)width, all);
    if (err != SG_OK) {
        sg_free(all);
        return err;
    }
    memcpy(values, &all, sizeof all);
    return SG_OK;
}

/* Names into the scenes, `at` bytes from each one's start: char [SG_PATH_MAX]. */
static sg_err get_names(sg_tile_store *store, const char *name, size_t at, sg_survey *survey)
{
    int64_t dim[4];
    char *all = NULL;
    sg_err err = sg_store_shape(sg_tile_store_file(store), name, dim);
    if (err == SG_OK && dim[1] >= SG_PATH_MAX)
        err = unsound(store, "the name of a scene is too long");
    if (err == SG_OK)
        err = get_rows(store, name, SG_STORE_U8, dim[1], 1, &all);
    for (size_t i = 0; err == SG_OK && i < survey->count; i++)
        memcpy((char *)&survey->scene[i] + at, all + i * (size_t)dim[1], (size_t)dim[1]);
    sg_free(all);
    return err;
}

static sg_err get_splits(sg_tile_store *store, sg_survey *survey)
{
    int64_t *split = NULL;
    sg_err err = get_rows(store, "scene/split", SG_STORE_I64, 1, sizeof *split, &split);
    for (size_t i = 0; err == SG_OK && i < survey->count; i++) {
        if (split[i] < 0 || split[i] >= SG_SPLITS)
            err = unsound(store, "the split of a scene is unknown");
        else
            survey->split[i] = (sg_split)split[i];
    }
    sg_free(split);
    return err;
}

static sg_err get_sizes(sg_tile_store *store, sg_survey *survey)
{
    const sg_tile_layout *layout = sg_tile_store_layout(store);
    double *gsd = NULL;
    sg_err err = get_rows(store, "scene/gsd", SG_STORE_F64, 1, sizeof *gsd, &gsd);
    for (size_t i = 0; err == SG_OK && i < survey->count; i++)
        survey->size[i] = (sg_scene_size){layout->scene[i].width, layout->scene[i].height,
                                          layout->format.bands, gsd[i]};
    sg_free(gsd);
    return err;
}

static sg_err get_moments(sg_tile_store *store, sg_survey *survey)
{
    const int32_t bands = sg_tile_store_layout(store)->format.bands;
    double *values = NULL;
    size_t count = survey->count * (size_t)bands;
    sg_err err = get_rows(store, "scene/moments", SG_STORE_F64, (int64_t)bands * SG_MOMENT_VALUES,
                          sizeof *values, &values);
    if (err == SG_OK)
        err = sg_calloc(count, sizeof *survey->moments, &survey->moments);
    for (size_t i = 0; err == SG_OK && i < count; i++) {
        const double *row = values + i * SG_MOMENT_VALUES;
        if (!(row[0] >= 0 && row[0] < 1e18) || !isfinite(row[1]) || !(row[2] >= 0))
            err = unsound(store, "the statistics of a scene are impossible");
        else
            survey->moments[i] = (sg_moments){(int64_t)row[0], row[1], row[2], row[3], row[4]};
    }
    sg_free(values);
    return err;
}

static bool is_region(const sg_survey *survey, const int64_t row[6])
{
    if (row[0] < 0 || row[0] >= (int64_t)survey->count || row[1] < 0 || row[1] >= SG_SPLITS ||
        row[4] < 0 || row[5] < 0 || row[2] < 0 || row[3] < 0)
        return false;
    const sg_scene_size *size = &survey->size[row[0]];
    return row[2] <= size->width && row[4] <= size->width - row[2] && row[3] <= size->height &&
           row[5] <= size->height - row[3];
}

static sg_err get_regions(sg_tile_store *store, sg_survey *survey)
{
    sg_regions *regions = &survey->regions;
    int64_t dim[4], *values = NULL;
    sg_store_file *file = sg_tile_store_file(store);
    sg_err err = sg_store_shape(file, "regions", dim);
    if (err == SG_OK && dim[1] != 6)
        err = unsound(store, "its regions are no rectangles");
    if (err == SG_OK)
        err = sg_malloc((size_t)dim[0], 6 * sizeof *values, &values);
    if (err == SG_OK)
        err = sg_store_get(file, "regions", SG_STORE_I64, 6 * (size_t)dim[0], values);
    if (err == SG_OK)
        err = sg_grow(&regions->item, &regions->capacity, (size_t)dim[0], sizeof *regions->item);
    for (int64_t i = 0; err == SG_OK && i < dim[0]; i++) {
        const int64_t *row = values + 6 * i;
        if (!is_region(survey, row))
            err = unsound(store, "a region does not lie in its scene");
        else
            regions->item[regions->count++] =
                (sg_region){(int32_t)row[0], (sg_split)row[1], {row[2], row[3], row[4], row[5]}};
    }
    sg_free(values);
    return err;
}

static sg_err get_counts(sg_tile_store *store, unsigned splits, sg_survey *survey)
{
    int64_t count[SG_SPLITS][256];
    sg_err err = sg_store_get(sg_tile_store_file(store), "counts", SG_STORE_I64,
                              (size_t)SG_SPLITS * 256, count);
    for (int s = 0; err == SG_OK && s < SG_SPLITS; s++) {
        if (!(splits >> s & 1))
            continue;
        memcpy(survey->pixels[s], count[s], sizeof survey->pixels[s]);
        survey->unlabelled[s] = count[s][SG_NO_CLASS];
        for (int c = 0; err == SG_OK && c < 256; c++)
            if (count[s][c] < 0)
                err = unsound(store, "its counts of classes are impossible");
    }
    return err;
}

static sg_err get_all(sg_tile_store *store, unsigned splits, sg_survey *survey)
{
    size_t scenes = sg_tile_store_layout(store)->scenes;
    sg_err err = sg_calloc(scenes, sizeof *survey->scene, &survey->scene);
    if (err == SG_OK)
        err = sg_calloc(scenes, sizeof *survey->split, &survey->split);
    if (err == SG_OK)
        err = sg_calloc(scenes, sizeof *survey->size, &survey->size);
    if (err != SG_OK)
        return err;
    survey->count = scenes;
    err = get_names(store, "scene/image", offsetof(sg_scene, image), survey);
    if (err == SG_OK)
        err = get_names(store, "scene/label", offsetof(sg_scene, label), survey);
    if (err == SG_OK)
        err = get_splits(store, survey);
    if (err == SG_OK)
        err = get_sizes(store, survey);
    if (err == SG_OK)
        err = get_moments(store, survey);
    if (err == SG_OK)
        err = get_regions(store, survey);
    return err == SG_OK ? get_counts(store, splits, survey) : err;
}

sg_err sg_tile_facts_survey(sg_tile_store *store, const sg_job *job, unsigned splits,
                            sg_survey *survey)
{
    *survey = (sg_survey){.store = store};
    sg_err err = get_all(store, splits, survey);
    return err == SG_OK ? sg_survey_keep_splits(survey, job, splits) : err;
}
