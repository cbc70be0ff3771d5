/* Optimizer steps against values worked out by hand from the papers' formulas, in f64. */
#include "runner.h"

#include <math.h>
#include "nn/update.h"

/* Two tensors, the first of two pieces; only the first decays. */
enum { COUNT = 5, FIRST = 3, PIECES = 3 };
static const float start[COUNT] = {1, -2, .5f, 0, 3};
static const float gradients[3][COUNT] = {
    {.5f, -1, 0, 2, -.25f}, {-.5f, 1.5f, 1, 0, .75f}, {.25f, .25f, -1, 1, 2}};
static const sg_update_piece cut[PIECES] = {
    {0, 1, 0, 2, 1, 1}, {1, 2, 0, 2, 1, 1}, {3, 2, 2, 1, .5f, 0}};

static void step_pieces(const sg_update *u, const sg_update_piece *piece, int pieces, float *p,
                        const float *g, float *m, float *v)
{
    double norms[2 * PIECES];
    const sg_update_arrays arrays = {p, g, m, v, piece, pieces, norms};
    if (sg_update_sums(u))
        sg_update_sum(u, &arrays, 0, pieces);
    sg_update_apply(u, &arrays, 0, pieces);
}

static double norm(const double *x, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += x[i] * x[i];
    return sqrt(sum);
}

/* One step of one tensor, straight from the formulas. */
static void step_by_hand(const sg_update *u, int count, double *p, double *m, double *v,
                         const float *gradient, double factor, bool decay)
{
    double lambda = decay ? (double)u->decay : 0, rate = (double)u->rate * factor;
    double b1 = (double)u->beta1, b2 = (double)u->beta2, mu = (double)u->momentum;
    double g[COUNT], r[COUNT], trust = 1;
    for (int i = 0; i < count; i++)
        g[i] = (double)gradient[i] * (double)u->gradient_scale;
    if (u->rule == SG_LARS && decay && norm(p, count) > 0 && norm(g, count) > 0)
        trust = (double)u->trust * norm(p, count) / (norm(g, count) + lambda * norm(p, count));
    if (u->rule == SG_SGD || u->rule == SG_LARS) {
        for (int i = 0; i < count; i++) {
            g[i] = trust * (g[i] + lambda * p[i]);
            m[i] = u->step == 1 ? g[i] : mu * m[i] + g[i];
            p[i] -= rate * (u->nesterov ? g[i] + mu * m[i] : m[i]);
        }
        return;
    }
    for (int i = 0; i < count; i++) {
        if (u->rule == SG_ADAM)
            g[i] += lambda * p[i];
        m[i] = b1 * m[i] + (1 - b1) * g[i];
        v[i] = b2 * v[i] + (1 - b2) * g[i] * g[i];
        r[i] = m[i] / (1 - pow(b1, (double)u->step)) /
               (sqrt(v[i] / (1 - pow(b2, (double)u->step))) + (double)u->epsilon);
        if (u->rule != SG_ADAM)
            r[i] += lambda * p[i];
    }
    if (u->rule == SG_LAMB && decay && norm(p, count) > 0 && norm(r, count) > 0)
        trust = norm(p, count) / norm(r, count);
    for (int i = 0; i < count; i++)
        p[i] -= rate * trust * r[i];
}

static void check_rule(sg_update u)
{
    bool two = u.rule == SG_SGD || u.rule == SG_LARS; /* their first step does not read m */
    float p[COUNT], m[COUNT], v[COUNT] = {0};
    double by_hand[3][COUNT] = {{0}};
    for (int i = 0; i < COUNT; i++) {
        p[i] = start[i];
        m[i] = two ? NAN : 0;
        by_hand[0][i] = (double)start[i];
    }
    for (int s = 0; s < 3; s++) {
        u.step = s + 1;
        step_pieces(&u, cut, PIECES, p, gradients[s], m, two ? NULL : v);
        step_by_hand(&u, FIRST, by_hand[0], by_hand[1], by_hand[2], gradients[s], 1, true);
        step_by_hand(&u, COUNT - FIRST, by_hand[0] + FIRST, by_hand[1] + FIRST, by_hand[2] + FIRST,
                     gradients[s] + FIRST, .5, false);
        for (int i = 0; i < COUNT; i++) /* a few roundings of f32 */
            assert_true(fabs((double)p[i] - by_hand[0][i]) <= 1e-6 * (1 + fabs(by_hand[0][i])));
    }
}

static void rules_follow_their_formulas(void **state)
{
    const sg_update sgd = {.rule = SG_SGD, .rate = .1f, .gradient_scale = 1};
    const sg_update adam = {.rule = SG_ADAM,
                            .rate = .01f,
                            .beta1 = .9f,
                            .beta2 = .999f,
                            .epsilon = 1e-8f,
                            .gradient_scale = 1};
    sg_update u = sgd;
    check_rule(u);
    u.momentum = .9f;
    u.decay = .05f;
    check_rule(u);
    u.nesterov = 1;
    u.gradient_scale = .5f;
    check_rule(u);
    u.rule = SG_LARS;
    u.trust = .02f;
    check_rule(u);
    u.nesterov = 0;
    u.decay = 0;
    check_rule(u);
    u = adam;
    check_rule(u);
    u.decay = .1f;
    u.gradient_scale = .25f;
    check_rule(u);
    u.rule = SG_ADAMW;
    check_rule(u);
    u.rule = SG_LAMB;
    check_rule(u);
    u.decay = 0;
    check_rule(u);
}

