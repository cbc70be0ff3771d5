/*
 * A sample's prediction has the same bits alone and in any batch, on every backend and in every
 * number format that it offers. Exact tiling rests on it. So does the dropout mask of training.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "base/size.h"
#include "op/harness.h"

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

/* The problem cut down to one of its samples; inputs are moved, not copied. */
static void keep_sample(op_problem *p, int64_t sample)
{
    for (int k = 0; k < p->row->inputs; k++) {
        size_t count = sg_shape_count(p->in[k]) / (size_t)p->in[k].n;
        memmove(p->value[k], p->value[k] + (size_t)sample * count, count * sizeof(float));
        p->in[k].n = 1;
    }
    p->out.n = 1;
}

static void expect_same_sample(sg_backend *backend, const trial *t, const op_options *options,
                               const op_result *whole, int64_t sample)
{
    op_problem p;
    op_result alone = {0};
    op_options own = *options;
    own.run.first_sample += (uint64_t)sample;
    expect_ok(op_problem_create(t->row, t->type == SG_BF16, &p));
    keep_sample(&p, sample);
    expect_ok(op_run(backend, &p, &own, &alone));
    size_t count = sg_shape_count(p.out);
    assert_memory_equal(alone.out, whole->out + (size_t)sample * count, count * sizeof(float));
    op_result_close(&alone);
    op_problem_close(&p);
}

static void sample_is_independent_of_its_batch(void **state)
{
    const trial *t = *state;
    sg_backend *backend = NULL;
    op_problem p;
    op_result whole = {0};
    op_options options = {.type = t->type, .training = t->row->op == SG_OP_dropout};
    options.run = (sg_run){.seed = 5, .step = 6, .first_sample = 70};
    expect_ok(op_backend_open(t->backend, &backend));
    expect_ok(op_problem_create(t->row, t->type == SG_BF16, &p));
    sg_err err = backend->supports(backend, t->type) ? op_run(backend, &p, &options, &whole)
                                                     : SG_EUNSUPPORTED;
    for (int64_t n = 0; !err && n < p.out.n; n++)
        expect_same_sample(backend, t, &options, &whole, n);
    op_result_close(&whole);
    op_problem_close(&p);
    sg_backend_close(backend);
    if (err == SG_EUNSUPPORTED && t->type == SG_BF16)
        skip();
    expect_ok(err);
}

static bool has_batch(const op_case *row)
{
    return row->inputs > 0 && row->in[0].n > 1 && row->labels == OP_LABELS_NONE;
}

int main(void)
{
    size_t most = op_backend_count() * 2 * op_case_count, count = 0;
    struct CMUnitTest *tests = NULL;
    trial *t = NULL;
    if (sg_calloc(most, sizeof *tests, &tests) || sg_calloc(most, sizeof *t, &t))
        return 1;
    for (size_t i = 0; i < most; i++) {
        t[i].row = &op_cases[i % op_case_count];
        t[i].type = i / op_case_count % 2 ? SG_BF16 : SG_F32;
        t[i].backend = op_backend_names[i / op_case_count / 2];
        snprintf(t[i].name, sizeof t[i].name, "%s, %s, %s", t[i].backend, sg_dtype_name(t[i].type),
                 t[i].row->name);
        if (has_batch(t[i].row))
            tests[count++] = (struct CMUnitTest){t[i].name, sample_is_independent_of_its_batch,
                                                 NULL, NULL, &t[i]};
    }
    int failed = _cmocka_run_group_tests("batches", tests, count, NULL, NULL);
    sg_free(tests);
    sg_free(t);
    return failed != 0;
}
