/*
 * Statistics of a survey. A scene's blocks are dealt to the ranks in turn; each block's result goes
 * to its own place in an array that is zero elsewhere, so the sum over ranks gathers it, and the
 * results are joined in block order: the same for any number of ranks.
 */
#include "jobs/survey.h"

#include "base/size.h"

#include <math.h>
#include <string.h>

enum { GROUP_VALUES = 1 << 22 }; /* numbers gathered at once: 32 MiB */

static int64_t blocks_of(const sg_scene_size *size)
{
    sg_raster_info info = {.width = size->width, .height = size->height};
    return sg_stats_blocks(&info);
}

/* Measured scenes first .. end: their blocks begin at value 0. */
typedef struct {
    const sg_survey *survey;
    const sg_spec *spec;
    const uint8_t *wanted; /* [count] */
    size_t first, end;
    double *values; /* (block, band, SG_MOMENT_VALUES) */
    int64_t blocks;
} moment_group;

static sg_err measure_scene(const moment_group *group, size_t scene, int64_t start, int rank,
                            int ranks)
{
    int32_t bands = group->spec->bands;
    sg_moments moments[SG_BANDS_MAX];
    sg_raster *raster = NULL;
    sg_err err = SG_OK;
    int64_t blocks = blocks_of(&group->survey->size[scene]);
    for (int64_t b = 0; err == SG_OK && b < blocks; b++) {
        if ((start + b) % ranks != rank)
            continue;
        if (raster == NULL)
            err = sg_raster_open_spec(&raster, group->survey->scene[scene].image, group->spec);
        if (err == SG_OK)
            err = sg_stats_block(raster, b, moments);
        double *out = group->values + (start + b) * bands * SG_MOMENT_VALUES;
        for (int32_t k = 0; err == SG_OK && k < bands; k++) {
            double row[SG_MOMENT_VALUES] = {(double)moments[k].count, moments[k].mean,
                                            moments[k].m2, moments[k].least, moments[k].most};
            memcpy(out + k * SG_MOMENT_VALUES, row, sizeof(row));
        }
    }
    sg_raster_close(raster);
    return err;
}

/* Join the blocks of one scene into moments[bands]. */
static void join_scene(const moment_group *group, int64_t start, int64_t blocks,
                       sg_moments *moments)
{
    int32_t bands = group->spec->bands;
    memset(moments, 0, (size_t)bands * sizeof(*moments));
    for (int64_t b = 0; b < blocks; b++) {
        for (int32_t k = 0; k < bands; k++) {
            const double *row = group->values + ((start + b) * bands + k) * SG_MOMENT_VALUES;
            sg_moments part = {(int64_t)row[0], row[1], row[2], row[3], row[4]};
            moments[k] = sg_moments_join(moments[k], part);
        }
    }
}

static sg_err measure_group(const moment_group *group, sg_comm *comm, sg_err err,
                            sg_moments *per_scene)
{
    int64_t start = 0;
    for (size_t i = group->first; err == SG_OK && i < group->end; i++) {
        if (!group->wanted[i])
            continue;
        err = measure_scene(group, i, start, sg_comm_rank(comm), sg_comm_ranks(comm));
        start += blocks_of(&group->survey->size[i]);
    }
    err = sg_comm_agree(comm, err);
    if (err != SG_OK)
        return err;
    int32_t bands = group->spec->bands;
    sg_comm_sum_f64(comm, group->values, (size_t)(group->blocks * bands * SG_MOMENT_VALUES));
    start = 0;
    for (size_t i = group->first; i < group->end; i++) {
        if (!group->wanted[i])
            continue;
        int64_t blocks = blocks_of(&group->survey->size[i]);
        join_scene(group, start, blocks, per_scene + i * (size_t)bands);
        start += blocks;
    }
    return SG_OK;
}

