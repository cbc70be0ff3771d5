/* Random numbers: the published vectors, uniformity, and that permutations are permutations. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "base/size.h"

static void expect(uint64_t seed, uint32_t stream, uint64_t a, uint32_t b, const uint32_t want[4])
{
    sg_random4 r = sg_random(seed, (sg_stream)stream, a, b);
    assert_memory_equal(r.v, want, sizeof r.v);
}

/* Known answers of philox4x32-10 from Random123's kat_vectors. */
static void matches_the_published_vectors(void **state)
{
    static const uint32_t zeros[] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
    static const uint32_t ones[] = {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd};
    static const uint32_t pi[] = {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1};
    expect(0, 0, 0, 0, zeros);
    expect(UINT64_MAX, UINT32_MAX, UINT64_MAX, UINT32_MAX, ones);
    expect(0x299f31d0a4093822u, 0x03707344, 0x85a308d3243f6a88u, 0x13198a2e, pi);
}

static void uniform_stays_below_one(void **state)
{
    assert_true(sg_uniform(0) == 0);
    assert_true(sg_uniform(UINT32_MAX) < 1);
    assert_true(sg_uniform(0x80000000u) == .5f);
}

static void below_reaches_every_value_and_no_other(void **state)
{
    assert_int_equal(sg_below(0, 7), 0);
    assert_int_equal(sg_below(UINT32_MAX, 7), 6);
    assert_int_equal(sg_below(UINT32_MAX, 1), 0);
    int count[7] = {0};
    for (uint32_t i = 0; i < 7000; i++) {
        count[sg_below(sg_random(3, SG_STREAM_CROP, i, 0).v[0], 7)]++;
    }
    for (int i = 0; i < 7; i++) {
        assert_in_range(count[i], 850, 1150); /* 5 standard deviations about 1000 */
    }
}

static void normal_has_mean_0_and_deviation_1(void **state)
{
    double sum = 0, squares = 0;
    enum { N = 100000 };
    for (uint32_t i = 0; i < N / 2; i++) {
        float pair[2];
        sg_random4 r = sg_random(1, SG_STREAM_INIT, i, 0);
        sg_normal2(r.v[0], r.v[1], pair);
        sum += pair[0] + pair[1];
        squares += pair[0] * pair[0] + pair[1] * pair[1];
    }
    assert_true(fabs(sum / N) < 5 / sqrt(N));
    assert_true(fabs(squares / N - 1) < 5 * sqrt(2.0 / N));
    float extreme[2];
    sg_normal2(0, 0, extreme);
    assert_true(isfinite(extreme[0]) && isfinite(extreme[1]));
}

static void is_permutation(uint64_t n, uint64_t epoch)
{
    uint8_t *seen = NULL;
    assert_int_equal(sg_calloc(n, 1, &seen), SG_OK);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t p = sg_permute(42, SG_STREAM_ORDER, epoch, i, n);
        assert_true(p < n);
        assert_int_equal(seen[p]++, 0);
    }
    sg_free(seen);
}

static void permute_takes_each_element_once(void **state)
{
    for (uint64_t n = 1; n < 70; n++) {
        is_permutation(n, n);
    }
    is_permutation(4096, 0);
    is_permutation(4097, 0);
    is_permutation(100003, 7);
    assert_true(sg_permute(1, SG_STREAM_ORDER, 0, (1ull << 62), (1ull << 62) + 1) <= 1ull << 62);
}

static void epochs_and_seeds_give_other_orders(void **state)
{
    int same_epoch = 0, same_seed = 0, fixed = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t p = sg_permute(1, SG_STREAM_ORDER, 0, i, 1000);
        same_epoch += p == sg_permute(1, SG_STREAM_ORDER, 1, i, 1000);
        same_seed += p == sg_permute(2, SG_STREAM_ORDER, 0, i, 1000);
        fixed += p == i;
    }
    assert_true(same_epoch < 10 && same_seed < 10 && fixed < 10); /* 1 is expected of each */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_the_published_vectors),
        cmocka_unit_test(uniform_stays_below_one),
        cmocka_unit_test(below_reaches_every_value_and_no_other),
        cmocka_unit_test(normal_has_mean_0_and_deviation_1),
        cmocka_unit_test(permute_takes_each_element_once),
        cmocka_unit_test(epochs_and_seeds_give_other_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
