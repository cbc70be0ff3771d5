/* What a checkpoint holds: the network, what it expects of scenes, how far it was trained. */
#include "jobs/info.h"

#include "base/size.h"
#include "nn/plan.h"
#include "nn/prune.h"
#include "train/checkpoint.h"

#include <math.h>
#include <string.h>

typedef struct {
    const char *path;
    sg_checkpoint checkpoint;
    sg_network_reach reach;
    double flops; /* per pixel */
    int64_t parameters, state;
    int64_t aux;                /* of the parameters, those of auxiliary heads */
    int32_t nodes[SG_OP_COUNT]; /* how many of each operator */
} checkpoint_facts;

sg_err sg_info_flops(const sg_graph *graph, int64_t side, double *flops)
{
    sg_plan *plan = NULL;
    sg_graph *pruned = NULL;
    sg_shape shape = {1, side, side, sg_graph_input_channels(graph)};
    sg_err err = sg_graph_prune(graph, &pruned);
    if (err == SG_OK)
        err = sg_plan_create(pruned, shape, SG_F32, SG_PLAN_INFERENCE, &plan);
    if (err == SG_OK)
        *flops = plan->flops / ((double)side * (double)side);
    sg_plan_close(plan);
    sg_graph_close(pruned);
    return err;
}

sg_err sg_info_aux_parameters(const sg_graph *graph, int64_t *count)
{
    sg_graph *pruned = NULL;
    sg_err err = sg_graph_prune(graph, &pruned);
    if (err == SG_OK)
        *count = (int64_t)(sg_graph_trainable_count(graph) - sg_graph_trainable_count(pruned));
    sg_graph_close(pruned);
    return err;
}

/* A network without padding wants tiles wider than its margins. */
static int64_t side_of(const sg_network_reach *reach)
{
    return 16 * reach->stride + sg_round_up(2 * reach->widest_margin, reach->stride);
}

static sg_err gather(checkpoint_facts *facts)
{
    sg_err err = sg_checkpoint_load(&facts->checkpoint, facts->path, false);
    if (err != SG_OK)
        return err;
    const sg_graph *graph = facts->checkpoint.graph;
    for (int32_t i = 0; i < graph->param_count; i++) {
        bool trainable = sg_param_is_trainable(&graph->param[i]);
        *(trainable ? &facts->parameters : &facts->state) += (int64_t)graph->param[i].count;
    }
    for (int32_t i = 0; i < graph->nodes; i++)
        facts->nodes[graph->node[i].op]++;
    err = sg_graph_reach(graph, &facts->reach);
    if (err == SG_OK)
        err = sg_info_aux_parameters(graph, &facts->aux);
    return err == SG_OK ? sg_info_flops(graph, side_of(&facts->reach), &facts->flops) : err;
}

static const char *normalize_name(sg_normalize normalize)
{
    return normalize == SG_NORMALIZE_DATASET ? "dataset"
           : normalize == SG_NORMALIZE_SCENE ? "scene"
                                             : "none";
}

/* ---- for people ---- */

sg_err sg_info_add_reach(const sg_network_reach *reach, sg_text *text)
{
    if (reach->unbounded)
        return sg_text_add(text, "reach      the whole input: tiles cannot be exact; stride %lld\n",
                           (long long)reach->stride);
    sg_err err =
        sg_text_add(text, "reach      %lld pixels; halo %lld, stride %lld: tiles are exact\n",
                    (long long)reach->radius, (long long)reach->halo, (long long)reach->stride);
    if (err == SG_OK && reach->widest_margin > 0)
        err = sg_text_add(text, "margin     no result up to %lld pixels from a tile's sides\n",
                          (long long)reach->widest_margin);
    return err;
}

