/* Optimizer steps against values worked out by hand from the papers' formulas, in f64. */
#include "runner.h"

#include <math.h>
#include "nn/update.h"

enum { COUNT = 5 };
static const float start[COUNT] = {1, -2, .5f, 0, 3};
static const float gradients[3][COUNT] = {
    {.5f, -1, 0, 2, -.25f}, {-.5f, 1.5f, 1, 0, .75f}, {.25f, .25f, -1, 1, 2}};
static const uint8_t decays[COUNT] = {1, 0, 1, 1, 0};

typedef struct {
    double p, m, v;
} number;

/* One step of one number, straight from the formulas. */
static number step_by_hand(const sg_update *u, number x, double gradient, bool decay)
{
    double g = gradient * (double)u->gradient_scale;
    double lambda = decay ? (double)u->decay : 0, rate = (double)u->rate;
    if (u->rule == SG_SGD) {
        g += lambda * x.p;
        x.m = u->step == 1 ? g : (double)u->momentum * x.m + g;
        x.p -= rate * (u->nesterov ? g + (double)u->momentum * x.m : x.m);
        return x;
    }
    double b1 = (double)u->beta1, b2 = (double)u->beta2;
    if (u->rule == SG_ADAM)
        g += lambda * x.p;
    else
        x.p -= rate * lambda * x.p;
    x.m = b1 * x.m + (1 - b1) * g;
    x.v = b2 * x.v + (1 - b2) * g * g;
    double m_hat = x.m / (1 - pow(b1, (double)u->step));
    double v_hat = x.v / (1 - pow(b2, (double)u->step));
    x.p -= rate * m_hat / (sqrt(v_hat) + (double)u->epsilon);
    return x;
}

static void check_rule(sg_update u)
{
    float p[COUNT], m[COUNT], v[COUNT] = {0};
    number by_hand[COUNT];
    for (int i = 0; i < COUNT; i++) {
        p[i] = start[i];
        m[i] = u.rule == SG_SGD ? NAN : 0; /* SGD's first step does not read it */
        by_hand[i] = (number){(double)start[i], 0, 0};
    }
    for (int s = 0; s < 3; s++) {
        u.step = s + 1;
        sg_update_apply(&u, COUNT, p, gradients[s], m, u.rule == SG_SGD ? NULL : v, decays);
        for (int i = 0; i < COUNT; i++) {
            by_hand[i] = step_by_hand(&u, by_hand[i], (double)gradients[s][i], decays[i]);
            /* a few roundings of f32 */
            assert_true(fabs((double)p[i] - by_hand[i].p) <= 1e-6 * (1 + fabs(by_hand[i].p)));
        }
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
    u = adam;
    check_rule(u);
    u.decay = .1f;
    u.gradient_scale = .25f;
    check_rule(u);
    u.rule = SG_ADAMW;
    check_rule(u);
}

/* The very first steps, in numbers that can be checked in the head. */
static void first_steps_are_the_known_ones(void **state)
{
    float p = 1, g = .5f, m = 0, v = 0;
    uint8_t decay = 1;
    sg_update u = {.rule = SG_SGD, .rate = .1f, .momentum = .9f, .gradient_scale = 1, .step = 1};
    sg_update_apply(&u, 1, &p, &g, &m, NULL, &decay);
    assert_true(fabsf(p - .95f) < 1e-7f && m == .5f);
    u.step = 2; /* m = .45 + .5 */
    sg_update_apply(&u, 1, &p, &g, &m, NULL, &decay);
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
    sg_update_apply(&u, 1, &p, &g, &m, &v, &decay);
    assert_true(fabsf(p - (2 - .002f - .01f)) < 1e-6f); /* Adam's first step is `rate` long */
}

/* Cutting the range anywhere changes no bit. */
static void ranges_are_independent(void **state)
{
    enum { LONG = 1003 };
    float g[LONG], whole[3][LONG], cut[3][LONG];
    uint8_t flags[LONG];
    for (int k = 0; k < 3; k++)
        fill_noise(whole[k], LONG, (uint64_t)k, 0, 1);
    fill_noise(g, LONG, 7, -1, 1);
    for (int i = 0; i < LONG; i++)
        flags[i] = (uint8_t)(noise(8, (uint64_t)i) < .5f);
    memcpy(cut, whole, sizeof cut);
    sg_update u = {SG_ADAMW, .01f, .1f, 0, 0, .9f, .99f, 1e-8f, .5f, 3};
    sg_update_apply(&u, LONG, whole[0], g, whole[1], whole[2], flags);
    for (size_t at = 0, next; at < LONG; at = next) {
        next = at + 1 + (size_t)(100 * noise(9, at));
        next = next > LONG ? LONG : next;
        sg_update_apply(&u, next - at, cut[0] + at, g + at, cut[1] + at, cut[2] + at, flags + at);
    }
    assert_memory_equal(cut, whole, sizeof cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_follow_their_formulas),
        cmocka_unit_test(first_steps_are_the_known_ones),
        cmocka_unit_test(ranges_are_independent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
