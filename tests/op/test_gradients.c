/*
 * The reference's gradients against finite differences: loss = sum(output * grad_out), one element
 * of an input or a parameter moved at a time.
 *
 * D(h) = (loss(+h) - loss(-h)) / 2h; the estimate is (4 D(h) - D(2h)) / 3, of fourth order. Bound:
 * the outputs are rounded to f32, which reaches the estimate as at most 1.5 / h times the rounding
 * of the outputs that changed (they are independent: lambda * sqrt(count), see tolerance.h); and
 * the truncation, far below |D(h) - D(2h)| (its share is of order h^2), of which a tenth is
 * allowed. Where a move makes an activation cross a kink there is no derivative to estimate: such
 * elements are left out, and at least half of those tried must remain.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "base/size.h"
#include "nn/op.h"
#include "op/harness.h"

enum { MOST_MOVED = 24 };

typedef struct {
    sg_backend *reference;
    op_problem problem;
    op_options options;
    op_result analytic;
    double step;
    int tried, checked;
} probe;

static void expect_ok(sg_err err)
{
    if (err)
        fail_msg("%s", sg_error_text());
}

/* Exact in f32 beside the values; small where the function bends or has kinks nearby. */
static double step_of(const op_case *row)
{
    if (sg_op_is_loss(row->op))
        return 0x1p-6;
    if (row->values == OP_VALUES_OFFSET)
        return 0x1p-2;
    return row->act == SG_ACT_NONE ? 0x1p-6 : 0x1p-8;
}

/* Which straight piece of the activation an output lies on. */
static int piece(int32_t act, float y)
{
    bool kinked = act == SG_ACT_RELU || act == SG_ACT_RELU6 || act == SG_ACT_LEAKY;
    return kinked ? (y > 0) + (act == SG_ACT_RELU6 && y >= 6) : 0;
}

/* The four evaluations around one value: at -2h, -h, h, 2h. */
typedef struct {
    op_result at[4];
    bool kink;
    size_t changed;
    double largest; /* |output * grad_out| among the changed */
} star;

static void look_at_outputs(const probe *p, star *s)
{
    for (size_t i = 0; i < sg_shape_count(p->problem.out); i++) {
        float first = s->at[0].out[i], last = s->at[3].out[i];
        for (int k = 1; k < 4; k++)
            if (piece(p->problem.row->act, s->at[k].out[i]) != piece(p->problem.row->act, first))
                s->kink = true;
        if (first != last) {
            s->changed++;
            s->largest = fmax(s->largest, fabs((double)fmaxf(fabsf(first), fabsf(last)) *
                                               p->problem.grad_out[i]));
        }
    }
}

static star evaluate(probe *p, float *value)
{
    static const int moves[4] = {-2, -1, 1, 2};
    star s = {.kink = false};
    float before = *value;
    for (int k = 0; k < 4; k++) {
        *value = (float)(before + moves[k] * p->step);
        assert_true((double)*value == before + moves[k] * p->step);
        expect_ok(op_run(p->reference, &p->problem, &p->options, &s.at[k]));
    }
    *value = before;
    look_at_outputs(p, &s);
    return s;
}

/* loss at b minus loss at a, without cancelling what is equal in both. */
static double difference(const probe *p, const op_result *a, const op_result *b)
{
    double sum = 0;
    if (p->problem.labels)
        return (b->loss_sum - a->loss_sum) * p->problem.loss_scale;
    for (size_t i = 0; i < sg_shape_count(p->problem.out); i++)
        sum += ((double)b->out[i] - a->out[i]) * p->problem.grad_out[i];
    return sum;
}

/* Where errors change places the sorted loss has a kink: a jump of the slope by j between -2h and
 * 2h shows as up to 2 j here, a smooth function as h^3 times its fourth derivative. */
