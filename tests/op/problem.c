#include "op/harness.h"

#include <string.h>
#include "base/rng.h"
#include "base/size.h"

static float round_bf16(float value)
{
    return sg_bf16_to_f32(sg_f32_to_bf16(value));
}

/* Uniform in [-1, 1), a function of which array and which element. */
static float draw(uint32_t array, size_t i)
{
    sg_random4 r = sg_random(41, SG_STREAM_SCENE, i, array);
    return 2 * sg_uniform(r.v[0]) - 1;
}

static float draw_value(const op_problem *p, uint32_t input, size_t i)
{
    sg_shape s = p->in[input];
    float plain = draw(input, i);
    switch (p->row->values) {
    case OP_VALUES_DISTINCT: {
        uint64_t pixels = (uint64_t)(s.n * s.h * s.w), c = (uint64_t)s.c;
        uint64_t rank = sg_permute(7, SG_STREAM_SCENE, i % c, i / c, pixels);
        return OP_DISTINCT_GAP * ((float)rank - (float)pixels / 2);
    }
    case OP_VALUES_TIES:
        return (float)(int)(plain * 1.99f);
    case OP_VALUES_OFFSET:
        return 1000 + 30 * plain;
    default:
        return plain;
    }
}

static sg_err make_inputs(op_problem *p, int rounded)
{
    int32_t inputs = p->row->inputs ? p->row->inputs : 1;
    for (int32_t k = 0; k < inputs; k++) {
        size_t count = sg_shape_count(p->in[k]);
        sg_err err = sg_calloc(count, sizeof(float), &p->value[k]);
        if (!err)
            err = sg_calloc(count, sizeof(float), &p->prior[k]);
        if (err)
            return err;
        for (size_t i = 0; i < count; i++) {
            p->value[k][i] = draw_value(p, (uint32_t)k, i);
            p->prior[k][i] = draw(100 + (uint32_t)k, i);
            if (rounded) {
                p->value[k][i] = round_bf16(p->value[k][i]);
                p->prior[k][i] = round_bf16(p->prior[k][i]);
            }
        }
    }
    return SG_OK;
}

static sg_err make_params(op_problem *p, int rounded)
{
    for (int32_t k = 0; k < p->node.params; k++) {
        size_t count = op_param_count(p, k);
        sg_param_kind kind = p->graph->param[p->node.param[k]].kind;
        sg_err err = sg_calloc(count, sizeof(float), &p->param[k]);
        if (err)
            return err;
        for (size_t i = 0; i < count; i++) {
            float value = draw(200 + (uint32_t)k, i);
            if (kind == SG_PARAM_VARIANCE)
                value = 1 + .5f * value;
            p->param[k][i] = rounded ? round_bf16(value) : value;
        }
    }
    return SG_OK;
}

static sg_err make_grad_out(op_problem *p, int rounded)
{
    size_t count = sg_shape_count(p->out);
    sg_err err = sg_calloc(count, sizeof(float), &p->grad_out);
    for (size_t i = 0; !err && i < count; i++) {
        float value = draw(300, i);
        p->grad_out[i] = rounded ? round_bf16(value) : value;
    }
    return err;
}

static sg_err make_labels(op_problem *p)
{
    op_labels kind = p->row->labels;
    uint32_t classes = (uint32_t)p->in[0].c;
    size_t pixels = sg_shape_count(p->in[0]) / classes;
    if (kind == OP_LABELS_NONE)
        return SG_OK;
    sg_err err = sg_calloc(pixels, 1, &p->labels);
    if (!err && kind == OP_LABELS_BORDER)
        err = sg_calloc(pixels, sizeof(float), &p->border);
    if (!err && (kind == OP_LABELS_WEIGHTED || kind == OP_LABELS_BORDER))
        err = sg_calloc(classes, sizeof(float), &p->class_weight);
    if (err)
        return err;
    for (size_t i = 0; i < pixels; i++) {
        sg_random4 r = sg_random(43, SG_STREAM_SCENE, i, 0);
        int ignored = kind == OP_LABELS_IGNORED || (i > 0 && sg_below(r.v[0], 4) == 0);
        p->labels[i] = ignored ? SG_IGNORE_LABEL : (uint8_t)sg_below(r.v[1], classes);
        if (!ignored && kind == OP_LABELS_SPARSE)
            p->labels[i] = p->labels[i] % 2 ? 0 : (uint8_t)(classes - 1);
        if (p->border)
            p->border[i] = 2 + 2 * draw(500, i);
    }
    for (uint32_t c = 0; p->class_weight && c < classes; c++)
        p->class_weight[c] = 1.25f + draw(400, c);
    return SG_OK;
}

static sg_err make_node(op_problem *p)
{
    const op_case *row = p->row;
    const sg_op_def *op = sg_op_definition(row->op);
    int32_t channels = 0, in_channels[SG_MAX_INPUTS] = {0};
    p->node = (sg_node){.op = row->op,
                        .act = row->act,
                        .out_f32 = row->out_f32,
                        .attr = row->attr,
                        .inputs = row->inputs,
                        .output = 5};
    memcpy(p->in, row->in, sizeof p->in);
    strcpy(p->node.name, sg_op_name(row->op));
    for (int32_t k = 0; k < row->inputs; k++)
        in_channels[k] = (int32_t)p->in[k].c;
    sg_err err = sg_graph_create(&p->graph);
    if (!err)
        err = op->make(p->graph, &p->node, in_channels, &channels);
    if (!err)
        err = op->shape(&p->node, p->in, &p->out);
    if (!err && p->out.c != channels)
        err = sg_fail(SG_EINTERNAL, "%s: make says %d channels, shape %lld", row->name,
                      (int)channels, (long long)p->out.c);
    return err;
}

sg_err op_problem_create(const op_case *row, int rounded, op_problem *problem)
{
    *problem = (op_problem){.row = row, .rounded = rounded, .loss_scale = .25f};
    sg_err err = make_node(problem);
    if (!err)
        err = make_inputs(problem, rounded);
    if (!err)
        err = make_params(problem, rounded);
    if (!err)
        err = make_grad_out(problem, rounded);
    if (!err)
        err = make_labels(problem);
    if (err)
        op_problem_close(problem);
    return err;
}

void op_problem_close(op_problem *problem)
{
    for (int32_t k = 0; k < SG_MAX_INPUTS; k++) {
        sg_free(problem->value[k]);
        sg_free(problem->prior[k]);
    }
    for (int32_t k = 0; k < SG_MAX_PARAMS; k++)
        sg_free(problem->param[k]);
    sg_free(problem->grad_out);
    sg_free(problem->labels);
    sg_free(problem->class_weight);
    sg_free(problem->border);
    sg_graph_close(problem->graph);
    *problem = (op_problem){0};
}

size_t op_param_count(const op_problem *problem, int32_t i)
{
    return problem->graph->param[problem->node.param[i]].count;
}

bool op_param_is_state(const op_problem *problem, int32_t i)
{
    return !sg_param_is_trainable(&problem->graph->param[problem->node.param[i]]);
}
