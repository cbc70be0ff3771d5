/* train.augment: what is done to crops. */
#include "jobs/job.h"

/* Beyond these little of a crop would be itself. */
static const double SIZE_LEAST = 0.25, SIZE_MOST = 4;

sg_err sg_job_check_augment(const sg_job *job)
{
    const double *scale = job->train.augment.scale.item;
    if (!(scale[0] >= SIZE_LEAST && scale[1] <= SIZE_MOST && scale[0] <= scale[1]))
        return sg_yaml_fail(job->yaml, "train.augment.scale",
                            "[%g, %g]; the least and the most size are wanted, within %g to %g",
                            scale[0], scale[1], SIZE_LEAST, SIZE_MOST);
    return SG_OK;
}

sg_alterations sg_job_alterations(const sg_job *job)
{
    const sg_job_augment *augment = &job->train.augment;
    return (sg_alterations){.chance = augment->p,
                            .rotate = augment->rotate,
                            .least = augment->scale.item[0],
                            .most = augment->scale.item[1],
                            .brightness = augment->brightness,
                            .contrast = augment->contrast,
                            .gamma = augment->gamma,
                            .per_band = augment->per_band,
                            .blur = augment->blur,
                            .noise = augment->noise,
                            .band_dropout = augment->band_dropout,
                            .cut_mix = augment->cut_mix,
                            .paste = augment->paste};
}