static double bend(const probe *p, const star *s)
{
    const op_result *here = &p->analytic;
    double near = difference(p, here, &s->at[1]) + difference(p, here, &s->at[2]);
    double far = difference(p, here, &s->at[0]) + difference(p, here, &s->at[3]);
    return fabs(far - 4 * near) / p->step;
}

static void check_element(probe *p, const char *what, int k, float *values, const float *gradient,
                          size_t i)
{
    star s = evaluate(p, values + i);
    double near = difference(p, &s.at[1], &s.at[2]) / (2 * p->step);
    double far = difference(p, &s.at[0], &s.at[3]) / (4 * p->step);
    double estimate = (4 * near - far) / 3;
    /* a loss is summed in f64; its gradient is rounded once; but the shares that are sorted are
     * f32, and their weights in the loss add up to W */
    double shares = p->problem.row->op == SG_OP_lovasz_loss ? p->analytic.weight_sum : 0;
    double rounding = p->problem.labels ? 6 * 0x1p-24 * shares * p->problem.loss_scale *
                                              p->problem.row->attr.loss.weight
                                        : 6 * sqrt((double)s.changed) * 0x1p-24 * s.largest;
    double bound = 1.5 * rounding / p->step + .1 * fabs(near - far) + 0x1p-22 * fabs(estimate) +
                   0x1p-40 / p->step;
    s.kink |= shares > 0 && bend(p, &s) > .01 * fabs(far) + rounding / (6 * p->step);
    p->tried++;
    if (!s.kink) {
        p->checked++;
        if (!(fabs(gradient[i] - estimate) <= bound))
            fail_msg("gradient of %s %d, element %zu: %.9g, differences say %.9g, bound %.3g", what,
                     k, i, (double)gradient[i], estimate, bound);
    }
    for (int e = 0; e < 4; e++)
        op_result_close(&s.at[e]);
}

static void check_array(probe *p, const char *what, int k, float *values, const float *gradient,
                        size_t count)
{
    size_t stride = (size_t)sg_max64(1, (int64_t)(count / MOST_MOVED) | 1); /* odd: all channels */
    for (size_t i = 0; i < count; i += stride)
        check_element(p, what, k, values, gradient, i);
}

static void gradients_are_derivatives(void **state)
{
    const op_case *row = *state;
    probe p = {.step = step_of(row), .options = {.training = 1, .write = SG_GRAD_STORE}};
    p.options.run = (sg_run){.seed = 9, .step = 2};
    if (row->op == SG_OP_input || row->values == OP_VALUES_TIES)
        skip(); /* nothing to derive, or no derivative at equal values */
    expect_ok(sg_reference_open(&p.reference));
    expect_ok(op_problem_create(row, row->values != OP_VALUES_DISTINCT, &p.problem));
    expect_ok(op_run(p.reference, &p.problem, &p.options, &p.analytic));
    p.options.forward_only = 1;
    for (int k = 0; k < row->inputs; k++)
        check_array(&p, "input", k, p.problem.value[k], p.analytic.grad_in[k],
                    sg_shape_count(p.problem.in[k]));
    for (int k = 0; k < p.problem.node.params; k++)
        if (!op_param_is_state(&p.problem, k))
            check_array(&p, "parameter", k, p.problem.param[k], p.analytic.param_grad[k],
                        op_param_count(&p.problem, k));
    assert_true(2 * p.checked >= p.tried);
    op_result_close(&p.analytic);
    op_problem_close(&p.problem);
    sg_backend_close(p.reference);
}

int main(void)
{
    struct CMUnitTest *tests = NULL;
    if (sg_calloc(op_case_count, sizeof *tests, &tests))
        return 1;
    for (size_t i = 0; i < op_case_count; i++)
        tests[i] = (struct CMUnitTest){op_cases[i].name, gradients_are_derivatives, NULL, NULL,
                                       (void *)&op_cases[i]};
    int failed = _cmocka_run_group_tests("gradients", tests, op_case_count, NULL, NULL);
    sg_free(tests);
    return failed != 0;
}
