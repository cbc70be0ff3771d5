/* make_model OUT.h5: a checkpoint with random weights, for tests that need a network but no sense
 * in it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/rng.h"
#include "base/size.h"
#include "jobs/options.h"
#include "model/model.h"
#include "train/checkpoint.h"
#include "train/init.h"

typedef struct {
    sg_model_options model;
    int32_t seed;
    double gsd;
    char normalize[8];
    const char *net, *init;
} wishes;

static sg_err parse(int argc, char **argv, wishes *w, sg_arguments *arguments)
{
    const sg_option table[] = {
        {.name = "bands", .kind = SG_OPTION_INT, .target = &w->model.bands, .help = "bands"},
        {.name = "classes", .kind = SG_OPTION_INT, .target = &w->model.classes, .help = "classes"},
        {.name = "depth", .kind = SG_OPTION_INT, .target = &w->model.depth, .help = "depth"},
        {.name = "width", .kind = SG_OPTION_INT, .target = &w->model.width, .help = "width"},
        {.name = "seed", .kind = SG_OPTION_INT, .target = &w->seed, .help = "of the weights"},
        {.name = "gsd", .kind = SG_OPTION_REAL, .target = &w->gsd, .help = "metres, 0 unknown"},
        {.name = "normalize",
         .kind = SG_OPTION_CHOICE,
         .target = w->normalize,
         .choices = "dataset scene none",
         .help = "what is done to the bands"},
        {.name = "net",
         .kind = SG_OPTION_TEXT,
         .target = &w->net,
         .help = "network and its options, as of info"},
        {.name = "init", .kind = SG_OPTION_TEXT, .target = &w->init, .help = "weights to take"},
        {0}};
    const sg_usage usage = {.synopsis = "make_model [options] OUT.h5",
                            .about = "Writes a checkpoint with random weights.",
                            .least = 1,
                            .most = 1,
                            .missing = "an output",
                            .option = table};
    return sg_options_parse(&usage, NULL, argc, argv, arguments);
}

static void describe(const wishes *w, sg_spec *spec)
{
    spec->bands = w->model.bands;
    spec->normalize = w->normalize[0] == 's'   ? SG_NORMALIZE_SCENE
                      : w->normalize[0] == 'n' ? SG_NORMALIZE_NONE
                                               : SG_NORMALIZE_DATASET;
    spec->gsd = w->gsd;
    for (int32_t b = 0; b < spec->bands; b++) {
        spec->band[b] = b + 1;
        spec->mean[b] = 100 + 7 * b;
        spec->std[b] = 40 + b;
    }
    spec->classes.count = w->model.classes;
    for (int32_t c = 0; c < spec->classes.count; c++) {
        spec->classes.item[c].value = c + 1;
        snprintf(spec->classes.item[c].name, SG_CLASS_NAME_MAX, "class %d", c + 1);
    }
}

/* Running statistics away from 0 and 1, so that folding them matters. */
static void disturb(const sg_graph *graph, sg_params *params, int32_t seed)
{
    for (int32_t id = 0; id < graph->param_count; id++) {
        const sg_param_info *info = &graph->param[id];
        float *values = sg_params_values(params, id);
        for (size_t i = 0; i < info->count; i++) {
            float u = sg_uniform(sg_random((uint64_t)seed, SG_STREAM_SCENE, i, (uint32_t)id).v[0]);
            if (info->kind == SG_PARAM_MEAN || info->kind == SG_PARAM_SHIFT)
                values[i] = 0.4f * u - 0.2f;
            else if (info->kind == SG_PARAM_VARIANCE)
                values[i] = 0.5f + u;
        }
    }
}

static sg_err take_weights(const wishes *w, sg_checkpoint *checkpoint)
{
    const sg_init_options options = {.path = w->init};
    sg_init_report report;
    if (w->init == NULL)
        return SG_OK;
    return sg_init_params(&options, checkpoint->graph, &checkpoint->spec, checkpoint->params,
                          &report);
}

static sg_err make(const wishes *w, const char *path)
{
    sg_checkpoint checkpoint = {.position = {.ranks = 1, .batch = 1, .best = -1},
                                .scores_miou = NAN};
    describe(w, &checkpoint.spec);
    sg_err err = sg_classes_complete(&checkpoint.spec.classes);
    if (err == SG_OK)
        err = sg_model_build(&w->model, &checkpoint.graph);
    if (err == SG_OK)
        err = sg_params_create(checkpoint.graph, &checkpoint.params);
    if (err == SG_OK)
        err = sg_params_init(checkpoint.graph, checkpoint.params, (uint64_t)w->seed);
    if (err == SG_OK) {
        disturb(checkpoint.graph, checkpoint.params, w->seed);
        err = take_weights(w, &checkpoint);
    }
    if (err == SG_OK)
        err = sg_checkpoint_save(&checkpoint, path);
    sg_checkpoint_close(&checkpoint);
    return err;
}

int main(int argc, char **argv)
{
    wishes w = {.model = sg_model_defaults(), .seed = 1, .normalize = "dataset"};
    sg_arguments arguments;
    w.model.bands = 3;
    w.model.classes = 4;
    w.model.width = 8;
    sg_err err = parse(argc, argv, &w, &arguments);
    if (err == SG_OK && w.net != NULL)
        err = sg_model_parse(w.net, &w.model);
    if (err == SG_OK && !arguments.help)
        err = make(&w, arguments.item[0]);
    if (err != SG_OK)
        fprintf(stderr, "make_model: %s\n", sg_error_text());
    return sg_exit_status(err);
}
