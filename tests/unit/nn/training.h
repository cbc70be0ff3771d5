/* A network in training on the reference backend: noise for input, labels of three classes. */
#ifndef SG_TESTS_NN_TRAINING_H
#define SG_TESTS_NN_TRAINING_H

#include "runner.h"

#include <stdlib.h>

enum { CLASSES = 3 };

typedef struct {
    sg_graph *graph; /* with its loss */
    sg_params *params;
    runner run;
    uint8_t *labels;
    size_t pixels;
    sg_run hooks;
} training;

static inline training training_open(sg_graph *graph, sg_shape shape)
{
    training t = {.pixels = (size_t)(shape.n * shape.h * shape.w)};
    must(sg_graph_with_loss(graph, &t.graph));
    sg_graph_close(graph);
    must(sg_params_create(t.graph, &t.params));
    fill_params(t.graph, t.params, 11);
    t.run = runner_open(t.graph, t.params, shape, SG_PLAN_TRAINING);
    fill_noise(t.run.input, t.run.inputs, 12, -1, 1);
    t.labels = malloc(t.pixels);
    for (size_t i = 0; i < t.pixels; i++)
        t.labels[i] = noise(13, i) < .1f ? SG_IGNORE_LABEL : (uint8_t)(CLASSES * noise(14, i));
    t.hooks = (sg_run){.seed = 1, .step = 1, .loss_scale = 1.0f / (float)t.pixels};
    return t;
}

static inline void training_close(training *t)
{
    runner_close(&t->run);
    sg_params_close(t->params);
    sg_graph_close(t->graph);
    free(t->labels);
}

static inline double loss_of(training *t)
{
    must(sg_exec_forward(t->run.exec, t->run.input, t->labels, &t->hooks));
    return t->hooks.loss_sum * (double)t->hooks.loss_scale;
}

#endif
