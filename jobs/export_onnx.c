/*
 * A network as an ONNX graph, NCHW, weights in PyTorch's layouts, which are ONNX's: what stands
 * before and behind its nodes, and the file.
 */
#include "jobs/export_nodes.h"
#include "base/log.h"
#include "base/size.h"
#include "nn/fuse.h"
#include "nn/torch.h"

#include <stdio.h>
#include <string.h>

/* Pixels as scenes hold them become what the network was trained on. */
static void add_normalisation(sg_onnx_export *e)
{
    static const char *const op[] = {"Sub", "Div"}, *const from[] = {"pixels", "normalize/Sub"},
                             *const to[] = {"normalize/Sub", "normalized"},
                             *const constant[] = {"normalize/mean", "normalize/std"};
    const sg_spec *spec = &e->checkpoint->spec;
    const int64_t dim[] = {1, spec->bands, 1, 1};
    for (int i = 0; i < 2; i++) {
        sg_onnx_add_floats(e->model, constant[i], 4, dim,
                           (size_t)e->graph->param_count + e->constants);
        e->err = e->err
                     ? e->err
                     : sg_grow(&e->constant, &e->capacity, e->constants + 1, sizeof *e->constant);
        if (e->err != SG_OK)
            return;
        sg_export_floats *f = &e->constant[e->constants++];
        f->count = (size_t)spec->bands;
        for (int32_t b = 0; b < spec->bands; b++)
            f->value[b] = (float)(i == 0 ? spec->mean[b] : spec->std[b]);
        sg_onnx_begin(e->model, op[i], to[i]);
        sg_onnx_input(e->model, from[i]);
        sg_onnx_input(e->model, constant[i]);
        sg_onnx_output(e->model, to[i]);
        sg_onnx_end(e->model);
    }
}

static void add_probabilities(sg_onnx_export *e)
{
    sg_onnx_begin(e->model, "Softmax", "probabilities");
    sg_onnx_input(e->model, "logits");
    sg_onnx_output(e->model, "probabilities");
    sg_onnx_set_int(e->model, "axis", 1);
    sg_onnx_end(e->model);
}

/* Input and output; with a tile of given size the network is asked whether it takes it. */
static sg_err add_ends(sg_onnx_export *e)
{
    static const char *const in_text[] = {"batch", "", "height", "width"};
    static const char *const out_text[] = {"batch", "", "output_height", "output_width"};
    int64_t bands = sg_graph_input_channels(e->graph), tile = e->options->tile;
    int64_t in[] = {0, bands, tile, tile}, out[] = {0, sg_graph_output_channels(e->graph), 0, 0};
    if (tile > 0) {
        sg_plan *plan = NULL;
        sg_err err = sg_plan_create(e->graph, (sg_shape){1, tile, tile, bands}, SG_F32,
                                    SG_PLAN_INFERENCE, &plan);
        if (err != SG_OK)
            return err;
        const sg_shape shape = plan->tensor[e->graph->node[e->graph->nodes - 1].output].shape;
        out[2] = shape.h;
        out[3] = shape.w;
        sg_plan_close(plan);
    }
    sg_onnx_add_value(e->model, false, e->options->raw ? "pixels" : e->first, in, in_text);
    sg_onnx_add_value(e->model, true, e->options->logits ? "logits" : "probabilities", out,
                      out_text);
    return SG_OK;
}

static sg_err fill(void *user, size_t number, float *values)
{
    const sg_onnx_export *e = user;
    if (number >= (size_t)e->graph->param_count) {
        const sg_export_floats *f = &e->constant[number - (size_t)e->graph->param_count];
        memcpy(values, f->value, f->count * sizeof *values);
        return SG_OK;
    }
    const sg_param_info *info = &e->graph->param[number];
    const float *ours = sg_params_values(e->params, (int32_t)number);
    if (info->dims == 4)
        sg_torch_to(sg_torch_is_transposed(e->graph, info), info->dim, ours, values);
    else
        memcpy(values, ours, info->count * sizeof *values);
    return SG_OK;
}

static sg_err check_raw(const sg_onnx_export *e)
{
    const sg_spec *spec = &e->checkpoint->spec;
    if (!e->options->raw || spec->normalize == SG_NORMALIZE_DATASET)
        return SG_OK;
    return sg_fail(SG_EUSAGE, "--raw: this network was trained with normalize: %s, %s",
                   spec->normalize == SG_NORMALIZE_SCENE ? "scene" : "none",
                   spec->normalize == SG_NORMALIZE_SCENE
                       ? "which takes the statistics of each scene; normalise scenes before it"
                       : "which takes pixels as they are; leave --raw out");
}

static sg_err build(sg_onnx_export *e)
{
    sg_network_reach reach;
    sg_err err = check_raw(e);
    if (err == SG_OK)
        err = sg_graph_fold(e->checkpoint->graph, e->checkpoint->params, &e->graph, &e->params);
    if (err == SG_OK)
        err = sg_onnx_create(&e->model, "segtiles");
    if (err == SG_OK)
        err = sg_graph_reach(e->graph, &reach);
    if (err == SG_OK && e->options->tile % reach.stride != 0)
        err = sg_fail(SG_EUSAGE, "--tile %lld: this network takes multiples of %lld",
                      (long long)e->options->tile, (long long)reach.stride);
    if (err != SG_OK)
        return err;
    if (e->options->raw)
        add_normalisation(e);
    err = sg_export_add_nodes(e);
    if (err == SG_OK && !e->options->logits)
        add_probabilities(e);
    if (err == SG_OK)
        err = add_ends(e);
    return err == SG_OK ? sg_export_metadata(e->model, e->checkpoint, &reach, e->options) : err;
}

sg_err sg_export_onnx(const sg_checkpoint *checkpoint, const sg_export_options *options)
{
    sg_onnx_export e = {.checkpoint = checkpoint,
                        .options = options,
                        .first = options->raw ? "normalized" : "input",
                        .last = "logits"};
    sg_err err = build(&e);
    if (err == SG_OK)
        err = sg_onnx_save(e.model, options->onnx, fill, &e);
    if (err == SG_OK && options->tile > 0)
        sg_info("%s: takes tiles of %lld x %lld pixels", options->onnx, (long long)options->tile,
                (long long)options->tile);
    else if (err == SG_OK)
        sg_info("%s: takes tiles of any size that the network does; for Deepness add --tile 512",
                options->onnx);
    sg_onnx_close(e.model);
    sg_free(e.constant);
    sg_params_close(e.params);
    sg_graph_close(e.graph);
    return err;
}