/* The very first steps, in numbers that can be checked in the head. */
static void first_steps_are_the_known_ones(void **state)
{
    const sg_update_piece one = {0, 1, 0, 1, 1, 1};
    float p = 1, g = .5f, m = 0, v = 0;
    sg_update u = {.rule = SG_SGD, .rate = .1f, .momentum = .9f, .gradient_scale = 1, .step = 1};
    step_pieces(&u, &one, 1, &p, &g, &m, NULL);
    assert_true(fabsf(p - .95f) < 1e-7f && m == .5f);
    u.step = 2; /* m = .45 + .5 */
    step_pieces(&u, &one, 1, &p, &g, &m, NULL);
    assert_true(fabsf(p - .855f) < 1e-6f && fabsf(m - .95f) < 1e-7f);
    u = (sg_update){.rule = SG_ADAMW,
                    .rate = .01f,
                    .decay = .1f,
                    .beta1 = .9f,
                    .beta2 = .999f,
                    .epsilon = 1e-8f,
                    .gradient_scale = 1,
                    .step = 1};
    p = 2;
    m = v = 0;
    step_pieces(&u, &one, 1, &p, &g, &m, &v);
    assert_true(fabsf(p - (2 - .002f - .01f)) < 1e-6f); /* Adam's first step is `rate` long */
    u.rule = SG_LAMB;
    p = 2;
    m = v = 0;
    step_pieces(&u, &one, 1, &p, &g, &m, &v);
    assert_true(fabsf(p - (2 - .02f)) < 1e-6f); /* LAMB's is `rate` times the tensor's norm */
    u = (sg_update){.rule = SG_LARS, .rate = 1, .trust = .01f, .gradient_scale = 1, .step = 1};
    p = 2;
    step_pieces(&u, &one, 1, &p, &g, &m, NULL);
    assert_true(fabsf(p - (2 - .02f)) < 1e-6f); /* and so is LARS's, times trust */
}

/* Cutting tensors and sharing out pieces otherwise changes no bit of the rules without sums. */
static void pieces_are_independent(void **state)
{
    enum { LONG = 1003 };
    float g[LONG], whole[3][LONG], parts[3][LONG];
    for (int k = 0; k < 3; k++)
        fill_noise(whole[k], LONG, (uint64_t)k, 0, 1);
    fill_noise(g, LONG, 7, -1, 1);
    memcpy(parts, whole, sizeof parts);
    const sg_update u = {.rule = SG_ADAMW,
                         .rate = .01f,
                         .decay = .1f,
                         .beta1 = .9f,
                         .beta2 = .99f,
                         .epsilon = 1e-8f,
                         .gradient_scale = .5f,
                         .step = 3};
    const sg_update_piece all = {0, LONG, 0, 1, 1, 1};
    step_pieces(&u, &all, 1, whole[0], g, whole[1], whole[2]);
    for (uint32_t at = 0, next; at < LONG; at = next) {
        next = at + 1 + (uint32_t)(100 * noise(9, at));
        next = next > LONG ? LONG : next;
        const sg_update_piece piece = {at, next - at, 0, 1, 1, 1};
        step_pieces(&u, &piece, 1, parts[0], g, parts[1], parts[2]);
    }
    assert_memory_equal(parts, whole, sizeof parts);
}

/* A frozen tensor keeps every bit, its moments too, and counts in no other's norm. */
static void frozen_tensors_stay(void **state)
{
    for (int rule = SG_SGD; rule <= SG_LAMB; rule++) {
        const sg_update u = {.rule = (sg_update_rule)rule,
                             .rate = .1f,
                             .decay = .1f,
                             .momentum = .9f,
                             .beta1 = .9f,
                             .beta2 = .99f,
                             .epsilon = 1e-8f,
                             .trust = .1f,
                             .gradient_scale = 1,
                             .step = 2};
        const sg_update_piece piece[2] = {{0, 3, 0, 1, 0, 1}, {3, 2, 1, 1, 1, 1}};
        float p[COUNT], m[COUNT] = {1, 2, 3, 4, 5}, v[COUNT] = {5, 4, 3, 2, 1};
        memcpy(p, start, sizeof p);
        step_pieces(&u, piece, 2, p, gradients[0], m, v);
        assert_memory_equal(p, start, 3 * sizeof *p);
        assert_true(m[0] == 1 && m[1] == 2 && m[2] == 3 && v[0] == 5);
        assert_true(p[4] != start[4]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_follow_their_formulas),
        cmocka_unit_test(first_steps_are_the_known_ones),
        cmocka_unit_test(pieces_are_independent),
        cmocka_unit_test(frozen_tensors_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
