/*
 * dump_network BACKEND NETWORK N HEIGHT WIDTH FILE [smooth]: one training step (no update) of a
 * network, as sg_model_parse reads it, in f32 with fixed pseudo-random weights, input and labels.
 * Written for networks_torch.py: parameters, input, labels, logits, loss, running statistics and
 * every parameter gradient. smooth: every ReLU is x * sigmoid(x) instead, see networks_torch.py.
 */
#include <stdlib.h>
#include <string.h>
#include "base/rng.h"
#include "base/size.h"
#include "model/model.h"
#include "nn/exec.h"
#include "nn/fuse.h"
#include "nn/reach.h"
#include "op/harness.h"
#include "oracle/records.h"

typedef struct {
    sg_backend *backend;
    sg_graph *plain, *with_loss, *fused;
    sg_params *params;
    sg_weights *weights;
    sg_exec *exec;
    sg_shape shape;
    float *input, *label_values, *logits;
    float *gradient;           /* of all trainable parameters, on the host */
    void *device_class_weight; /* class_weight where the backend reads it */
    uint8_t *labels;
    float class_weight[SG_MAX_CLASSES];
    sg_run run;
    bool smooth;
} session;

static void make_smooth(sg_graph *graph)
{
    for (int32_t n = 0; n < graph->nodes; n++)
        if (graph->node[n].op == SG_OP_activation)
            graph->node[n].act = SG_ACT_SILU;
}

static sg_err make_network(session *s, const sg_model_options *options)
{
    sg_err err = sg_model_build(options, &s->plain);
    if (!err && s->smooth)
        make_smooth(s->plain);
    if (!err)
        err = sg_graph_with_loss(s->plain, &s->with_loss);
    if (!err)
        err = sg_graph_fuse(s->with_loss, &s->fused);
    if (!err)
        err = sg_params_create(s->fused, &s->params);
    if (!err)
        err = sg_params_init(s->fused, s->params, 77);
    return err;
}

/* Batch norm's parameters start at 1 and 0: move them, lest an error in their use stay unseen. */
static void disturb_params(session *s)
{
    for (int32_t id = 0; id < s->fused->param_count; id++) {
        const sg_param_info *info = &s->fused->param[id];
        float *values = sg_params_values(s->params, id);
        for (size_t i = 0; info->kind != SG_PARAM_WEIGHT && i < info->count; i++) {
            sg_random4 r = sg_random(5, SG_STREAM_SCENE, i, (uint32_t)id);
            values[i] += .4f * (sg_uniform(r.v[0]) - .5f);
        }
    }
}

static sg_err make_data(session *s, int32_t classes)
{
    size_t count = sg_shape_count(s->shape), pixels = count / (size_t)s->shape.c;
    sg_err err = sg_malloc(count, sizeof *s->input, &s->input);
    if (!err)
        err = sg_malloc(pixels, 1, &s->labels);
    if (!err)
        err = sg_malloc(pixels, sizeof *s->label_values, &s->label_values);
    if (!err)
        err = sg_malloc(pixels * (size_t)classes, sizeof *s->logits, &s->logits);
    for (size_t i = 0; !err && i < count; i++)
        s->input[i] = 2 * sg_uniform(sg_random(6, SG_STREAM_SCENE, i, 0).v[0]) - 1;
    for (size_t i = 0; !err && i < pixels; i++) {
        sg_random4 r = sg_random(6, SG_STREAM_SCENE, i, 1);
        bool ignored = sg_below(r.v[1], 5) == 0;
        s->labels[i] = ignored ? SG_IGNORE_LABEL : (uint8_t)sg_below(r.v[0], (uint32_t)classes);
        s->label_values[i] = s->labels[i];
    }
    for (int32_t c = 0; c < classes; c++)
        s->class_weight[c] = .5f + .25f * (float)c;
    return err;
}

/* Where a network without padding has no result nothing is labelled. */
static sg_err mask_margin(session *s)
{
    sg_network_reach reach;
    sg_err err = sg_graph_reach(s->plain, &reach);
    for (int64_t i = 0; !err && i < s->shape.n * s->shape.h * s->shape.w; i++) {
        int64_t x = i % s->shape.w, y = i / s->shape.w % s->shape.h;
        if (y < reach.margin.top || y >= s->shape.h - reach.margin.bottom ||
            x < reach.margin.left || x >= s->shape.w - reach.margin.right)
            s->label_values[i] = s->labels[i] = SG_IGNORE_LABEL;
    }
    return err;
}

static sg_err put_class_weight(session *s)
{
    sg_err err = s->backend->alloc(s->backend, sizeof s->class_weight, &s->device_class_weight);
    return err ? err
               : s->backend->upload(s->backend, s->device_class_weight, s->class_weight,
                                    sizeof s->class_weight);
}

static sg_err take_gradient(session *s)
{
    size_t count = s->params->layout->trainable_count;
    sg_err err = sg_malloc(count, sizeof *s->gradient, &s->gradient);
    return err ? err
               : s->backend->download(s->backend, s->gradient, s->weights->gradient,
                                      count * sizeof *s->gradient);
}

