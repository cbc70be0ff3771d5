/* Running a network on the reference backend, for the tests of nn and model. */
#ifndef SG_TESTS_NN_RUNNER_H
#define SG_TESTS_NN_RUNNER_H

#include "nets.h"
#include "base/size.h"
#include "nn/exec.h"

/* A value in [0, 1) that depends on nothing but its arguments. */
static inline float noise(uint64_t seed, uint64_t i)
{
    uint64_t state = seed * 0x9E3779B97F4A7C15u + i * 0xBF58476D1CE4E5B9u;
    net_random(&state, 1);
    return (float)net_random(&state, 1u << 24) / (float)(1u << 24);
}

static inline void fill_noise(float *values, size_t count, uint64_t seed, float low, float high)
{
    for (size_t i = 0; i < count; i++)
        values[i] = low + (high - low) * noise(seed, i);
}

/* A parameter's values lie in a range that suits its kind. */
static inline void fill_params(const sg_graph *graph, const sg_params *params, uint64_t seed)
{
    for (int32_t id = 0; id < graph->param_count; id++) {
        sg_param_kind kind = graph->param[id].kind;
        bool positive = kind == SG_PARAM_VARIANCE || kind == SG_PARAM_SCALE;
        fill_noise(sg_params_values(params, id), graph->param[id].count, seed + (uint64_t)id,
                   positive ? .5f : -.5f, positive ? 1.5f : .5f);
    }
}

typedef struct {
    sg_backend *backend;
    sg_weights *weights;
    sg_exec *exec;
    float *input;
    size_t inputs, outputs; /* elements */
    float *output;
} runner;

/* graph and params stay the caller's. */
static inline runner runner_open(const sg_graph *graph, sg_params *params, sg_shape input,
                                 sg_plan_mode mode)
{
    runner r = {0};
    must(sg_reference_open(&r.backend));
    must(sg_weights_create(r.backend, params, mode == SG_PLAN_TRAINING, &r.weights));
    must(sg_exec_create(r.backend, graph, r.weights, input, SG_F32, mode, &r.exec));
    const sg_plan *plan = sg_exec_plan(r.exec);
    r.inputs = sg_shape_count(plan->tensor[0].shape);
    r.outputs = sg_shape_count(plan->tensor[graph->tensors - 1].shape);
    must(sg_calloc(r.inputs, sizeof(float), &r.input));
    must(sg_calloc(r.outputs, sizeof(float), &r.output));
    return r;
}

static inline void runner_forward(runner *r, const uint8_t *labels, sg_run *run)
{
    must(sg_exec_forward(r->exec, r->input, labels, run));
    must(sg_exec_read_value(r->exec, sg_exec_plan(r->exec)->graph->tensors - 1, r->output));
}

static inline void runner_close(runner *r)
{
    sg_exec_close(r->exec);
    sg_weights_close(r->weights);
    sg_backend_close(r->backend);
    sg_free(r->input);
    sg_free(r->output);
}

#endif
