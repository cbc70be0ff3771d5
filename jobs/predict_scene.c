/* One scene through the network: open it, share out its chunks, write what was asked for. */
#include "jobs/classifier.h"
#include "jobs/predict_output.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"
#include "base/size.h"
#include "data/resample.h"
#include "jobs/predict_progress.h"

typedef struct {
    const sg_predict_options *options;
    const sg_network *network;
    sg_comm *comm;
    const sg_predict_names *names;
    char path[SG_PATH_MAX]; /* what is read: the scene, or its resampled view */
    sg_raster_info info;    /* of what is made: as the scene's, with the part's size */
    sg_georef *georef;      /* of what is made */
    sg_area area;           /* of the scene */
    int64_t scene_w, scene_h;
    double mean[SG_BANDS_MAX], std[SG_BANDS_MAX];
    sg_predict_plan plan;
    sg_classifier classifier;
    sg_outputs *outputs;
    sg_counter *taken, *finished; /* chunks */
    int64_t first;                /* the chunk that this rank begins with, or -1 */
    int64_t found;                /* chunks that an earlier run has finished */
    int64_t peers_finished;       /* chunks of all ranks in this one, as last heard */
    int64_t mine;                 /* chunks of this rank in this one */
    sg_predict_progress progress;
    double mapped; /* when the last chunk was finished */
    sg_pipeline_report report;
    double start;
} scene_run;

static const sg_spec *spec_of(const scene_run *run)
{
    return &run->network->checkpoint.spec;
}

static int wants(const scene_run *run, sg_output output)
{
    return run->names->output[output][0] != '\0';
}

static int wants_probabilities(const scene_run *run)
{
    return wants(run, SG_OUT_PROBABILITIES) || wants(run, SG_OUT_CONFIDENCE);
}

static bool needs_probabilities(const scene_run *run)
{
    return wants_probabilities(run) || run->plan.grid.step_w > 0 || run->plan.crf.iterations > 0;
}

static sg_err find_source(scene_run *run)
{
    sg_raster *raster = NULL;
    sg_err err = sg_raster_open(&raster, run->names->scene, NULL, 0);
    if (err != SG_OK)
        return err;
    const sg_raster_info *info = sg_raster_get_info(raster);
    if (run->options->resample && sg_predict_other_gsd(info, spec_of(run)))
        err = sg_resample_open(raster, spec_of(run), run->path);
    else
        err = sg_path_format(run->path, "%s", run->names->scene);
    sg_raster_close(raster);
    return err;
}

/* What is made is a raster of its own. */
static void take_part(scene_run *run)
{
    sg_window part = run->area.part;
    run->scene_w = run->info.width;
    run->scene_h = run->info.height;
    run->info.width = part.w;
    run->info.height = part.h;
    sg_georef_shift(run->georef, part);
    if (run->area.cutline)
        run->plan.cutline = sg_cutline_identity(run->area.cutline);
}

static sg_err open_scene(scene_run *run)
{
    const sg_spec *spec = spec_of(run);
    sg_raster *raster = NULL;
    sg_err err = find_source(run);
    if (err == SG_OK)
        err = sg_raster_open_spec(&raster, run->path, spec);
    if (err == SG_OK)
        err = sg_area_open(&run->area, &run->options->area, raster);
    if (err == SG_OK) {
        run->info = *sg_raster_get_info(raster);
        err = sg_raster_georef(raster, &run->georef);
    }
    if (err == SG_OK)
        take_part(run);
    sg_raster_close(raster);
    return err;
}

/* How many chunks an earlier run has finished: all ranks count the same. */
static void count_done(scene_run *run)
{
    int64_t chunks = sg_grid_chunks(&run->plan.grid);
    for (int64_t i = 0; i < chunks; i++)
        run->found += sg_outputs_have(run->outputs, i);
    if (run->found > 0)
        sg_info("%s: an earlier run has finished %" PRId64 " of %" PRId64 " chunks",
                run->names->output[SG_OUT_MASK], run->found, chunks);
}

/* ---- what the pipeline calls ---- */

static sg_err begin_tiles(void *user, int32_t n, const sg_raw_image *image)
{
    scene_run *run = user;
    return sg_classifier_begin(&run->classifier, n, image);
}

static sg_err end_tiles(void *user, uint8_t *classes, float *probabilities)
{
    scene_run *run = user;
    return sg_classifier_end(&run->classifier, classes, probabilities);
}

