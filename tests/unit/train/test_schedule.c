/* Learning-rate schedules at their corners. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "train/schedule.h"

#define assert_rate(schedule, step, expected)                                                      \
    assert_true(fabs(sg_schedule_rate(schedule, step) - (expected)) < 1e-12)

static void a_constant_rate_stays(void **state)
{
    const sg_schedule s = {.kind = SG_RATE_CONSTANT, .base = 0.3, .steps = 10};
    assert_rate(&s, 0, 0.3);
    assert_rate(&s, 1000, 0.3);
}

static void steps_multiply_by_gamma(void **state)
{
    const sg_schedule s = {.kind = SG_RATE_STEP, .base = 1, .steps = 100, .every = 10, .gamma = .5};
    assert_rate(&s, 0, 1);
    assert_rate(&s, 9, 1);
    assert_rate(&s, 10, .5);
    assert_rate(&s, 35, .125);
}

static void poly_falls_to_zero_at_the_end(void **state)
{
    const sg_schedule s = {.kind = SG_RATE_POLY, .base = 2, .steps = 100, .power = .9};
    assert_rate(&s, 0, 2);
    assert_rate(&s, 50, 2 * pow(.5, .9));
    assert_rate(&s, 100, 0);
    assert_rate(&s, 200, 0);
}

static void cosine_goes_from_base_to_floor_after_warm_up(void **state)
{
    const sg_schedule s = {
        .kind = SG_RATE_COSINE, .base = 1, .floor = .1, .steps = 110, .warmup = 10};
    assert_rate(&s, 10, 1);
    assert_rate(&s, 60, .55);
    assert_rate(&s, 110, .1);
    assert_rate(&s, 500, .1);
}

static void warm_up_is_linear_for_every_kind(void **state)
{
    for (int kind = SG_RATE_CONSTANT; kind <= SG_RATE_COSINE; kind++) {
        const sg_schedule s = {.kind = (sg_rate_kind)kind,
                               .base = 1,
                               .steps = 100,
                               .warmup = 4,
                               .warmup_start = .2,
                               .every = 10,
                               .gamma = .5,
                               .power = 1};
        assert_rate(&s, 0, .2);
        assert_rate(&s, 1, .4);
        assert_rate(&s, 3, .8);
    }
}

static void a_warm_up_as_long_as_the_run_is_harmless(void **state)
{
    const sg_schedule s = {.kind = SG_RATE_COSINE, .base = 1, .steps = 10, .warmup = 10};
    assert_true(isfinite(sg_schedule_rate(&s, 9)));
    assert_rate(&s, 10, 0);
}

/* Values of torch.optim.lr_scheduler.OneCycleLR(AdamW, 2e-3, total_steps=20, pct_start=.3): rate
 * and beta1 of each step. */
static void one_cycle_is_that_of_pytorch(void **state)
{
    const sg_schedule s = {.kind = SG_RATE_ONECYCLE, .base = 2e-3, .steps = 20, .warmup = 6};
    static const double rate[20] = {
        7.9999999999999993e-05, 0.00026334368540005038, 0.00074334368540005056,
        0.0013366563145999495,  0.0018166563145999494,  0.002,
        0.001974928012470175,   0.0019009692640269472,  0.0017818323551420999,
        0.0016234913078995261,  0.0014338860035826015,  0.0012225240438725783,
        0.0010000039999999999,  0.00077748395612742152, 0.0005661219964173984,
        0.00037651669210047396, 0.00021817564485790005, 9.9038735973052571e-05,
        2.5079987529825107e-05, 8.0000000000000005e-09,
    };
    static const double beta1[20] = {
        0.94999999999999996, 0.94045084971874737, 0.91545084971874735, 0.88454915028125258,
        0.85954915028125256, 0.84999999999999998, 0.8512536043909088,  0.85495155660487898,
        0.86090842587659844, 0.86882550990706331, 0.87830581304412203, 0.88887395330218422,
        0.89999999999999991, 0.91112604669781572, 0.9216941869558779,  0.93117449009293662,
        0.9390915741234015,  0.94504844339512095, 0.94874639560909113, 0.94999999999999996,
    };
    for (int i = 0; i < 20; i++) {
        assert_true(fabs(sg_schedule_rate(&s, i) - rate[i]) < 1e-12);
        assert_true(fabs(sg_schedule_momentum(&s, i, .5) - beta1[i]) < 1e-12);
    }
    const sg_schedule cosine = {.kind = SG_RATE_COSINE, .base = 1, .steps = 10};
    assert_true(sg_schedule_momentum(&cosine, 3, .5) == .5);
    const sg_schedule odd = {.kind = SG_RATE_ONECYCLE, .base = 1, .steps = 1, .warmup = 0};
    assert_true(isfinite(sg_schedule_rate(&odd, 0)) && isfinite(sg_schedule_rate(&odd, 5)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_constant_rate_stays),
        cmocka_unit_test(steps_multiply_by_gamma),
        cmocka_unit_test(poly_falls_to_zero_at_the_end),
        cmocka_unit_test(cosine_goes_from_base_to_floor_after_warm_up),
        cmocka_unit_test(warm_up_is_linear_for_every_kind),
        cmocka_unit_test(one_cycle_is_that_of_pytorch),
        cmocka_unit_test(a_warm_up_as_long_as_the_run_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
