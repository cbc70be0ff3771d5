/* The dropout mask: its rate, its scale, and what it is and is not a function of. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "op/harness.h"

static const op_case row = {.name = "dropout: wide",
                            .op = SG_OP_dropout,
                            .attr.dropout.rate = .3f,
                            .inputs = 1,
                            .in = {{2, 32, 32, 8}}};

typedef struct {
    sg_backend *backend;
    op_problem problem;
} fixture;

static void open_fixture(fixture *f, const char *backend)
{
    assert_int_equal(op_backend_open(backend, &f->backend), SG_OK);
    assert_int_equal(op_problem_create(&row, 0, &f->problem), SG_OK);
    for (size_t i = 0; i < sg_shape_count(f->problem.in[0]); i++) {
        f->problem.value[0][i] = 1;
        f->problem.grad_out[i] = 2;
    }
}

static void close_fixture(fixture *f)
{
    op_problem_close(&f->problem);
    sg_backend_close(f->backend);
}

static op_result run(fixture *f, uint64_t seed, uint64_t step, uint64_t first_sample)
{
    op_result result;
    op_options options = {.type = SG_F32, .training = 1, .write = SG_GRAD_STORE};
    options.run = (sg_run){.seed = seed, .step = step, .first_sample = first_sample};
    assert_int_equal(op_run(f->backend, &f->problem, &options, &result), SG_OK);
    return result;
}

/* The share of elements in which two masks agree; .58 for independent ones of rate .3. */
static double agreement(const op_result *a, const op_result *b, size_t count)
{
    size_t same = 0;
    for (size_t i = 0; i < count; i++)
        same += a->out[i] == b->out[i];
    return (double)same / (double)count;
}

static void rate_and_scale_are_right(void **state)
{
    for (size_t b = 0; b < op_backend_count(); b++) {
        fixture f;
        open_fixture(&f, op_backend_names[b]);
        op_result r = run(&f, 1, 2, 0);
        size_t count = sg_shape_count(f.problem.out), dropped = 0;
        for (size_t i = 0; i < count; i++) {
            dropped += r.out[i] == 0;
            assert_true(r.out[i] == 0 || r.out[i] == 1 / (1 - .3f));
            assert_true(r.grad_in[0][i] == 2 * r.out[i]); /* the same mask */
        }
        /* 16384 elements: a deviation of sqrt(.21 / 16384) = .0036; five of them */
        assert_true(fabs((double)dropped / (double)count - .3) < .018);
        op_result_close(&r);
        close_fixture(&f);
    }
}

static void mask_depends_on_seed_step_sample_and_node(void **state)
{
    for (size_t b = 0; b < op_backend_count(); b++) {
        fixture f;
        open_fixture(&f, op_backend_names[b]);
        size_t count = sg_shape_count(f.problem.out);
        op_result first = run(&f, 1, 2, 0);
        for (int k = 0; k < 4; k++) {
            if (k == 3)
                f.problem.node.output++; /* another dropout in the network */
            op_result other = run(&f, 1 + (k == 0), 2 + (k == 1), k == 2 ? 2 : 0);
            assert_true(fabs(agreement(&first, &other, count) - .58) < .02);
            op_result_close(&other);
        }
        assert_true(memcmp(first.out, first.out + count / 2, count / 2 * sizeof(float)) != 0);
        op_result_close(&first);
        close_fixture(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rate_and_scale_are_right),
        cmocka_unit_test(mask_depends_on_seed_step_sample_and_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