/* Moments of the wanted scenes: per_scene (count, bands). [collective] */
static sg_err measure(const sg_survey *survey, sg_comm *comm, const sg_spec *spec,
                      const uint8_t *wanted, sg_moments *per_scene)
{
    sg_err err = SG_OK;
    int64_t most = sg_max64(1, GROUP_VALUES / (spec->bands * SG_MOMENT_VALUES));
    for (size_t first = 0, end = 0; err == SG_OK && first < survey->count; first = end) {
        moment_group group = {survey, spec, wanted, first, first, NULL, 0};
        do {
            group.blocks += wanted[end] ? blocks_of(&survey->size[end]) : 0;
            end++;
        } while (end < survey->count &&
                 group.blocks + (wanted[end] ? blocks_of(&survey->size[end]) : 0) <= most);
        group.end = end;
        err = sg_calloc((size_t)(group.blocks * spec->bands), SG_MOMENT_VALUES * sizeof(double),
                        &group.values);
        err = measure_group(&group, comm, err, per_scene);
        sg_free(group.values);
    }
    return err;
}

/* Over all training scenes, joined in their order. */
static sg_err set_spec(const sg_survey *survey, const sg_moments *per_scene, sg_spec *spec)
{
    for (int32_t b = 0; b < spec->bands; b++) {
        sg_moments all = {0};
        for (size_t i = 0; i < survey->count; i++) {
            if (survey->split[i] == SG_SPLIT_TRAIN)
                all = sg_moments_join(all, per_scene[i * (size_t)spec->bands + (size_t)b]);
        }
        if (all.count == 0)
            return sg_fail(SG_EINPUT,
                           "the training scenes have no valid pixel in band %d "
                           "(%s and others); check nodata",
                           spec->band[b], survey->scene[0].image);
        spec->mean[b] = all.mean;
        spec->std[b] = sg_moments_std(all);
    }
    return SG_OK;
}

static void set_scenes(sg_survey *survey, const sg_moments *per_scene, const sg_spec *spec)
{
    for (size_t i = 0; i < survey->count; i++) {
        for (int32_t b = 0; b < spec->bands; b++) {
            const sg_moments *own = &per_scene[i * (size_t)spec->bands + (size_t)b];
            bool by_scene = spec->normalize == SG_NORMALIZE_SCENE;
            survey->scene[i].mean[b] = by_scene ? own->mean : spec->mean[b];
            survey->scene[i].std[b] = by_scene ? sg_moments_std(*own) : spec->std[b];
        }
    }
}

sg_err sg_survey_measure(sg_survey *survey, sg_comm *comm, const sg_spec *spec)
{
    uint8_t *wanted = NULL;
    sg_err err = sg_calloc(survey->count, 1, &wanted);
    if (err == SG_OK)
        err = sg_calloc(survey->count, (size_t)spec->bands * sizeof(*survey->moments),
                        &survey->moments);
    err = sg_comm_agree(comm, err);
    if (err == SG_OK) {
        memset(wanted, 1, survey->count);
        err = measure(survey, comm, spec, wanted, survey->moments);
    }
    sg_free(wanted);
    return err;
}

sg_err sg_survey_statistics(sg_survey *survey, sg_comm *comm, sg_spec *spec, bool measure_spec)
{
    uint8_t *wanted = NULL;
    sg_moments *per_scene = NULL;
    bool none = spec->normalize == SG_NORMALIZE_NONE;
    for (int32_t b = 0; none && b < spec->bands; b++) {
        spec->mean[b] = 0;
        spec->std[b] = 1;
    }
    sg_err err = sg_calloc(survey->count, 1, &wanted);
    if (err == SG_OK)
        err = sg_calloc(survey->count, (size_t)spec->bands * sizeof(*per_scene), &per_scene);
    err = sg_comm_agree(comm, err);
    if (err != SG_OK)
        goto done;
    for (size_t i = 0; i < survey->count; i++)
        wanted[i] = !none && (spec->normalize == SG_NORMALIZE_SCENE ||
                              (measure_spec && survey->split[i] == SG_SPLIT_TRAIN));
    if (survey->moments == NULL)
        err = measure(survey, comm, spec, wanted, per_scene);
    else
        memcpy(per_scene, survey->moments,
               survey->count * (size_t)spec->bands * sizeof(*per_scene));
    if (err == SG_OK && measure_spec && !none)
        err = sg_comm_agree(comm, set_spec(survey, per_scene, spec));
    if (err == SG_OK)
        set_scenes(survey, per_scene, spec);
done:
    sg_free(per_scene);
    sg_free(wanted);
    return err;
}