static sg_err run_step(session *s)
{
    sg_err err = put_class_weight(s);
    s->run = (sg_run){.loss_scale = 1.0f / 1024, .class_weight = s->device_class_weight};
    if (!err)
        err = sg_weights_create(s->backend, s->params, true, &s->weights);
    if (!err)
        err = sg_exec_create(s->backend, s->fused, s->weights, s->shape, SG_F32, SG_PLAN_TRAINING,
                             &s->exec);
    if (!err)
        err = sg_exec_forward(s->exec, s->input, s->labels, &s->run);
    if (!err)
        err = sg_exec_read_value(s->exec, s->fused->node[s->fused->nodes - 1].input[0], s->logits);
    if (!err)
        err = sg_exec_backward(s->exec, &s->run, NULL, NULL);
    if (!err)
        err = sg_weights_to_host(s->weights);
    return err ? err : take_gradient(s);
}

static sg_err write_params(FILE *file, const session *s, const char *what, bool trainable)
{
    char name[SG_NAME_MAX * 2];
    sg_err err = SG_OK;
    for (int32_t id = 0; !err && id < s->fused->param_count; id++) {
        const sg_param_info *info = &s->fused->param[id];
        if (trainable && !sg_param_is_trainable(info))
            continue;
        snprintf(name, sizeof name, "%s:%s", what, info->name);
        const float *values = trainable ? s->gradient + s->params->layout->offset[id]
                                        : sg_params_values(s->params, id);
        err = record_array(file, name, info->dims, info->dim, values);
    }
    return err;
}

static sg_err write_facts(FILE *file, const session *s)
{
    sg_text line = {0};
    sg_err err = sg_text_add(&line,
                             "{\"loss_scale\": %.9g, \"loss_sum\": %.17g, \"weight_sum\": %.17g, "
                             "\"aux_sum\": %.17g}",
                             (double)s->run.loss_scale, s->run.loss_sum, s->run.weight_sum,
                             s->run.term_sum[1]);
    if (!err)
        err = record_line(file, &line);
    sg_text_clear(&line);
    return err;
}

static sg_err write_results(FILE *file, const session *s, const sg_model_options *options)
{
    const int64_t pixels[] = {s->shape.n, s->shape.h, s->shape.w};
    const int64_t classes = options->classes;
    sg_shape logits = {s->shape.n, s->shape.h, s->shape.w, classes};
    sg_err err = write_facts(file, s);
    if (!err)
        err = record_tensor(file, "input", s->shape, s->input);
    if (!err)
        err = record_array(file, "labels", 3, pixels, s->label_values);
    if (!err)
        err = record_array(file, "class_weight", 1, &classes, s->class_weight);
    if (!err)
        err = record_tensor(file, "logits", logits, s->logits);
    if (!err)
        err = write_params(file, s, "after", false);
    if (!err)
        err = write_params(file, s, "gradient", true);
    return err;
}

static void close_session(session *s)
{
    sg_exec_close(s->exec);
    sg_weights_close(s->weights);
    sg_params_close(s->params);
    sg_graph_close(s->fused);
    sg_graph_close(s->with_loss);
    sg_graph_close(s->plain);
    if (s->device_class_weight)
        s->backend->free(s->backend, s->device_class_weight);
    sg_free(s->gradient);
    sg_backend_close(s->backend);
    sg_free(s->input);
    sg_free(s->labels);
    sg_free(s->label_values);
    sg_free(s->logits);
}

static sg_err dump(FILE *file, session *s, const sg_model_options *options)
{
    sg_err err = make_network(s, options);
    if (err)
        return err;
    disturb_params(s);
    err = make_data(s, options->classes);
    if (!err)
        err = mask_margin(s);
    if (!err)
        err = write_params(file, s, "before", false);
    if (!err)
        err = run_step(s);
    return err ? err : write_results(file, s, options);
}

int main(int argc, char **argv)
{
    session s = {.backend = NULL};
    sg_model_options options = sg_model_defaults();
    bool smooth = argc == 8 && strcmp(argv[7], "smooth") == 0;
    if (argc != 7 && !smooth) {
        fprintf(stderr, "usage: dump_network BACKEND NETWORK N HEIGHT WIDTH FILE [smooth]\n");
        return 2;
    }
    s.smooth = smooth;
    options.bands = 3;
    options.classes = 2;
    sg_err err = sg_model_parse(argv[2], &options);
    s.shape = (sg_shape){atoi(argv[3]), atoi(argv[4]), atoi(argv[5]), options.bands};
    FILE *file = err ? NULL : fopen(argv[6], "wb");
    if (!err && !file)
        err = sg_fail(SG_EOUTPUT, "%s cannot be written", argv[6]);
    if (!err)
        err = op_backend_open(argv[1], &s.backend);
    if (!err)
        err = dump(file, &s, &options);
    if (file && fclose(file) != 0 && !err)
        err = sg_fail(SG_EOUTPUT, "%s cannot be written", argv[6]);
    close_session(&s);
    if (err)
        fprintf(stderr, "dump_network: %s\n", sg_error_text());
    return err == SG_EUNSUPPORTED ? 77 : sg_exit_status(err); /* 77: the device is not here */
}
