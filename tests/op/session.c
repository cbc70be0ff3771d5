#include "op/session.h"

#include <math.h>
#include "base/rng.h"
#include "base/size.h"
#include "nn/fuse.h"

/* Up or down by that much, as a random bit says. */
static void shake_weights(const sg_params *params, double by)
{
    for (size_t i = 0; i < params->layout->trainable_count; i++) {
        bool up = sg_random(6, SG_STREAM_SCENE, i, 0).v[0] & 1;
        params->trainable[i] = (float)(params->trainable[i] * (up ? 1 + by : 1 - by));
    }
}

sg_err op_session_open(op_session *s, sg_backend *backend, const op_session_options *options)
{
    sg_plan_mode mode = options->recompute ? SG_PLAN_RECOMPUTE : SG_PLAN_TRAINING;
    sg_shape in = options->input;
    *s = (op_session){.backend = backend, .rate = options->rate, .sgd = options->sgd};
    s->pixels = (size_t)(in.n * in.h * in.w);
    sg_err err = sg_model_build(options->model, &s->plain);
    if (!err)
        err = sg_params_create(s->plain, &s->params);
    if (!err)
        err = sg_params_init(s->plain, s->params, 9);
    if (!err && options->shake > 0)
        shake_weights(s->params, options->shake);
    if (!err)
        err = sg_graph_with_loss(s->plain, &s->with_loss);
    if (!err)
        err = sg_graph_fuse(s->with_loss, &s->fused);
    if (!err)
        err = sg_weights_create(backend, s->params, true, &s->weights);
    if (!err)
        err = sg_update_pieces_open(&s->pieces, backend, s->plain, s->params->layout, NULL);
    return err ? err
               : sg_exec_create(backend, s->fused, s->weights, in, options->type, mode, &s->exec);
}

void op_session_close(op_session *s)
{
    sg_exec_close(s->exec);
    sg_weights_close(s->weights);
    sg_update_pieces_close(&s->pieces);
    sg_params_close(s->params);
    sg_graph_close(s->fused);
    sg_graph_close(s->with_loss);
    sg_graph_close(s->plain);
}

sg_err op_session_step(op_session *s, const float *input, const uint8_t *labels, int32_t number,
                       double *loss)
{
    sg_run run = {.seed = 2, .step = (uint64_t)number, .loss_scale = 1.0f / (float)s->pixels};
    const sg_update update = {.rule = s->sgd ? SG_SGD : SG_ADAMW,
                              .rate = s->rate,
                              .decay = 1e-2f,
                              .momentum = .9f,
                              .beta1 = .9f,
                              .beta2 = .999f,
                              .epsilon = 1e-8f,
                              .gradient_scale = 1,
                              .step = number + 1};
    sg_weights *w = s->weights;
    sg_err err = sg_exec_forward(s->exec, input, labels, &run);
    if (!err)
        err = sg_exec_backward(s->exec, &run, NULL, NULL);
    if (!err)
        err = sg_update_step(&s->pieces, &update, w->trainable, w->gradient, w->m, w->v);
    sg_weights_changed(w);
    *loss = err ? NAN : run.loss_sum / run.weight_sum;
    return err;
}

void op_make_batch(sg_shape shape, int32_t classes, float *input, uint8_t *labels)
{
    size_t c = (size_t)shape.c, pixels = sg_shape_count(shape) / c;
    for (size_t i = 0; i < pixels * c; i++)
        input[i] =
            2 * sg_uniform(sg_random(5, SG_STREAM_SCENE, i / c / 3, (uint32_t)(i % c)).v[0]) - 1;
    for (size_t i = 0; i < pixels; i++)
        labels[i] =
            i % 17 == 0 ? SG_IGNORE_LABEL : (uint8_t)((input[i * c] + 1) * .4999f * (float)classes);
}
