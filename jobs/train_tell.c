/* What a training says of its scenes, its network and its result. */
#include "jobs/train.h"

#include <stdio.h>
#include "base/log.h"
#include "base/text.h"

static int64_t labelled_pixels(const sg_train_run *run, sg_split split)
{
    int64_t labelled = 0;
    for (int32_t c = 0; c < run->spec.classes.count; c++)
        labelled += run->survey.pixels[split][c];
    return labelled;
}

static double percent(int64_t part, int64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

/* Shares are of the labelled pixels. */
static void tell_classes(const sg_train_run *run)
{
    const sg_class_table *classes = &run->spec.classes;
    const sg_survey *survey = &run->survey;
    int64_t train = labelled_pixels(run, SG_SPLIT_TRAIN), val = labelled_pixels(run, SG_SPLIT_VAL);
    sg_info("%-22s %14s %9s %14s %9s", "class", "training", "share", "validation", "share");
    for (int32_t c = 0; c < classes->count; c++) {
        const int64_t *t = &survey->pixels[SG_SPLIT_TRAIN][c],
                      *v = &survey->pixels[SG_SPLIT_VAL][c];
        sg_info("  %-20s %14lld %8.2f%% %14lld %8.2f%%", classes->item[c].name, (long long)*t,
                percent(*t, train), (long long)*v, percent(*v, val));
        if (*t == 0)
            sg_warn("class '%s' is in no training label: it cannot be learnt",
                    classes->item[c].name);
    }
    sg_info("  %-20s %14lld %9s %14lld", "(unlabelled)",
            (long long)survey->unlabelled[SG_SPLIT_TRAIN], "",
            (long long)survey->unlabelled[SG_SPLIT_VAL]);
    if (sg_survey_pixels(survey, SG_SPLIT_VAL) > 0 && val == 0)
        sg_warn("the validation regions have no labels: they cannot tell which step is best");
}

void sg_train_tell_data(const sg_train_run *run)
{
    sg_text bands = {0};
    sg_err err = SG_OK;
    for (int32_t b = 0; err == SG_OK && b < run->spec.bands && b < 16; b++)
        err = sg_text_add(&bands, " %d", run->spec.band[b]);
    sg_info("%s: %zu training scenes, %.2f Mpx; %zu validation scenes, %.2f Mpx; %d bands (%s%s)",
            run->job.name, sg_survey_scenes(&run->survey, SG_SPLIT_TRAIN),
            1e-6 * (double)sg_survey_pixels(&run->survey, SG_SPLIT_TRAIN),
            sg_survey_scenes(&run->survey, SG_SPLIT_VAL),
            1e-6 * (double)sg_survey_pixels(&run->survey, SG_SPLIT_VAL), run->spec.bands,
            bands.data != NULL ? bands.data + 1 : "", run->spec.bands > 16 ? " ..." : "");
    sg_text_clear(&bands);
    tell_classes(run);
}

sg_err sg_train_tell_network(const sg_train_run *run)
{
    sg_plan *plan = NULL;
    int32_t tile = run->job.train.tile;
    sg_shape shape = {1, tile, tile, run->spec.bands};
    sg_err err = sg_plan_create(run->graph, shape, run->type, SG_PLAN_INFERENCE, &plan);
    if (err != SG_OK)
        return err;
    const char *encoder = run->job.model.encoder;
    sg_info("%s%s%s: %.3g M parameters, %.3g kFLOP a pixel; %s (%s), %s, %d rank%s",
            run->job.model.net, *encoder ? " on " : "", encoder,
            1e-6 * (double)sg_graph_trainable_count(run->graph),
            1e-3 * plan->flops / ((double)tile * tile), run->backend->name, run->backend->device,
            sg_dtype_name(run->type), sg_comm_ranks(run->comm),
            sg_comm_ranks(run->comm) > 1 ? "s" : "");
    sg_info("%lld steps of %d tiles of %d x %d, %lld steps an epoch", (long long)run->steps,
            run->job.train.batch, tile, tile, (long long)run->steps_per_epoch);
    sg_plan_close(plan);
    return SG_OK;
}

void sg_train_tell_result(const sg_train_run *run, const sg_training_report *report)
{
    char path[SG_PATH_MAX];
    bool validated = sg_survey_pixels(&run->survey, SG_SPLIT_VAL) > 0 && report->best_step > 0;
    sg_info("%lld steps in %.0f s, %.3f Mpx/s, last loss %.4f", (long long)report->steps,
            report->seconds, report->megapixels_per_s, report->loss);
    if (report->saves > 0)
        sg_info(
            "%lld checkpoints of %.3g MB written at %.3g MB/s; one stopped training for %.3g ms "
            "at most",
            (long long)report->saves, report->save_megabytes, report->save_megabytes_per_s,
            1e3 * report->save_stop);
    if (validated)
        sg_info("best validation mIoU %.4f at step %lld", report->best.miou,
                (long long)report->best_step);
    if (sg_path_format(path, "%s/%s.h5", run->folder, validated ? "best" : "last") == SG_OK &&
        sg_comm_rank(run->comm) == 0) {
        printf("%s\n", path);
        fflush(stdout);
    }
}