/* Each rank begins with the chunk of its number, so that reading ahead takes no one's first. */
static sg_err take_chunk(scene_run *run, int64_t *chunk)
{
    if (run->first >= 0) {
        *chunk = run->first;
        run->first = -1;
        return SG_OK;
    }
    sg_err err = sg_counter_next(run->taken, chunk);
    *chunk += sg_comm_ranks(run->comm);
    return err;
}

/* Where this rank fails or is told to stop: no rank gets another chunk but what its last answer
 * brought. */
static sg_err take_all(scene_run *run, int64_t *chunk)
{
    sg_err err = SG_OK;
    *chunk = 0;
    while (err == SG_OK && *chunk < sg_grid_chunks(&run->plan.grid))
        err = take_chunk(run, chunk);
    return err;
}

static sg_err next_chunk(void *user, int64_t *chunk)
{
    scene_run *run = user;
    if (run->options->stop && *run->options->stop)
        return take_all(run, chunk);
    sg_err err = take_chunk(run, chunk);
    while (err == SG_OK && *chunk < sg_grid_chunks(&run->plan.grid) &&
           sg_outputs_have(run->outputs, *chunk))
        err = take_chunk(run, chunk);
    return err;
}

static sg_err put_chunk(void *user, sg_window core, const uint8_t *classes,
                        const float *probabilities)
{
    scene_run *run = user;
    sg_err err = sg_outputs_put(run->outputs, core, classes, probabilities);
    run->mine += err == SG_OK;
    return err == SG_OK ? sg_counter_next(run->finished, &run->peers_finished) : err;
}

/* What all ranks have written. */
static void show_progress(void *user, const sg_pipeline_report *work)
{
    scene_run *run = user;
    int64_t finished = run->peers_finished + 1;
    if (run->found + finished < sg_grid_chunks(&run->plan.grid)) /* of the last one all are told */
        sg_predict_progress_show(&run->progress, finished, work);
}

/* ---- the run ---- */

static sg_err run_pipeline(scene_run *run)
{
    const sg_pipeline_options pipeline = {.path = run->path,
                                          .spec = spec_of(run),
                                          .mean = run->mean,
                                          .std = run->std,
                                          .grid = &run->plan.grid,
                                          .cutline = run->area.cutline,
                                          .batch = run->plan.batch,
                                          .readers = run->plan.readers,
                                          .want_probabilities = needs_probabilities(run),
                                          .crf = run->plan.crf,
                                          .crf_workers = run->plan.crf_workers,
                                          .raw = run->classifier.raw,
                                          .in_flight = run->classifier.in_flight,
                                          .begin = begin_tiles,
                                          .end = end_tiles,
                                          .next = next_chunk,
                                          .chunk = put_chunk,
                                          .progress = show_progress,
                                          .user = run};
    int64_t none;
    sg_err err = sg_pipeline_run(&pipeline, &run->report);
    if (err != SG_OK)
        (void)take_all(run, &none); /* the first error is the one to tell of */
    return err;
}

/* SG_ESTOPPED, on all ranks, when a signal has left chunks undone. [collective] */
static sg_err check_stopped(const scene_run *run)
{
    int64_t chunks = sg_grid_chunks(&run->plan.grid), done = run->mine;
    sg_comm_sum_i64(run->comm, &done, 1);
    done += run->found;
    if (done >= chunks)
        return SG_OK;
    return sg_fail(SG_ESTOPPED,
                   "%s: stopped by a signal with %" PRId64 " of %" PRId64
                   " chunks finished; run the same command again to go on",
                   run->names->output[SG_OUT_MASK], done, chunks);
}

static void start_progress(scene_run *run)
{
    run->progress = (sg_predict_progress){.output = run->names->output[SG_OUT_MASK],
                                          .width = run->info.width,
                                          .height = run->info.height,
                                          .chunks = sg_grid_chunks(&run->plan.grid),
                                          .found = run->found,
                                          .json = run->options->json,
                                          .start = run->start};
    sg_predict_progress_start(&run->progress);
}

static sg_err map_chunks(scene_run *run)
{
    int64_t asked_for = sg_grid_chunks(&run->plan.grid) - sg_comm_ranks(run->comm);
    sg_err err = sg_counter_create_for(&run->taken, run->comm, asked_for);
    if (err == SG_OK)
        err = sg_counter_create(&run->finished, run->comm);
    if (err == SG_OK) {
        start_progress(run);
        err = sg_comm_agree(run->comm, run_pipeline(run));
        if (err == SG_OK)
            err = check_stopped(run);
        if (err == SG_OK)
            sg_predict_progress_show(&run->progress, run->progress.chunks - run->found,
                                     &run->report);
        sg_predict_progress_end(&run->progress);
    }
    sg_counter_close(run->taken);
    sg_counter_close(run->finished);
    run->mapped = sg_now();
    return err;
}

