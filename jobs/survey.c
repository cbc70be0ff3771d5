#include "jobs/survey.h"

#include "base/log.h"
#include "base/size.h"

#include <math.h>
#include <string.h>

void sg_survey_close(sg_survey *survey)
{
    sg_free(survey->scene);
    sg_free(survey->split);
    sg_free(survey->size);
    sg_free(survey->moments);
    sg_regions_clear(&survey->regions);
    sg_regions_clear(&survey->unfocused);
    sg_places_clear(&survey->places);
    *survey = (sg_survey){0};
}

sg_scenes sg_survey_as_scenes(const sg_survey *survey, const sg_spec *spec,
                              const sg_label_options *label)
{
    return (sg_scenes){survey->scene, (int32_t)survey->count, spec, *label, survey->store};
}

const sg_regions *sg_survey_whole(const sg_survey *survey)
{
    return survey->unfocused.count > 0 ? &survey->unfocused : &survey->regions;
}

int64_t sg_survey_pixels(const sg_survey *survey, sg_split split)
{
    int64_t pixels = 0;
    for (size_t i = 0; i < survey->regions.count; i++) {
        const sg_region *region = &survey->regions.item[i];
        if (region->split == split)
            pixels += region->window.w * region->window.h;
    }
    return pixels;
}

size_t sg_survey_scenes(const sg_survey *survey, sg_split split)
{
    size_t count = 0;
    int32_t last = -1; /* regions stand in the order of scenes */
    for (size_t i = 0; i < survey->regions.count; i++) {
        const sg_region *region = &survey->regions.item[i];
        if (region->split == split && region->scene != last) {
            last = region->scene;
            count++;
        }
    }
    return count;
}

static bool cuts_blocks(const sg_job *job)
{
    return job->data.blocks.val + job->data.blocks.test > 0;
}

/* Is a scene of this split of the list wanted? With blocks, training scenes hold other splits too.
 */
static bool is_wanted(const sg_job *job, unsigned splits, sg_split split)
{
    bool val = (splits >> SG_SPLIT_VAL & 1) && job->data.blocks.val > 0;
    bool test = (splits >> SG_SPLIT_TEST & 1) && job->data.blocks.test > 0;
    return (splits >> split & 1) || (split == SG_SPLIT_TRAIN && (val || test));
}

static sg_err copy_list(sg_survey *survey, const sg_job *job, unsigned splits)
{
    sg_job_scenes list = {0};
    sg_err err = sg_job_list_scenes(job, &list);
    if (err == SG_OK)
        err = sg_calloc(list.count, sizeof(*survey->scene), &survey->scene);
    if (err == SG_OK)
        err = sg_calloc(list.count, sizeof(*survey->split), &survey->split);
    if (err == SG_OK)
        err = sg_calloc(list.count, sizeof(*survey->size), &survey->size);
    for (size_t i = 0; err == SG_OK && i < list.count; i++) {
        const sg_job_scene *item = &list.item[i];
        if (!is_wanted(job, splits, item->split))
            continue;
        if (item->label[0] == '\0' && splits == 1u << item->split)
            err = sg_yaml_fail(job->yaml, "data.test",
                               "%s has no labels to be compared with; name their folder or file",
                               item->image);
        sg_scene *scene = &survey->scene[survey->count];
        memcpy(scene->image, item->image, sizeof(scene->image));
        memcpy(scene->label, item->label, sizeof(scene->label));
        survey->split[survey->count++] = item->split;
    }
    sg_job_scenes_clear(&list);
    return err;
}

/* Open one scene with its labels and note its size. */
static sg_err look_at(const sg_survey *survey, size_t i, const sg_spec *spec,
                      const sg_label_options *label_options, double row[4])
{
    sg_raster *raster = NULL;
    sg_label *label = NULL;
    sg_err err = sg_raster_open_spec(&raster, survey->scene[i].image, spec);
    if (err != SG_OK)
        return err;
    const sg_raster_info *info = sg_raster_get_info(raster);
    row[0] = (double)info->width;
    row[1] = (double)info->height;
    row[2] = (double)info->bands;
    row[3] = info->gsd;
    if (survey->scene[i].label[0] != '\0') /* test scenes may have none */
        err = sg_label_open(&label, survey->scene[i].label, raster, &spec->classes, label_options);
    sg_label_close(label);
    sg_raster_close(raster);
    return err;
}

/* Every rank looks at its share of the scenes; then all know all sizes. [collective] */
static sg_err look_at_all(sg_survey *survey, sg_comm *comm, const sg_job *job, const sg_spec *spec)
{
    double *row = NULL;
    size_t ranks = (size_t)sg_comm_ranks(comm), rank = (size_t)sg_comm_rank(comm);
    sg_err err = sg_calloc(survey->count, 4 * sizeof(double), &row);
    for (size_t i = rank; err == SG_OK && i < survey->count; i += ranks)
        err = look_at(survey, i, spec, &job->data.label, row + 4 * i);
    err = sg_comm_agree(comm, err);
    if (err != SG_OK)
        goto done;
    sg_comm_sum_f64(comm, row, 4 * survey->count);
    for (size_t i = 0; i < survey->count; i++)
        survey->size[i] = (sg_scene_size){(int64_t)row[4 * i], (int64_t)row[4 * i + 1],
                                          (int32_t)row[4 * i + 2], row[4 * i + 3]};
done:
    sg_free(row);
    return err;
}

static sg_err job_bands(const sg_job *job, sg_spec *spec)
{
    if (spec->bands > 0 || job->data.bands.count == 0)
        return SG_OK;
    spec->bands = (int32_t)job->data.bands.count;
    for (int32_t i = 0; i < spec->bands; i++)
        spec->band[i] = (int32_t)job->data.bands.item[i];
    return SG_OK;
}

