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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_constant_rate_stays),
        cmocka_unit_test(steps_multiply_by_gamma),
        cmocka_unit_test(poly_falls_to_zero_at_the_end),
        cmocka_unit_test(cosine_goes_from_base_to_floor_after_warm_up),
        cmocka_unit_test(warm_up_is_linear_for_every_kind),
        cmocka_unit_test(a_warm_up_as_long_as_the_run_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
