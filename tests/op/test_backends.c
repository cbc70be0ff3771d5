/*
 * Every case on every backend against the reference in f32: forward pass, every gradient, stored
 * and added, and prediction. A case that a backend refuses fails in f32; in bf16 it is shown as
 * skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/size.h"
#include "op/compare.h"

typedef struct {
    char name[160];
    const char *backend;
    sg_dtype type;
    const op_case *row;
} trial;

static void expect_ok(sg_err err)
{
    if (err)
        fail_msg("%s", sg_error_text());
}

static void agrees_with_reference(void **state)
{
    const trial *t = *state;
    sg_backend *backend = NULL;
    bool ran = false;
    expect_ok(op_backend_open(t->backend, &backend));
    sg_err err = op_compare(backend, t->type, t->row, &ran);
    sg_backend_close(backend);
    expect_ok(err);
    if (!ran) {
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
    size_t trials = op_backend_count() * 2 * op_case_count, count = 0;
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
