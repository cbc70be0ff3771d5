/*
 * A network against the labels of a job: each scene goes through the very pipeline of predict, and
 * each finished chunk is compared instead of written. Scenes that splits share by blocks are mapped
 * whole and compared where the split's blocks are.
 */
#include "jobs/classifier.h"
#include "jobs/evaluate.h"
#include "jobs/job.h"
#include "jobs/predict.h"
#include "jobs/survey.h"
#include "jobs/tile_facts.h"
#include "base/log.h"
#include "base/size.h"
#include "tiles/pipeline.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    sg_comm *comm;
    const sg_evaluate_options *options;
    sg_predict_options predict; /* how scenes are mapped */
    sg_evaluation *out;
    sg_job job;
    sg_network network;
    sg_spec spec;         /* the network's, with the class values of the job's labels */
    sg_tile_store *store; /* what scenes are read from, or NULL; owned */
    sg_survey survey;
    sg_scenes scenes;      /* of the survey */
    sg_predict_plan *plan; /* [scenes], owned; of those with pixels of the split */
    int64_t *start;        /* [scenes + 1] number of a scene's first chunk among all, owned */
    sg_counter *taken;     /* chunks of all scenes */
    int64_t next;          /* the chunk that this rank has taken and not yet begun */
} evaluation_run;

/* One scene. */
typedef struct {
    evaluation_run *run;
    size_t index;  /* in the survey */
    size_t number; /* of those before it that have pixels of the split */
    const sg_scene *scene;
    const sg_predict_plan *plan;
    sg_classifier classifier;
    sg_source *source; /* of the labels */
    uint8_t *truth;    /* (chunk_h, chunk_w) */
    uint8_t *piece;    /* of the same size: one region's part of it */
} scene_run;

static bool needs_probabilities(const scene_run *scene)
{
    return scene->run->options->seen != NULL || scene->plan->grid.step_w > 0 ||
           scene->plan->crf.iterations > 0;
}

static sg_err begin_tiles(void *user, int32_t n, const sg_raw_image *image)
{
    scene_run *scene = user;
    return sg_classifier_begin(&scene->classifier, n, image);
}

static sg_err end_tiles(void *user, uint8_t *classes, float *probabilities)
{
    scene_run *scene = user;
    return sg_classifier_end(&scene->classifier, classes, probabilities);
}

/* Ranks take chunks of all scenes from one counter. A chunk of a later scene ends this one, and is
 * kept for it. Scene and chunk numbers rise, so a rank passes each scene once. */
static sg_err next_chunk(void *user, int64_t *chunk)
{
    scene_run *scene = user;
    evaluation_run *run = scene->run;
    int64_t start = run->start[scene->index], end = run->start[scene->index + 1];
    *chunk = end - start;
    if (run->next >= end)
        return SG_OK;
    *chunk = run->next - start;
    return sg_counter_next(run->taken, &run->next);
}

/* Labels of the core inside one region of the split. */
static sg_err read_region(scene_run *scene, sg_window core, sg_window region)
{
    sg_window part = sg_window_intersect(core, region);
    if (sg_window_is_empty(part))
        return SG_OK;
    sg_err err = sg_source_labels(scene->source, part, scene->piece);
    for (int64_t y = 0; err == SG_OK && y < part.h; y++)
        memcpy(scene->truth + (part.y - core.y + y) * core.w + (part.x - core.x),
               scene->piece + y * part.w, (size_t)part.w);
    return err;
}

static sg_err compare_chunk(void *user, sg_window core, const uint8_t *classes,
                            const float *probabilities)
{
    scene_run *scene = user;
    const sg_regions *regions = &scene->run->survey.regions;
    const sg_evaluate_options *options = scene->run->options;
    sg_evaluation *out = scene->run->out;
    size_t count = (size_t)(core.w * core.h);
    sg_err err = SG_OK;
    memset(scene->truth, SG_NO_CLASS, count);
    for (size_t i = 0; err == SG_OK && i < regions->count; i++) {
        if (regions->item[i].scene == (int32_t)scene->index)
            err = read_region(scene, core, regions->item[i].window);
    }
    if (err != SG_OK)
        return err;
    for (size_t i = 0; i < count; i++)
        out->unmapped += scene->truth[i] != SG_NO_CLASS && classes[i] == SG_NO_CLASS;
    sg_confusion_add(&out->confusion, scene->truth, classes, count);
    if (options->seen == NULL)
        return SG_OK;
    const sg_compared chunk = {&scene->run->spec, scene->scene, scene->number, core,
                               scene->truth,      classes,      probabilities, scene->index};
    return options->seen(options->user, &chunk);
}