/* [collective] */
static sg_err summarise(const scene_run *run)
{
    const sg_predict_done done = {.chunks = run->mine,
                                  .bytes = sg_outputs_written(run->outputs),
                                  .work = run->report,
                                  .assembly = sg_now() - run->mapped};
    return sg_predict_summarise(&run->progress, run->comm, &done);
}

/* What cost nothing, where there was such. [collective] */
static void tell_empty(const scene_run *run)
{
    int64_t sums[] = {run->report.empty, run->report.unread};
    sg_comm_sum_i64(run->comm, sums, 2);
    if (sums[0] > 0)
        sg_info("%s: %" PRId64 " of %" PRId64 " chunks without data; %" PRId64
                " tiles were not even read",
                run->names->output[SG_OUT_MASK], sums[0], sg_grid_chunks(&run->plan.grid), sums[1]);
}

static void close_run(scene_run *run)
{
    sg_outputs_close(run->outputs);
    sg_classifier_close(&run->classifier);
    sg_georef_close(run->georef);
    sg_area_close(&run->area);
    if (strcmp(run->path, run->names->scene) != 0)
        sg_resample_close(run->path);
}

/* Rank 0 says so. */
static void tell_blended(const scene_run *run)
{
    const sg_grid *grid = &run->plan.grid;
    if (grid->step_w == 0)
        return;
    sg_info("%s: blended, tiles of %" PRId64 " x %" PRId64 " that overlap by %" PRId64
            " pixels: %s",
            run->names->output[SG_OUT_MASK], grid->tile_w, grid->tile_h,
            sg_max64(grid->tile_w - grid->step_w, grid->tile_h - grid->step_h),
            run->network->reach.unbounded
                ? "the network looks at its whole input (global pooling, group norm) and cannot be "
                  "exact"
                : "as asked for");
}

/* Chunks are those of an earlier run, where there is one to go on with. [collective] */
static sg_err make_plan(scene_run *run)
{
    sg_predict_size size = {.width = run->scene_w,
                            .height = run->scene_h,
                            .part = run->area.part,
                            .want_probabilities = wants_probabilities(run),
                            .source_rows = run->info.block_h,
                            .source_block = sg_raster_block_bytes(&run->info)};
    for (int i = 0; i < SG_OUTPUTS; i++)
        size.wanted[i] = wants(run, i);
    if (sg_comm_rank(run->comm) == 0 && !run->options->restart && run->options->chunk == 0)
        sg_predict_resumed(run->names->output[SG_OUT_MASK], &size);
    sg_comm_broadcast(run->comm, &size, sizeof size, 0);
    return sg_predict_choose(run->options, run->network, run->comm, &size, &run->plan);
}

static sg_err create_outputs(scene_run *run)
{
    const sg_outputs_options options = {.wishes = run->options,
                                        .network = run->network,
                                        .names = run->names,
                                        .info = &run->info,
                                        .georef = run->georef,
                                        .plan = &run->plan};
    return sg_outputs_create(&run->outputs, run->comm, &options);
}

static sg_err run_scene(scene_run *run)
{
    sg_err err = sg_comm_agree(run->comm, open_scene(run));
    if (err == SG_OK)
        err = sg_predict_normalisation(spec_of(run), run->comm, run->path, run->mean, run->std);
    if (err == SG_OK)
        err = make_plan(run);
    if (err == SG_OK)
        tell_blended(run);
    if (err == SG_OK)
        err = create_outputs(run);
    if (err == SG_OK)
        err = sg_comm_agree(run->comm, sg_classifier_open(&run->classifier, run->network,
                                                          &run->plan, needs_probabilities(run)));
    if (err == SG_OK) {
        count_done(run);
        err = sg_outputs_commit(run->outputs, map_chunks(run));
    }
    if (err == SG_OK)
        tell_empty(run);
    return err == SG_OK ? summarise(run) : err;
}

sg_err sg_predict_scene(const sg_predict_options *options, const sg_network *network, sg_comm *comm,
                        const sg_predict_names *names, sg_predict_report *report)
{
    scene_run run = {.options = options,
                     .network = network,
                     .comm = comm,
                     .names = names,
                     .first = sg_comm_rank(comm),
                     .start = sg_now()};
    if (!network->exact && !sg_predict_blends(options, network))
        sg_warn("%s: this device's results depend on the tile; one size is kept for all scenes",
                network->path);
    sg_err err = run_scene(&run);
    *report = (sg_predict_report){run.plan, run.report, sg_now() - run.start};
    close_run(&run);
    return err;
}
