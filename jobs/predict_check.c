/* Whether a scene suits a network. */
#include "jobs/predict.h"

#include <math.h>
#include "data/raster.h"

/* Scenes may differ this much from the model's ground sampling distance. */
static const double GSD_TOLERANCE = 0.1;

static int32_t highest_band(const sg_spec *spec)
{
    int32_t highest = 0;
    for (int32_t i = 0; i < spec->bands; i++)
        highest = spec->band[i] > highest ? spec->band[i] : highest;
    return highest;
}

bool sg_predict_other_gsd(const sg_raster_info *info, const sg_spec *spec)
{
    return info->gsd > 0 && spec->gsd > 0 && fabs(info->gsd / spec->gsd - 1) > GSD_TOLERANCE;
}

/* Everything that does not fit, in one message. */
static sg_err check_info(const sg_predict_options *options, const sg_network *network,
                         const char *scene, const sg_raster_info *info)
{
    const sg_spec *spec = &network->checkpoint.spec;
    sg_text wrong = {0};
    sg_err err = SG_OK;
    if (highest_band(spec) > info->raw_bands)
        err = sg_text_add(&wrong, "; it has %d band(s), but the model reads band %d",
                          info->raw_bands, highest_band(spec));
    if (err == SG_OK && sg_predict_other_gsd(info, spec) && !options->force && !options->resample)
        err = sg_text_add(&wrong,
                          "; its pixels are %.4g m, the model's %.4g m: use --resample to map it "
                          "at the model's, or --force to take it as it is",
                          info->gsd, spec->gsd);
    if (err == SG_OK && wrong.length > 0)
        err = sg_fail(SG_EINPUT, "%s does not suit %s: %s", scene, network->path, wrong.data + 2);
    sg_text_clear(&wrong);
    return err;
}

/* Pixels of a scene that is resampled are counted in what it becomes: they are looked at then. */
static sg_err check_area(const sg_predict_options *options, const sg_network *network,
                         const sg_raster *raster)
{
    sg_area area = {0};
    if (options->resample &&
        sg_predict_other_gsd(sg_raster_get_info(raster), &network->checkpoint.spec))
        return SG_OK;
    sg_err err = sg_area_open(&area, &options->area, raster);
    sg_area_close(&area);
    return err;
}

sg_err sg_predict_check(const sg_predict_options *options, const sg_network *network,
                        const char *scene)
{
    sg_raster *raster = NULL;
    sg_err err = sg_raster_open(&raster, scene, NULL, 0);
    if (err == SG_OK)
        err = check_info(options, network, scene, sg_raster_get_info(raster));
    if (err == SG_OK)
        err = check_area(options, network, raster);
    sg_raster_close(raster);
    return err;
}