/* Counting labels: the pieces of all regions, dealt in turn. */
typedef struct {
    const sg_scenes *scenes;
    sg_source *source; /* of the region at hand, opened when first needed */
    uint8_t *classes;  /* (SG_STATS_BLOCK, SG_STATS_BLOCK) */
    int64_t count[SG_SPLITS][256];
} label_count;

static sg_err count_piece(label_count *work, const sg_region *region, sg_window window)
{
    sg_err err = SG_OK;
    if (work->source == NULL)
        err = sg_source_open(&work->source, work->scenes, region->scene);
    if (err == SG_OK)
        err = sg_source_labels(work->source, window, work->classes);
    for (int64_t i = 0; err == SG_OK && i < window.w * window.h; i++)
        work->count[region->split][work->classes[i]]++;
    return err;
}

/* *turn counts pieces over all regions, so that small scenes are spread over ranks too. */
static sg_err count_region(label_count *work, const sg_region *region, int rank, int ranks,
                           int64_t *turn)
{
    sg_err err = SG_OK;
    sg_window all = region->window;
    for (int64_t y = all.y; err == SG_OK && y < all.y + all.h; y += SG_STATS_BLOCK) {
        for (int64_t x = all.x; err == SG_OK && x < all.x + all.w; x += SG_STATS_BLOCK) {
            sg_window piece = {x, y, SG_STATS_BLOCK, SG_STATS_BLOCK};
            if ((*turn)++ % ranks == rank)
                err = count_piece(work, region, sg_window_intersect(piece, all));
        }
    }
    sg_source_close(work->source);
    work->source = NULL;
    return err;
}

static sg_err check_labelled(const sg_survey *survey, const sg_class_table *classes)
{
    int64_t total = 0;
    for (int32_t c = 0; c < classes->count; c++)
        total += survey->pixels[SG_SPLIT_TRAIN][c];
    if (total > 0 || sg_survey_pixels(survey, SG_SPLIT_TRAIN) == 0)
        return SG_OK;
    return sg_fail(SG_EINPUT,
                   "%s and the other training labels have no pixel of any class; check the values "
                   "of data.classes",
                   survey->scene[0].label);
}

sg_err sg_survey_classes(sg_survey *survey, sg_comm *comm, const sg_spec *spec,
                         const sg_label_options *label)
{
    const sg_scenes scenes = sg_survey_as_scenes(survey, spec, label);
    label_count work = {.scenes = &scenes};
    int64_t turn = 0;
    if (survey->store != NULL) /* which has the counts */
        return sg_comm_agree(comm, check_labelled(survey, &spec->classes));
    sg_err err = sg_malloc(SG_STATS_BLOCK, SG_STATS_BLOCK, &work.classes);
    for (size_t i = 0; err == SG_OK && i < survey->regions.count; i++)
        err = count_region(&work, &survey->regions.item[i], sg_comm_rank(comm), sg_comm_ranks(comm),
                           &turn);
    sg_free(work.classes);
    err = sg_comm_agree(comm, err);
    if (err != SG_OK)
        return err;
    sg_comm_sum_i64(comm, &work.count[0][0], SG_SPLITS * 256);
    for (int s = 0; s < SG_SPLITS; s++) {
        memcpy(survey->pixels[s], work.count[s], SG_CLASSES_MAX * sizeof(int64_t));
        survey->unlabelled[s] = work.count[s][SG_NO_CLASS];
    }
    return sg_comm_agree(comm, check_labelled(survey, &spec->classes));
}
