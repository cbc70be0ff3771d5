/* What is subtracted from a scene's bands and what they are divided by. */
#include "jobs/predict.h"

#include "base/size.h"
#include "jobs/survey.h"

#include <string.h>

/* A survey of one scene. */
static sg_err open_survey(sg_survey *survey, const sg_spec *spec, const char *path)
{
    sg_raster *raster = NULL;
    sg_err err = sg_calloc(1, sizeof(*survey->scene), &survey->scene);
    if (err == SG_OK)
        err = sg_calloc(1, sizeof(*survey->split), &survey->split);
    if (err == SG_OK)
        err = sg_calloc(1, sizeof(*survey->size), &survey->size);
    if (err == SG_OK)
        err = sg_path_format(survey->scene->image, "%s", path);
    if (err == SG_OK)
        err = sg_raster_open_spec(&raster, path, spec);
    if (err != SG_OK)
        return err;
    const sg_raster_info *info = sg_raster_get_info(raster);
    survey->count = 1;
    *survey->split = SG_SPLIT_TEST;
    *survey->size = (sg_scene_size){info->width, info->height, info->bands, info->gsd};
    sg_raster_close(raster);
    return SG_OK;
}

sg_err sg_predict_normalisation(const sg_spec *spec, sg_comm *comm, const char *path, double *mean,
                                double *std)
{
    sg_survey survey = {0};
    sg_spec applied = *spec;
    sg_err err = sg_comm_agree(comm, open_survey(&survey, spec, path));
    if (err == SG_OK)
        err = sg_survey_statistics(&survey, comm, &applied, false);
    if (err == SG_OK) {
        memcpy(mean, survey.scene->mean, (size_t)spec->bands * sizeof(*mean));
        memcpy(std, survey.scene->std, (size_t)spec->bands * sizeof(*std));
    }
    sg_survey_close(&survey);
    return err;
}
