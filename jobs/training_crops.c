#include "jobs/training_crops.h"

#include "jobs/tile_facts.h"

static sg_err prepare_spec(sg_training_crops *crops, const sg_job *job, sg_tile_store *store)
{
    sg_err err = sg_job_spec(job, &crops->spec);
    return !err && store ? sg_tile_facts_adopt(store, &crops->spec) : err;
}

/* [collective] */
static sg_err survey_scenes(sg_training_crops *crops, sg_comm *comm, const sg_job *job,
                            sg_tile_store *store, sg_crop_rules *rules)
{
    const unsigned splits = 1u << SG_SPLIT_TRAIN;
    sg_err err = sg_comm_agree(comm, prepare_spec(crops, job, store));
    if (!err && store)
        err = sg_comm_agree(comm, sg_tile_facts_survey(store, job, splits, &crops->survey));
    else if (!err)
        err = sg_survey_open(&crops->survey, comm, job, splits, &crops->spec);
    if (!err)
        err = sg_survey_classes(&crops->survey, comm, &crops->spec, &job->data.label);
    if (!err)
        err = sg_survey_statistics(&crops->survey, comm, &crops->spec, true);
    if (!err)
        err = sg_survey_crops(&crops->survey, comm, &crops->spec, job, rules);
    return err ? err : sg_survey_focus(&crops->survey, comm, &crops->spec, job);
}

sg_err sg_training_crops_open(sg_training_crops *crops, sg_comm *comm, const sg_job *job,
                              sg_tile_store *store)
{
    sg_crop_rules rules = {0};
    sg_err err = survey_scenes(crops, comm, job, store, &rules);
    if (err)
        return err;
    crops->scenes = sg_survey_as_scenes(&crops->survey, &crops->spec, &job->data.label);
    const sg_training training = {.scenes = &crops->scenes,
                                  .regions = &crops->survey.regions,
                                  .whole = sg_survey_whole(&crops->survey),
                                  .crops = rules,
                                  .spec = &crops->spec,
                                  .tile = job->train.tile,
                                  .augment = job->train.augment.turns,
                                  .alter = sg_job_alterations(job),
                                  .jitter = (float)job->train.jitter,
                                  .seed = job->seed};
    return sg_comm_agree(comm, sg_sampler_make(&crops->tables, &training));
}

sg_err sg_training_crops_load(sg_training_crops *crops, const sg_job *job,
                              sg_loader_options options, sg_loader **loader)
{
    options.w = options.h = job->train.tile;
    sg_sampler_feed(&crops->tables.sampler, &options);
    return sg_loader_open(loader, &crops->scenes, &options);
}

void sg_training_crops_close(sg_training_crops *crops)
{
    sg_sampler_clear(&crops->tables);
    sg_survey_close(&crops->survey);
}
