/* Times over ranks: means, bounds, and who holds the others back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "train/rank_times.h"

static void the_slowest_rank_is_who_reads_and_computes_longest(void **state)
{
    (void)state;
    /* Rank 1 computes longest, rank 2 is held up by its batches and lets the others wait most. */
    const sg_rank_times all[] = {{1, 4, 3}, {0.5, 5, 2.5}, {4, 3.5, 0.5}, {0.5, 3.5, 4}};
    sg_times_over_ranks t = sg_times_summarize(all, 4);
    assert_int_equal(t.slowest, 2);
    assert_true(t.mean.read == 1.5 && t.least.read == 0.5 && t.most.read == 4);
    assert_true(t.mean.compute == 4 && t.least.compute == 3.5 && t.most.compute == 5);
    assert_true(t.mean.wait == 2.5 && t.least.wait == 0.5 && t.most.wait == 4);
}

static void one_rank_is_its_own_summary(void **state)
{
    (void)state;
    const sg_rank_times one = {1, 2, 0};
    sg_times_over_ranks t = sg_times_summarize(&one, 1);
    assert_int_equal(t.slowest, 0);
    assert_true(t.mean.compute == 2 && t.least.compute == 2 && t.most.compute == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_slowest_rank_is_who_reads_and_computes_longest),
        cmocka_unit_test(one_rank_is_its_own_summary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
