/* Copies of the scenes on each node's own disk: see data/stage.h. */
#include "jobs/survey.h"

#include "base/clock.h"
#include "base/log.h"
#include "data/stage.h"

#include <inttypes.h>

/* The ranks of a node share out its copies. */
static sg_err make_copies(const sg_survey *survey, const sg_comm *comm, const char *folder,
                          const sg_scenes *scenes, int64_t *bytes)
{
    size_t step = (size_t)sg_comm_local_ranks(comm);
    sg_err err = sg_make_folders(folder);
    for (size_t i = (size_t)sg_comm_local_rank(comm); err == SG_OK && i < survey->count;
         i += step) {
        sg_scene staged;
        int64_t made;
        err = sg_stage_scene(folder, scenes, (int32_t)i, &staged, &made);
        *bytes += made;
    }
    return err;
}

static sg_err use_copies(sg_survey *survey, const char *folder, const sg_scenes *scenes)
{
    sg_err err = SG_OK;
    for (size_t i = 0; err == SG_OK && i < survey->count; i++) {
        sg_scene staged;
        int64_t made;
        err = sg_stage_scene(folder, scenes, (int32_t)i, &staged, &made);
        if (err == SG_OK)
            survey->scene[i] = staged;
    }
    return err;
}

sg_err sg_survey_stage(sg_survey *survey, sg_comm *comm, const char *folder,
                       const sg_scenes *scenes)
{
    double start = sg_now();
    int64_t bytes = 0;
    sg_err err = sg_comm_agree(comm, make_copies(survey, comm, folder, scenes, &bytes));
    if (err != SG_OK)
        return err;
    sg_comm_sum_i64(comm, &bytes, 1);
    err = sg_comm_agree(comm, use_copies(survey, folder, scenes));
    if (err == SG_OK)
        sg_info("%zu scenes staged in %s: %.1f MB written in %.0f s", survey->count, folder,
                1e-6 * (double)bytes, sg_now() - start);
    return err;
}