static sg_err prepare_scene(scene_run *scene)
{
    evaluation_run *run = scene->run;
    const sg_grid *grid = &scene->plan->grid;
    sg_err err = sg_classifier_open(&scene->classifier, &run->network, scene->plan,
                                    needs_probabilities(scene));
    if (err == SG_OK)
        err = sg_source_open(&scene->source, &run->scenes, (int32_t)scene->index);
    if (err == SG_OK)
        err = sg_malloc((size_t)grid->chunk_w, (size_t)grid->chunk_h, &scene->truth);
    if (err == SG_OK)
        err = sg_malloc((size_t)grid->chunk_w, (size_t)grid->chunk_h, &scene->piece);
    return err;
}

static sg_err map_scene(scene_run *scene)
{
    const sg_pipeline_options pipeline = {.path = scene->scene->image,
                                          .store = scene->run->store,
                                          .scene = scene->index,
                                          .spec = &scene->run->spec,
                                          .mean = scene->scene->mean,
                                          .std = scene->scene->std,
                                          .grid = &scene->plan->grid,
                                          .batch = scene->plan->batch,
                                          .readers = 1,
                                          .want_probabilities = needs_probabilities(scene),
                                          .crf = scene->plan->crf,
                                          .crf_workers = scene->plan->crf_workers,
                                          .raw = scene->classifier.raw,
                                          .in_flight = scene->classifier.in_flight,
                                          .begin = begin_tiles,
                                          .end = end_tiles,
                                          .next = next_chunk,
                                          .chunk = compare_chunk,
                                          .user = scene};
    sg_pipeline_report report;
    return sg_pipeline_run(&pipeline, &report);
}

static void close_scene(scene_run *scene)
{
    sg_source_close(scene->source);
    sg_classifier_close(&scene->classifier);
    sg_free(scene->truth);
    sg_free(scene->piece);
}

/* Has it pixels of the split? Where blocks are cut, or a store holds all, some scenes have none. */
static bool has_part(const evaluation_run *run, size_t index)
{
    const sg_regions *regions = &run->survey.regions;
    bool has = false;
    for (size_t i = 0; !has && i < regions->count; i++)
        has = regions->item[i].scene == (int32_t)index;
    return has;
}

static sg_err evaluate_scene(evaluation_run *run, size_t index)
{
    scene_run scene = {
        .run = run, .index = index, .scene = &run->survey.scene[index], .plan = &run->plan[index]};
    for (size_t i = 0; i < index; i++)
        scene.number += run->start[i + 1] > run->start[i];
    sg_err err = prepare_scene(&scene);
    if (err == SG_OK)
        err = map_scene(&scene);
    close_scene(&scene);
    return err;
}

/* This rank's part: until no chunk of any scene is left. A rank that fails takes what is left
 * without doing it, so that the others end soon. */
static sg_err evaluate_chunks(evaluation_run *run)
{
    size_t index = 0;
    int64_t all = run->start[run->survey.count];
    sg_err err = sg_counter_next(run->taken, &run->next);
    while (err == SG_OK && run->next < all) {
        while (run->start[index + 1] <= run->next)
            index++;
        err = evaluate_scene(run, index);
    }
    while (err != SG_OK && run->next < all && sg_counter_next(run->taken, &run->next) == SG_OK)
        ;
    return err;
}

/* Tiles and chunks of every scene. [collective] */
static sg_err plan_scenes(evaluation_run *run)
{
    size_t count = run->survey.count;
    sg_err err = sg_calloc(count, sizeof(*run->plan), &run->plan);
    if (err == SG_OK)
        err = sg_calloc(count + 1, sizeof(*run->start), &run->start);
    err = sg_comm_agree(run->comm, err);
    for (size_t i = 0; err == SG_OK && i < count; i++) {
        const sg_predict_size size = {.width = run->survey.size[i].width,
                                      .height = run->survey.size[i].height,
                                      .want_probabilities = run->options->seen != NULL};
        run->start[i + 1] = run->start[i];
        if (!has_part(run, i))
            continue;
        err = sg_predict_choose(&run->predict, &run->network, run->comm, &size, &run->plan[i]);
        if (err == SG_OK)
            run->start[i + 1] += sg_grid_chunks(&run->plan[i].grid);
    }
    return err;
}

/* All scenes, by all ranks. [collective] */
static sg_err share_scenes(evaluation_run *run)
{
    sg_err err = plan_scenes(run);
    if (err == SG_OK)
        err = sg_counter_create(&run->taken, run->comm);
    if (err != SG_OK)
        return err;
    err = sg_comm_agree(run->comm, evaluate_chunks(run));
    sg_counter_close(run->taken);
    return err;
}

static sg_err parse_split(const char *text, sg_split *split)
{
    for (int i = 0; i < SG_SPLITS; i++) {
        if (strcmp(text, sg_split_name(i)) == 0) {
            *split = i;
            return SG_OK;
        }
    }
    return sg_fail(SG_EUSAGE, "--split %s: expected one of: train val test", text);
}