static sg_err add_network(const checkpoint_facts *facts, sg_text *text)
{
    sg_err err =
        sg_text_add(text, "%s\ncheckpoint %s\nnetwork   ", facts->path, facts->checkpoint.identity);
    for (int op = 0; err == SG_OK && op < SG_OP_COUNT; op++) {
        if (facts->nodes[op] > 0)
            err = sg_text_add(text, " %d %s", facts->nodes[op], sg_op_name(op));
    }
    if (err == SG_OK)
        err = sg_text_add(text, "\nparameters %lld, %.4g kFLOP a pixel\n",
                          (long long)facts->parameters, 1e-3 * facts->flops);
    if (err == SG_OK && facts->aux > 0)
        err = sg_text_add(text, "           %lld of them of auxiliary heads, for training alone\n",
                          (long long)facts->aux);
    return err == SG_OK ? sg_info_add_reach(&facts->reach, text) : err;
}

static sg_err add_training(const checkpoint_facts *facts, sg_text *text)
{
    const sg_position *p = &facts->checkpoint.position;
    sg_err err = sg_text_add(text, "trained    %lld steps of %lld samples, seed %llu\n",
                             (long long)p->step, (long long)p->batch, (unsigned long long)p->seed);
    if (err == SG_OK && !isnan(facts->checkpoint.scores_miou))
        err = sg_text_add(text, "mIoU       %.4f on validation regions\n",
                          facts->checkpoint.scores_miou);
    if (err == SG_OK && p->best >= 0)
        err = sg_text_add(text, "best       %.4f at step %lld\n", p->best, (long long)p->best_step);
    return err;
}

static sg_err add_spec(const sg_spec *spec, sg_text *text)
{
    sg_err err = sg_text_add(text, "normalize  %s\n", normalize_name(spec->normalize));
    if (err == SG_OK && spec->has_nodata)
        err = sg_text_add(text, "nodata     %.10g in all bands\n", spec->nodata);
    if (err == SG_OK && spec->gsd > 0)
        err = sg_text_add(text, "pixel      %.6g m\n", spec->gsd);
    for (int32_t i = 0; err == SG_OK && i < spec->layers; i++)
        err =
            sg_text_add(text, "stack      %s (%s)\n", spec->layer[i].file, spec->layer[i].resample);
    if (err == SG_OK)
        err = sg_text_add(text, "%4s %14s %14s\n", "band", "mean", "deviation");
    for (int32_t b = 0; err == SG_OK && b < spec->bands; b++)
        err = sg_text_add(text, "%4d %14.6g %14.6g\n", spec->band[b], spec->mean[b], spec->std[b]);
    if (err == SG_OK)
        err = sg_text_add(text, "%-24s %6s %9s\n", "class", "value", "color");
    for (int32_t i = 0; err == SG_OK && i < spec->classes.count; i++) {
        const sg_class *class = &spec->classes.item[i];
        err = sg_text_add(text, "  %-22s %6d   #%02x%02x%02x\n", class->name, class->value,
                          class->colour[0], class->colour[1], class->colour[2]);
    }
    return err;
}

static sg_err show_text(const checkpoint_facts *facts, sg_text *text)
{
    sg_err err = add_network(facts, text);
    if (err == SG_OK)
        err = add_training(facts, text);
    return err == SG_OK ? add_spec(&facts->checkpoint.spec, text) : err;
}

/* ---- for programs ---- */

/* JSON has no NaN. */
static sg_err add_number(sg_text *text, const char *key, double value)
{
    if (isfinite(value))
        return sg_text_add(text, ", \"%s\": %.17g", key, value);
    return sg_text_add(text, ", \"%s\": null", key);
}

static sg_err add_json_network(const checkpoint_facts *facts, sg_text *text)
{
    const sg_network_reach *reach = &facts->reach;
    sg_err err = sg_text_add(text, "{\"kind\": \"checkpoint\", \"path\": ");
    if (err == SG_OK)
        err = sg_text_add_json(text, facts->path);
    if (err == SG_OK)
        err = sg_text_add(text,
                          ", \"model\": \"%s\", \"parameters\": %lld, \"state\": %lld, \"stride\": "
                          "%lld, \"exact\": %s",
                          facts->checkpoint.identity, (long long)facts->parameters,
                          (long long)facts->state, (long long)reach->stride,
                          reach->unbounded ? "false" : "true");
    if (err == SG_OK)
        err = add_number(text, "flops_per_pixel", facts->flops);
    if (err == SG_OK && !reach->unbounded)
        err = sg_text_add(text, ", \"radius\": %lld, \"halo\": %lld", (long long)reach->radius,
                          (long long)reach->halo);
    if (err == SG_OK)
        err = sg_text_add(text, ", \"nodes\": {");
    bool first = true;
    for (int op = 0; err == SG_OK && op < SG_OP_COUNT; op++) {
        if (facts->nodes[op] == 0)
            continue;
        err =
            sg_text_add(text, "%s\"%s\": %d", first ? "" : ", ", sg_op_name(op), facts->nodes[op]);
        first = false;
    }
    return err == SG_OK ? sg_text_add(text, "}") : err;
}

