/*
 * Batch norm with statistics summed over ranks: two ranks with parts of a batch get what one rank
 * with the whole batch gets. Ranks are threads here, each with its own backend.
 */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "op/harness.h"

enum { RANKS = 2, MOST_VALUES = 1024 };

/* Sums over both ranks: everybody adds, waits, reads, waits. */
typedef struct {
    pthread_barrier_t barrier;
    pthread_mutex_t lock;
    double sum[MOST_VALUES];
    size_t count[RANKS]; /* of values, in the calls so far */
} meeting;

typedef struct {
    meeting *meeting;
    const char *backend;
    op_problem problem;
    op_result result;
    sg_err err;
    int rank;
} rank_state;

static void reduce(void *user, double *values, size_t count)
{
    rank_state *r = user;
    meeting *m = r->meeting;
    SG_ASSERT(count <= MOST_VALUES);
    m->count[r->rank] += count;
    pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < count; i++)
        m->sum[i] += values[i];
    pthread_mutex_unlock(&m->lock);
    pthread_barrier_wait(&m->barrier);
    memcpy(values, m->sum, count * sizeof *values);
    if (pthread_barrier_wait(&m->barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
        memset(m->sum, 0, sizeof m->sum);
    pthread_barrier_wait(&m->barrier);
}

static void *run_rank(void *user)
{
    rank_state *r = user;
    sg_backend *backend = NULL;
    op_options options = {.type = SG_F32, .training = 1, .write = SG_GRAD_STORE};
    options.run.reduce = reduce;
    options.run.reduce_user = r;
    r->err = op_backend_open(r->backend, &backend);
    if (!r->err)
        r->err = op_run(backend, &r->problem, &options, &r->result);
    sg_backend_close(backend);
    return NULL;
}

/* Samples [first, first + n) of the case. */
static void cut(op_problem *p, const op_case *row, int64_t first, int64_t n)
{
    assert_int_equal(op_problem_create(row, 0, p), SG_OK);
    size_t sample = sg_shape_count(p->in[0]) / (size_t)p->in[0].n;
    size_t from = (size_t)first * sample, count = (size_t)n * sample;
    memmove(p->value[0], p->value[0] + from, count * sizeof(float));
    memmove(p->grad_out, p->grad_out + from, count * sizeof(float));
    p->in[0].n = p->out.n = n;
}

static void expect_near(const float *got, const float *wanted, size_t count)
{
    /* sums of some 100 values in another order, then one rounding */
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(got[i] - wanted[i]) <= 2e-5f * (1 + fabsf(wanted[i]))))
            fail_msg("element %zu: %.9g, one rank has %.9g", i, (double)got[i], (double)wanted[i]);
}

static void expect_parts_of(const rank_state *r, const op_result *whole, size_t sample)
{
    size_t first = 0;
    float sum[2][64] = {{0}};
    size_t c = (size_t)r[0].problem.out.c;
    for (int k = 0; k < RANKS; k++) {
        size_t count = sg_shape_count(r[k].problem.out);
        expect_near(r[k].result.out, whole->out + first * sample, count);
        expect_near(r[k].result.grad_in[0], whole->grad_in[0] + first * sample, count);
        expect_near(r[k].result.state[2], whole->state[2], c);
        expect_near(r[k].result.state[3], whole->state[3], c);
        for (size_t j = 0; j < c; j++) {
            sum[0][j] += r[k].result.param_grad[0][j];
            sum[1][j] += r[k].result.param_grad[1][j];
        }
        first += count / sample;
    }
    /* a rank's parameter gradients are its own part */
    expect_near(sum[0], whole->param_grad[0], c);
    expect_near(sum[1], whole->param_grad[1], c);
}

static void ranks_share_statistics(const char *backend, const op_case *row)
{
    rank_state r[RANKS];
    pthread_t thread[RANKS];
    meeting m = {.lock = PTHREAD_MUTEX_INITIALIZER};
    sg_backend *alone = NULL;
    op_problem p;
    op_result whole = {0};
    op_options options = {.type = SG_F32, .training = 1, .write = SG_GRAD_STORE};
    assert_int_equal(op_backend_open(backend, &alone), SG_OK);
    assert_int_equal(op_problem_create(row, 0, &p), SG_OK);
    assert_int_equal(op_run(alone, &p, &options, &whole), SG_OK);
    pthread_barrier_init(&m.barrier, NULL, RANKS);
    for (int k = 0; k < RANKS; k++) { /* uneven parts: 1 sample and the rest */
        r[k] = (rank_state){.meeting = &m, .backend = backend, .rank = k};
        cut(&r[k].problem, row, k, k ? p.in[0].n - 1 : 1);
        assert_int_equal(pthread_create(&thread[k], NULL, run_rank, &r[k]), 0);
    }
    for (int k = 0; k < RANKS; k++) {
        pthread_join(thread[k], NULL);
        assert_int_equal(r[k].err, SG_OK);
    }
    assert_true(m.count[0] > 0); /* the hook was called, alike on both */
    assert_int_equal(m.count[0], m.count[1]);
    expect_parts_of(r, &whole, sg_shape_count(p.out) / (size_t)p.out.n);
    for (int k = 0; k < RANKS; k++) {
        op_result_close(&r[k].result);
        op_problem_close(&r[k].problem);
    }
    pthread_barrier_destroy(&m.barrier);
    op_result_close(&whole);
    op_problem_close(&p);
    sg_backend_close(alone);
}

static void statistics_are_those_of_all_ranks(void **state)
{
    int runs = 0;
    for (size_t b = 0; b < op_backend_count(); b++) {
        for (size_t i = 0; i < op_case_count; i++) {
            const op_case *row = &op_cases[i];
            if (row->op != SG_OP_batch_norm || row->in[0].n < 2 || row->values == OP_VALUES_OFFSET)
                continue;
            ranks_share_statistics(op_backend_names[b], row);
            runs++;
        }
    }
    assert_true(runs >= 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(statistics_are_those_of_all_ranks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
