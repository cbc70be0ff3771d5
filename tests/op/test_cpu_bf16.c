/*
 * bf16 on the CPU backend where oneDNN refuses it: the backend is told to take it all the same, so
 * that every operator's bf16 code runs against the reference on any machine. Convolutions then run
 * in our own f32 kernels between conversions, or are borrowed from the reference.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>
#include "base/size.h"
#include "cpu/cpu.h"
#include "op/harness.h"
#include "op/tolerance.h"

static void expect_ok(sg_err err)
{
    if (err)
        fail_msg("%s", sg_error_text());
}

static bool takes_all(const sg_backend *backend, sg_dtype type)
{
    return true;
}

typedef struct {
    op_problem problem;
    op_result wanted, magnitude, got;
} comparison;

static void expect_near(const comparison *c, op_quantity quantity, const float *got,
                        const float *wanted, const float *magnitude, const float *prior,
                        size_t count)
{
    assert_true((got == NULL) == (wanted == NULL));
    for (size_t i = 0; got && i < count; i++) {
        double before = prior ? prior[i] : 0, value = before + wanted[i];
        double bound =
            op_tolerance(&c->problem, quantity, SG_BF16, value, magnitude[i] + fabs(before));
        if (!(fabs(got[i] - value) <= bound))
            fail_msg("quantity %d, element %zu: %.9g, the reference has %.9g, bound %.3g",
                     (int)quantity, i, (double)got[i], value, bound);
    }
}

static void compare(sg_backend *cpu, sg_backend *reference, comparison *c, sg_grad_write write)
{
    const op_problem *p = &c->problem;
    op_options options = {.type = SG_F32, .training = write != SG_GRAD_NONE};
    options.run = (sg_run){.seed = 3, .step = 12, .first_sample = 40};
    options.write = options.training ? SG_GRAD_STORE : SG_GRAD_NONE;
    expect_ok(op_run(reference, p, &options, &c->wanted));
    expect_ok(op_magnitudes(p, &options, &c->magnitude));
    options.type = SG_BF16;
    options.write = write;
    expect_ok(op_run(cpu, p, &options, &c->got));
    expect_near(c, OP_OUT, c->got.out, c->wanted.out, c->magnitude.out, NULL,
                sg_shape_count(p->out));
    for (int32_t k = 0; k < p->row->inputs; k++)
        expect_near(c, OP_GRAD_IN, c->got.grad_in[k], c->wanted.grad_in[k], c->magnitude.grad_in[k],
                    write == SG_GRAD_ADD ? p->prior[k] : NULL, sg_shape_count(p->in[k]));
    for (int32_t k = 0; k < p->node.params; k++)
        expect_near(c, OP_PARAM_GRAD, c->got.param_grad[k], c->wanted.param_grad[k],
                    c->magnitude.param_grad[k], NULL, op_param_count(p, k));
    op_result_close(&c->wanted);
    op_result_close(&c->magnitude);
    op_result_close(&c->got);
}

static void bf16_agrees_with_reference(void **state)
{
    const op_case *row = *state;
    uint32_t all = (1u << row->inputs) - 1;
    sg_backend *cpu = NULL, *reference = NULL;
    comparison c = {0};
    expect_ok(sg_cpu_open(&cpu, 2));
    expect_ok(sg_reference_open(&reference));
    expect_ok(op_problem_create(row, 1, &c.problem));
    cpu->supports = takes_all;
    compare(cpu, reference, &c, SG_GRAD_NONE);
    compare(cpu, reference, &c, SG_GRAD_STORE);
    if (row->inputs && (sg_op_definition(row->op)->adds_gradient & all) == all)
        compare(cpu, reference, &c, SG_GRAD_ADD);
    op_problem_close(&c.problem);
    sg_backend_close(cpu);
    sg_backend_close(reference);
}

int main(void)
{
    struct CMUnitTest *tests = NULL;
    if (sg_calloc(op_case_count, sizeof *tests, &tests))
        return 1;
    for (size_t i = 0; i < op_case_count; i++)
        tests[i] = (struct CMUnitTest){op_cases[i].name, bf16_agrees_with_reference, NULL, NULL,
                                       (void *)&op_cases[i]};
    int failed = _cmocka_run_group_tests("bf16", tests, op_case_count, NULL, NULL);
    sg_free(tests);
    return failed != 0;
}