static sg_err add_json_layers(const sg_spec *spec, sg_text *text)
{
    sg_err err = sg_text_add(text, "\"stack\": [");
    for (int32_t i = 0; err == SG_OK && i < spec->layers; i++) {
        err = sg_text_add(text, "%s{\"file\": ", i > 0 ? ", " : "");
        if (err == SG_OK)
            err = sg_text_add_json(text, spec->layer[i].file);
        if (err == SG_OK)
            err = sg_text_add(text, ", \"resample\": \"%s\"}", spec->layer[i].resample);
    }
    return err == SG_OK ? sg_text_add(text, "]") : err;
}

static sg_err add_json_spec(const sg_spec *spec, sg_text *text)
{
    sg_err err = sg_text_add(text, ", \"normalize\": \"%s\"", normalize_name(spec->normalize));
    if (err == SG_OK && spec->has_nodata)
        err = sg_text_add(text, ", \"nodata\": %.17g", spec->nodata);
    if (err == SG_OK)
        err = sg_text_add(text, ", \"bands\": [");
    for (int32_t b = 0; err == SG_OK && b < spec->bands; b++)
        err = sg_text_add(text, "%s{\"band\": %d, \"mean\": %.17g, \"deviation\": %.17g}",
                          b > 0 ? ", " : "", spec->band[b], spec->mean[b], spec->std[b]);
    if (err == SG_OK)
        err = sg_text_add(text, "], \"gsd\": %.17g, ", spec->gsd);
    if (err == SG_OK)
        err = add_json_layers(spec, text);
    if (err == SG_OK)
        err = sg_text_add(text, ", \"classes\": [");
    for (int32_t i = 0; err == SG_OK && i < spec->classes.count; i++) {
        const sg_class *class = &spec->classes.item[i];
        err = sg_text_add(text, "%s{\"name\": ", i > 0 ? ", " : "");
        if (err == SG_OK)
            err = sg_text_add_json(text, class->name);
        if (err == SG_OK)
            err = sg_text_add(text, ", \"value\": %d, \"color\": \"#%02x%02x%02x\"}", class->value,
                              class->colour[0], class->colour[1], class->colour[2]);
    }
    return err == SG_OK ? sg_text_add(text, "]") : err;
}

static sg_err show_json(const checkpoint_facts *facts, sg_text *text)
{
    const sg_position *p = &facts->checkpoint.position;
    sg_err err = add_json_network(facts, text);
    if (err == SG_OK)
        err = add_json_spec(&facts->checkpoint.spec, text);
    if (err == SG_OK)
        err =
            sg_text_add(text, ", \"step\": %lld, \"batch\": %lld, \"ranks\": %lld, \"seed\": %llu",
                        (long long)p->step, (long long)p->batch, (long long)p->ranks,
                        (unsigned long long)p->seed);
    if (err == SG_OK)
        err = add_number(text, "miou", facts->checkpoint.scores_miou);
    if (err == SG_OK)
        err = add_number(text, "best_miou", p->best >= 0 ? p->best : NAN);
    return err == SG_OK ? sg_text_add(text, "}\n") : err;
}

sg_err sg_info_checkpoint(const char *path, const sg_info_options *options, sg_text *text)
{
    checkpoint_facts facts = {.path = path};
    sg_err err = gather(&facts);
    if (err == SG_OK)
        err = options->json ? show_json(&facts, text) : show_text(&facts, text);
    sg_checkpoint_close(&facts.checkpoint);
    return err;
}