/* The job may say where the network's layers lie. */
static sg_err take_layers(evaluation_run *run)
{
    int32_t layers = run->spec.layers;
    if (run->job.data.stack.count == 0)
        return SG_OK;
    sg_err err = sg_job_layers(&run->job, &run->spec);
    if (err == SG_OK && run->spec.layers != layers)
        err = sg_yaml_fail(run->job.yaml, "data.stack",
                           "%d rasters stand behind a scene's own, but %s reads %d",
                           run->spec.layers, run->network.path, layers);
    return err;
}

/* The job's classes must be the network's; their values in label files may be others. */
static sg_err take_classes(evaluation_run *run)
{
    const sg_class_table *known = &run->network.checkpoint.spec.classes;
    sg_class_table wanted;
    sg_err err = sg_job_classes(&run->job, &wanted);
    if (err != SG_OK)
        return err;
    bool same = wanted.count == known->count;
    for (int32_t i = 0; same && i < known->count; i++)
        same = strcmp(wanted.item[i].name, known->item[i].name) == 0;
    if (!same)
        return sg_yaml_fail(run->job.yaml, "data.classes",
                            "are not the classes of %s (%d, the first is '%s')", run->network.path,
                            known->count, known->item[0].name);
    run->spec = run->network.checkpoint.spec;
    run->spec.classes = wanted;
    run->out->classes = wanted;
    err = take_layers(run);
    return err != SG_OK ? err : sg_confusion_create(&run->out->confusion, wanted.count);
}

static sg_err load(const sg_evaluate_options *options, evaluation_run *run, sg_split *split,
                   char *model)
{
    sg_yaml_source source = {options->item[0], NULL, (const char *const *)(options->item + 1),
                             (size_t)(options->count - 1)};
    sg_err err = parse_split(options->split != NULL ? options->split : "test", split);
    if (err == SG_OK)
        err = sg_job_load(&run->job, &source);
    return err == SG_OK ? sg_find_model(options->model, model) : err;
}

/* The scenes of the store that have a part in the split, and their labels. */
static sg_err survey_store(evaluation_run *run, sg_split split)
{
    sg_survey *survey = &run->survey;
    sg_err err = sg_tile_facts_fits(run->store, &run->spec, run->network.path);
    if (err == SG_OK)
        err = sg_tile_facts_survey(run->store, &run->job, 1u << split, survey);
    for (size_t i = 0; err == SG_OK && i < survey->regions.count; i++) {
        const sg_scene *scene = &survey->scene[survey->regions.item[i].scene];
        if (scene->label[0] == '\0')
            err = sg_fail(SG_EUSAGE, "%s: %s has no labels there to be compared with",
                          sg_tile_store_path(run->store), scene->image);
    }
    if (err == SG_OK)
        sg_survey_note_gsd(survey, &run->spec);
    return err;
}

/* [collective] */
static sg_err survey_scenes(evaluation_run *run, sg_split split)
{
    sg_err err = sg_tile_facts_open(&run->store, &run->job);
    if (err == SG_OK)
        err = take_classes(run);
    if (err == SG_OK && run->store != NULL)
        err = survey_store(run, split);
    err = sg_comm_agree(run->comm, err);
    if (err == SG_OK && run->store == NULL)
        err = sg_survey_open(&run->survey, run->comm, &run->job, 1u << split, &run->spec);
    run->scenes = sg_survey_as_scenes(&run->survey, &run->spec, &run->job.data.label);
    return err;
}

static sg_err evaluate_scenes(evaluation_run *run, sg_split split)
{
    sg_err err = survey_scenes(run, split);
    if (err == SG_OK)
        err = sg_survey_statistics(&run->survey, run->comm, &run->spec, false);
    if (err == SG_OK)
        err = share_scenes(run);
    if (err != SG_OK)
        return err;
    sg_confusion_sum(&run->out->confusion, run->comm);
    sg_comm_sum_i64(run->comm, &run->out->unmapped, 1);
    sg_info("%s on %zu %s scenes", run->network.path, sg_survey_scenes(&run->survey, split),
            sg_split_name(split));
    return SG_OK;
}

sg_err sg_evaluate_job(const sg_evaluate_options *options, sg_comm *comm, sg_evaluation *evaluation)
{
    evaluation_run run = {.comm = comm,
                          .options = options,
                          .predict = {.format = sg_format_default(),
                                      .augment = options->augment,
                                      .overlap = SG_OVERLAP_AUTO,
                                      .device = options->device},
                          .out = evaluation};
    sg_split split = SG_SPLIT_TEST;
    sg_err err = sg_predict_crf_parse(options->crf, &run.predict.crf);
    if (err == SG_OK)
        err = load(options, &run, &split, evaluation->what);
    err = sg_comm_agree(comm, err);
    if (err == SG_OK)
        err = sg_network_open(&run.network, comm, evaluation->what, &options->device);
    if (err == SG_OK)
        err = evaluate_scenes(&run, split);
    sg_free(run.plan);
    sg_free(run.start);
    sg_survey_close(&run.survey);
    sg_tile_store_close(run.store);
    sg_network_close(&run.network);
    sg_job_clear(&run.job);
    return err;
}
