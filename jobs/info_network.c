/* What a network would be, before there is a checkpoint: its layers, size, cost and reach. */
#include "jobs/info.h"

#include <stdio.h>
#include "base/size.h"
#include "model/model.h"
#include "nn/fuse.h"
#include "nn/plan.h"

enum { TILE = 512, TYPES = 2, COPIES = 4 }; /* training keeps weights, gradients and two moments */

typedef struct {
    const char *description;
    sg_graph *graph, *with_loss, *fused; /* owned, as the plan */
    sg_network_reach reach;
    sg_plan *plan;     /* of one tile in f32, before fusion: a step a layer */
    int64_t tile, aux; /* aux: parameters of auxiliary heads */
    double flops;      /* a pixel, to predict */
    size_t predicting[TYPES], training[TYPES]; /* bytes of a tile's tensors */
    size_t recomputing[TYPES];                 /* training with train.recompute */
} network_facts;

static sg_err arena(const sg_graph *graph, sg_shape shape, sg_dtype type, sg_plan_mode mode,
                    size_t *bytes)
{
    sg_plan *plan = NULL;
    sg_err err = sg_plan_create(graph, shape, type, mode, &plan);
    if (err == SG_OK)
        *bytes = plan->arena_bytes;
    sg_plan_close(plan);
    return err;
}

/* What tiles take: of the network as it trains, and folded as it predicts. */
static sg_err measure_memory(network_facts *f, sg_shape shape)
{
    sg_graph *folded = NULL;
    sg_params *params = NULL, *folded_params = NULL;
    sg_err err = sg_params_create(f->graph, &params);
    if (err == SG_OK)
        err = sg_graph_fold(f->graph, params, &folded, &folded_params);
    if (err == SG_OK)
        err = sg_graph_with_loss(f->graph, &f->with_loss);
    if (err == SG_OK)
        err = sg_graph_fuse(f->with_loss, &f->fused);
    for (int type = 0; err == SG_OK && type < TYPES; type++) {
        err = arena(folded, shape, (sg_dtype)type, SG_PLAN_INFERENCE, &f->predicting[type]);
        if (err == SG_OK)
            err = arena(f->fused, shape, (sg_dtype)type, SG_PLAN_TRAINING, &f->training[type]);
        if (err == SG_OK)
            err = arena(f->fused, shape, (sg_dtype)type, SG_PLAN_RECOMPUTE, &f->recomputing[type]);
    }
    sg_params_close(params);
    sg_params_close(folded_params);
    sg_graph_close(folded);
    return err;
}

static sg_err gather(network_facts *f, const sg_info_options *options)
{
    sg_model_options model = sg_model_defaults();
    model.bands = 3;
    model.classes = 2;
    sg_err err = sg_model_parse(f->description, &model);
    if (err == SG_OK)
        err = sg_model_build(&model, &f->graph);
    if (err == SG_OK)
        err = sg_graph_reach(f->graph, &f->reach);
    if (err != SG_OK)
        return err;
    f->tile = sg_max64(TILE, 2 * f->reach.widest_margin + f->reach.stride);
    f->tile = sg_round_up(options->tile > 0 ? options->tile : f->tile, f->reach.stride);
    sg_shape shape = {1, f->tile, f->tile, model.bands};
    err = sg_plan_create(f->graph, shape, SG_F32, SG_PLAN_INFERENCE, &f->plan);
    if (err == SG_OK)
        err = sg_info_flops(f->graph, f->tile, &f->flops);
    if (err == SG_OK)
        err = sg_info_aux_parameters(f->graph, &f->aux);
    return err == SG_OK ? measure_memory(f, shape) : err;
}

static sg_err add_layers(const network_facts *f, sg_text *text)
{
    sg_err err = sg_text_add(text, "%-32s %-15s %20s %12s\n", "layer", "operator",
                             "height x width x channels", "parameters");
    for (int32_t n = 0; err == SG_OK && n < f->graph->nodes; n++) {
        const sg_node *node = &f->graph->node[n];
        sg_shape shape = f->plan->tensor[node->output].shape;
        char size[64];
        snprintf(size, sizeof size, "%lld x %lld x %lld", (long long)shape.h, (long long)shape.w,
                 (long long)shape.c);
        err = sg_text_add(text, "%-32s %-15s %25s %12lld\n", node->name, sg_op_name(node->op), size,
                          (long long)sg_node_trainable_count(f->graph, node));
    }
    return err;
}

static sg_err show_text(const network_facts *f, sg_text *text)
{
    const double mib = 1024 * 1024;
    size_t count = sg_graph_trainable_count(f->graph);
    sg_err err = add_layers(f, text);
    if (err == SG_OK)
        err = sg_text_add(text, "\n%s\nparameters %zu, %.4g kFLOP a pixel\n", f->description, count,
                          1e-3 * f->flops);
    if (err == SG_OK && f->aux > 0)
        err = sg_text_add(text, "           %lld of them of auxiliary heads, for training alone\n",
                          (long long)f->aux);
    if (err == SG_OK)
        err = sg_info_add_reach(&f->reach, text);
    for (int type = 0; err == SG_OK && type < TYPES; type++)
        err = sg_text_add(
            text,
            "memory     %s, a tile of %lld x %lld: %.0f MiB to predict, %.0f MiB to train, "
            "%.0f MiB with train.recompute\n",
            sg_dtype_name((sg_dtype)type), (long long)f->tile, (long long)f->tile,
            (double)f->predicting[type] / mib, (double)f->training[type] / mib,
            (double)f->recomputing[type] / mib);
    return err == SG_OK
               ? sg_text_add(text, "           and %.0f MiB of weights, %.0f MiB in training\n",
                             4 * (double)count / mib, 4 * COPIES * (double)count / mib)
               : err;
}

static sg_err show_json(const network_facts *f, sg_text *text)
{
    const sg_network_reach *reach = &f->reach;
    sg_err err = sg_text_add(text, "{\"kind\": \"network\", \"network\": ");
    if (err == SG_OK)
        err = sg_text_add_json(text, f->description);
    if (err == SG_OK)
        err = sg_text_add(text,
                          ", \"parameters\": %zu, \"flops_per_pixel\": %.17g, \"stride\": %lld, "
                          "\"exact\": %s, \"tile\": %lld",
                          sg_graph_trainable_count(f->graph), f->flops, (long long)reach->stride,
                          reach->unbounded ? "false" : "true", (long long)f->tile);
    if (err == SG_OK && !reach->unbounded)
        err = sg_text_add(text, ", \"radius\": %lld, \"halo\": %lld", (long long)reach->radius,
                          (long long)reach->halo);
    for (int type = 0; err == SG_OK && type < TYPES; type++)
        err = sg_text_add(text,
                          ", \"%s\": {\"predict_bytes\": %zu, \"train_bytes\": %zu, "
                          "\"recompute_bytes\": %zu}",
                          sg_dtype_name((sg_dtype)type), f->predicting[type], f->training[type],
                          f->recomputing[type]);
    return err == SG_OK ? sg_text_add(text, "}\n") : err;
}

sg_err sg_info_network(const char *network, const sg_info_options *options, sg_text *text)
{
    network_facts f = {.description = network};
    sg_err err = gather(&f, options);
    if (err == SG_OK)
        err = options->json ? show_json(&f, text) : show_text(&f, text);
    sg_plan_close(f.plan);
    sg_graph_close(f.graph);
    sg_graph_close(f.with_loss);
    sg_graph_close(f.fused);
    return err;
}
