/*
 * Every case on every backend against the reference in f32: forward pass, every gradient, stored
 * and added, and prediction. A case that a backend refuses fails in f32; in bf16 it is shown as
 * skipped.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/size.h"
#include "op/harness.h"
#include "op/tolerance.h"

typedef struct {
    char name[160];
    const char *backend;
    sg_dtype type;
    const op_case *row;
} trial;

/* Both runs of a comparison, and the bounds. */
typedef struct {
    sg_backend *backend, *reference;
    op_problem problem;
    sg_dtype type;
    op_result wanted, magnitude, got;
} comparison;

static const sg_run run_facts = {.seed = 3, .step = 12, .first_sample = 40};

static void expect_ok(sg_err err)
{
    if (err)
        fail_msg("%s", sg_error_text());
}

static void expect_near(const comparison *c, op_quantity quantity, const char *what, int k,
                        const float *got, const float *wanted, const float *magnitude,
                        const float *prior, size_t count)
{
    assert_true((got == NULL) == (wanted == NULL));
    for (size_t i = 0; got && i < count; i++) {
        double before = prior ? prior[i] : 0, value = before + wanted[i];
        double bound =
            op_tolerance(&c->problem, quantity, c->type, value, magnitude[i] + fabs(before));
        if (!(fabs(got[i] - value) <= bound))
            fail_msg("%s %d, element %zu of %zu: %.9g, the reference has %.9g, bound %.3g", what, k,
                     i, count, (double)got[i], value, bound);
    }
}

static void expect_same_results(const comparison *c, sg_grad_write write)
{
    const op_problem *p = &c->problem;
    const op_result *got = &c->got, *wanted = &c->wanted, *m = &c->magnitude;
    expect_near(c, OP_OUT, "output", 0, got->out, wanted->out, m->out, NULL,
                sg_shape_count(p->out));
    for (int32_t k = 0; k < p->row->inputs; k++)
        expect_near(c, OP_GRAD_IN, "gradient of input", k, got->grad_in[k], wanted->grad_in[k],
                    m->grad_in[k], write == SG_GRAD_ADD ? p->prior[k] : NULL,
                    sg_shape_count(p->in[k]));
    for (int32_t k = 0; k < p->node.params; k++) {
        expect_near(c, OP_PARAM_GRAD, "gradient of parameter", k, got->param_grad[k],
                    wanted->param_grad[k], m->param_grad[k], NULL, op_param_count(p, k));
        expect_near(c, OP_STATE, "running statistic", k, got->state[k], wanted->state[k],
                    m->state[k], NULL, op_param_count(p, k));
    }
    if (p->labels) {
        assert_true(fabs(got->weight_sum - wanted->weight_sum) <= 1e-6 * wanted->weight_sum);
        assert_true(fabs(got->loss_sum - wanted->loss_sum) <=
                    op_tolerance(p, OP_OUT, SG_F32, wanted->loss_sum, m->out[0]));
    }
}

static void close_results(comparison *c)
{
    op_result_close(&c->wanted);
    op_result_close(&c->magnitude);
    op_result_close(&c->got);
}

static bool refused(const comparison *c, sg_err err)
{
    return err == SG_EUNSUPPORTED && c->type == SG_BF16;
}

static bool compare(comparison *c, int training, sg_grad_write write)
{
    op_options options = {.type = SG_F32, .training = training, .run = run_facts};
    options.write = write == SG_GRAD_NONE ? SG_GRAD_NONE : SG_GRAD_STORE;
    expect_ok(op_run(c->reference, &c->problem, &options, &c->wanted));
    expect_ok(op_magnitudes(&c->problem, &options, &c->magnitude));
    options.type = c->type;
    options.write = write;
    sg_err err = op_run(c->backend, &c->problem, &options, &c->got);
    if (!err)
        expect_same_results(c, write);
    close_results(c);
    if (!refused(c, err))
        expect_ok(err);
    return err == SG_OK;
}

static bool can_add(const op_case *row)
{
    uint32_t all = (1u << row->inputs) - 1;
    return row->inputs > 0 && (sg_op_definition(row->op)->adds_gradient & all) == all;
}

static void agrees_with_reference(void **state)
{
    const trial *t = *state;
    comparison c = {.type = t->type};
    bool ran = false;
    expect_ok(op_backend_open(t->backend, &c.backend));
    expect_ok(sg_reference_open(&c.reference));
    expect_ok(op_problem_create(t->row, t->type == SG_BF16, &c.problem));
    if (c.backend->supports(c.backend, t->type)) {
        ran = compare(&c, 1, SG_GRAD_STORE) && compare(&c, 1, SG_GRAD_TEMPORARY) &&
              compare(&c, 1, SG_GRAD_NONE) && compare(&c, 0, SG_GRAD_NONE);
        if (ran && can_add(t->row))
            ran = compare(&c, 1, SG_GRAD_ADD);
    }
    op_problem_close(&c.problem);
    sg_backend_close(c.reference);
    sg_backend_close(c.backend);
    if (!ran) {
        assert_int_equal(t->type, SG_BF16);
        print_message("%s: refused\n", t->name);
        skip();
    }
}

static void every_operator_has_a_case(void **state)
{
    for (int op = 0; op < SG_OP_COUNT; op++) {
        int cases = 0;
        for (size_t i = 0; i < op_case_count; i++)
            cases += op_cases[i].op == (sg_op)op;
        if (cases == 0)
            fail_msg("operator \"%s\" has no case", sg_op_name((sg_op)op));
    }
}

static void cases_are_named_for_their_operator_and_once(void **state)
{
    for (size_t i = 0; i < op_case_count; i++) {
        const char *name = sg_op_name(op_cases[i].op);
        assert_memory_equal(op_cases[i].name, name, strlen(name));
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(op_cases[i].name, op_cases[k].name);
    }
}

int main(void)
{
    static const sg_dtype types[] = {SG_F32, SG_BF16};
    size_t trials = op_backend_count * 2 * op_case_count, count = 0;
    struct CMUnitTest *tests = NULL;
    trial *t = NULL;
    if (sg_calloc(trials + 2, sizeof *tests, &tests) || sg_calloc(trials, sizeof *t, &t))
        return 1;
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(every_operator_has_a_case);
    tests[count++] =
        (struct CMUnitTest)cmocka_unit_test(cases_are_named_for_their_operator_and_once);
    for (size_t i = 0; i < trials; i++) {
        t[i].row = &op_cases[i % op_case_count];
        t[i].type = types[i / op_case_count % 2];
        t[i].backend = op_backend_names[i / op_case_count / 2];
        snprintf(t[i].name, sizeof t[i].name, "%s, %s, %s", t[i].backend, sg_dtype_name(t[i].type),
                 t[i].row->name);
        tests[count++] = (struct CMUnitTest){t[i].name, agrees_with_reference, NULL, NULL, &t[i]};
    }
    int failed = _cmocka_run_group_tests("backends", tests, count, NULL, NULL);
    sg_free(tests);
    sg_free(t);
    return failed != 0;
}