/* No bands were named: all of them, and then every scene must have as many. */
static sg_err all_bands(const sg_survey *survey, sg_spec *spec)
{
    if (spec->bands > 0)
        return SG_OK;
    if (survey->size[0].bands > SG_BANDS_MAX)
        return sg_fail(SG_EUSAGE, "%s has %d bands; choose at most %d with data.bands",
                       survey->scene[0].image, survey->size[0].bands, SG_BANDS_MAX);
    for (size_t i = 1; i < survey->count; i++) {
        if (survey->size[i].bands != survey->size[0].bands)
            return sg_fail(SG_EINPUT,
                           "%s has %d bands but %s has %d; choose bands that all have with "
                           "data.bands",
                           survey->scene[i].image, survey->size[i].bands, survey->scene[0].image,
                           survey->size[0].bands);
    }
    spec->bands = survey->size[0].bands;
    for (int32_t b = 0; b < spec->bands; b++)
        spec->band[b] = b + 1;
    return SG_OK;
}

void sg_survey_note_gsd(const sg_survey *survey, sg_spec *spec)
{
    for (size_t i = 0; i < survey->count && spec->gsd == 0; i++) {
        if (survey->split[i] == SG_SPLIT_TRAIN)
            spec->gsd = survey->size[i].gsd;
    }
    for (size_t i = 0; i < survey->count; i++) {
        double gsd = survey->size[i].gsd;
        if (gsd > 0 && spec->gsd > 0 && fabs(log(gsd / spec->gsd)) > 0.1) {
            sg_warn("%s has pixels of %.3g m, the first training scene of %.3g m",
                    survey->scene[i].image, gsd, spec->gsd);
            return;
        }
    }
}

static sg_err check_overlap(const sg_survey *survey)
{
    const sg_raster_info **info = NULL;
    sg_georef **georef = NULL;
    sg_raster **raster = NULL;
    sg_err err = sg_calloc(survey->count, sizeof(info[0]), &info);
    if (err == SG_OK)
        err = sg_calloc(survey->count, sizeof(georef[0]), &georef);
    if (err == SG_OK)
        err = sg_calloc(survey->count, sizeof(raster[0]), &raster);
    for (size_t i = 0; err == SG_OK && i < survey->count; i++) {
        err = sg_raster_open(&raster[i], survey->scene[i].image, NULL, 0);
        if (err == SG_OK)
            err = sg_raster_georef(raster[i], &georef[i]);
        if (err == SG_OK)
            info[i] = sg_raster_get_info(raster[i]);
    }
    if (err == SG_OK)
        err = sg_split_check_overlap(info, (const sg_georef *const *)georef, survey->split,
                                     (int32_t)survey->count);
    for (size_t i = 0; raster != NULL && georef != NULL && i < survey->count; i++) {
        sg_georef_close(georef[i]);
        sg_raster_close(raster[i]);
    }
    sg_free(raster);
    sg_free(georef);
    sg_free(info);
    return err;
}

static sg_err make_regions(sg_survey *survey, const sg_job *job)
{
    sg_block_split blocks = {job->data.blocks.size, job->data.blocks.guard, job->data.blocks.val,
                             job->data.blocks.test, job->seed};
    sg_err err = SG_OK;
    for (size_t i = 0; err == SG_OK && i < survey->count; i++) {
        const sg_scene_size *size = &survey->size[i];
        if (survey->split[i] == SG_SPLIT_TRAIN && cuts_blocks(job))
            err = sg_regions_add_blocks(&survey->regions, (int32_t)i, size->width, size->height,
                                        &blocks);
        else
            err = sg_regions_add_scene(&survey->regions, (int32_t)i, survey->split[i], size->width,
                                       size->height);
    }
    return err;
}

static sg_err check_regions(const sg_survey *survey, const sg_job *job, unsigned splits)
{
    for (int split = 0; split < SG_SPLITS; split++) {
        bool needed = splits == 1u << split || (split == SG_SPLIT_TRAIN && (splits & 1));
        if (needed && sg_survey_pixels(survey, split) == 0)
            return sg_yaml_fail(job->yaml, "data",
                                "no scene is left for the split '%s'; name some or cut blocks",
                                sg_split_name(split));
    }
    return SG_OK;
}

sg_err sg_survey_keep_splits(sg_survey *survey, const sg_job *job, unsigned splits)
{
    size_t kept = 0;
    for (size_t i = 0; i < survey->regions.count; i++) {
        if (splits >> survey->regions.item[i].split & 1)
            survey->regions.item[kept++] = survey->regions.item[i];
    }
    survey->regions.count = kept;
    return check_regions(survey, job, splits);
}

sg_err sg_survey_open(sg_survey *survey, sg_comm *comm, const sg_job *job, unsigned splits,
                      sg_spec *spec)
{
    *survey = (sg_survey){0};
    sg_err err = copy_list(survey, job, splits);
    if (err == SG_OK && survey->count == 0)
        err = check_regions(survey, job, splits);
    if (err == SG_OK)
        err = job_bands(job, spec);
    err = sg_comm_agree(comm, err);
    if (err == SG_OK)
        err = look_at_all(survey, comm, job, spec);
    if (err != SG_OK)
        return err;
    err = all_bands(survey, spec);
    if (err == SG_OK) {
        sg_survey_note_gsd(survey, spec);
        err = make_regions(survey, job);
    }
    if (err == SG_OK)
        err = sg_survey_keep_splits(survey, job, splits);
    if (err == SG_OK && job->data.check_overlap && sg_comm_rank(comm) == 0)
        err = check_overlap(survey);
    return sg_comm_agree(comm, err);
}
