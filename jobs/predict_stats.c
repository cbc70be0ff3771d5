/* What is subtracted from a scene's bands and what they are divided by. */
#include "jobs/predict.h"

#include "base/size.h"
#include "data/stats.h"

enum { MOMENT_VALUES = 3 };

/* This rank's share of the blocks; zero elsewhere, so that the sum over ranks gathers them.
 * values: (blocks, bands, MOMENT_VALUES) */
static sg_err measure_blocks(sg_raster *raster, const sg_comm *comm, int64_t blocks, double *values)
{
    int32_t bands = sg_raster_bands(raster);
    sg_moments moments[SG_BANDS_MAX];
    sg_err err = SG_OK;
    for (int64_t i = sg_comm_rank(comm); err == SG_OK && i < blocks; i += sg_comm_ranks(comm)) {
        err = sg_stats_block(raster, i, moments);
        double *out = values + i * bands * MOMENT_VALUES;
        for (int32_t b = 0; err == SG_OK && b < bands; b++) {
            *out++ = (double)moments[b].count;
            *out++ = moments[b].mean;
            *out++ = moments[b].m2;
        }
    }
    return err;
}

static void join_blocks(int32_t bands, int64_t blocks, const double *values, double *mean,
                        double *std)
{
    for (int32_t b = 0; b < bands; b++) {
        sg_moments all = {0};
        for (int64_t i = 0; i < blocks; i++) {
            const double *one = values + (i * bands + b) * MOMENT_VALUES;
            all = sg_moments_join(
                all, (sg_moments){.count = (int64_t)one[0], .mean = one[1], .m2 = one[2]});
        }
        mean[b] = all.mean;
        std[b] = sg_moments_std(all);
    }
}

/* The scene's own statistics, joined in block order: the same for any number of ranks. */
static sg_err measure_scene(const sg_spec *spec, sg_comm *comm, const char *path, double *mean,
                            double *std)
{
    sg_raster *raster = NULL;
    double *values = NULL;
    size_t count = 0;
    int64_t blocks = 0;
    sg_err err = sg_raster_open(&raster, path, spec->band, spec->bands);
    if (err == SG_OK) {
        blocks = sg_stats_blocks(sg_raster_get_info(raster));
        err = sg_size_mul3((size_t)blocks, (size_t)spec->bands, MOMENT_VALUES, &count);
    }
    if (err == SG_OK)
        err = sg_calloc(count, sizeof(double), &values);
    if (err == SG_OK)
        err = measure_blocks(raster, comm, blocks, values);
    err = sg_comm_agree(comm, err);
    if (err == SG_OK) {
        sg_comm_sum_f64(comm, values, count);
        join_blocks(spec->bands, blocks, values, mean, std);
    }
    sg_raster_close(raster);
    sg_free(values);
    return err;
}

sg_err sg_predict_normalisation(const sg_spec *spec, sg_comm *comm, const char *path, double *mean,
                                double *std)
{
    if (spec->normalize == SG_NORMALIZE_SCENE)
        return measure_scene(spec, comm, path, mean, std);
    for (int32_t b = 0; b < spec->bands; b++) {
        mean[b] = spec->normalize == SG_NORMALIZE_NONE ? 0 : spec->mean[b];
        std[b] = spec->normalize == SG_NORMALIZE_NONE ? 1 : spec->std[b];
    }
    return SG_OK;
}
