/* Where a training reads from: scenes, a tile store, or copies of either on the node's disk. */
#include "jobs/train.h"

#include "base/clock.h"
#include "base/log.h"
#include "data/stage.h"
#include "jobs/tile_facts.h"

/* One rank of each node makes the copy; all read it. [collective] */
static sg_err stage_store(sg_train_run *run, const char *folder, sg_scenes *scenes)
{
    const char *path = sg_tile_store_path(run->store);
    char staged[SG_PATH_MAX];
    double start = sg_now();
    int64_t bytes = 0, again = 0;
    sg_tile_store *copy = NULL;
    sg_err err = sg_make_folders(folder);
    if (err == SG_OK && sg_comm_local_rank(run->comm) == 0)
        err = sg_stage_tiles(folder, path, staged, &bytes);
    err = sg_comm_agree(run->comm, err);
    if (err != SG_OK)
        return err;
    sg_comm_sum_i64(run->comm, &bytes, 1);
    err = sg_stage_tiles(folder, path, staged, &again);
    if (err == SG_OK)
        err = sg_tile_store_open(&copy, staged, SG_TILE_CACHE_BYTES);
    err = sg_comm_agree(run->comm, err);
    if (err != SG_OK) {
        sg_tile_store_close(copy);
        return err;
    }
    sg_info("tile store staged in %s: %.1f MB written in %.0f s", folder, 1e-6 * (double)bytes,
            sg_now() - start);
    sg_tile_store_close(run->store);
    run->store = run->survey.store = scenes->store = copy;
    return SG_OK;
}

sg_err sg_train_stage(sg_train_run *run, sg_scenes *scenes)
{
    char folder[SG_PATH_MAX];
    if (run->job.data.stage[0] == '\0')
        return SG_OK;
    sg_err err = sg_comm_agree(run->comm, sg_expand_path(run->job.data.stage, folder));
    if (err == SG_OK && run->store != NULL)
        return stage_store(run, folder, scenes);
    if (err == SG_OK)
        err = sg_survey_stage(&run->survey, run->comm, folder, scenes);
    run->staged = sg_stage_spec(&run->spec);
    scenes->spec = &run->staged;
    scenes->label = sg_stage_label_options();
    return err;
}
