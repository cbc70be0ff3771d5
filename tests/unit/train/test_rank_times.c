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

/* In thousandths: what is told is in ms. Rank 1 enters the sums last and spends 10 ms in them. */
static void what_all_ranks_spend_in_sums_is_communication(void **state)
{
    (void)state;
    const double first[] = {.001, .1, .2, .005, .286, .01},
                 second[] = {.003, .1, .2, .015, .286, .02};
    sg_step_times times;
    sg_text text = {0};
    assert_int_equal(sg_step_times_open(&times, 2, 1.5e5), SG_OK);
    assert_int_equal(sg_step_times_add(&times, &text), SG_OK);
    assert_int_equal(sg_step_times_add_ranks(&times, &text), SG_OK);
    assert_null(text.data);
    sg_step_times_note(&times, first, 6);
    assert_int_equal(sg_step_times_add(&times, &text), SG_OK);
    assert_string_equal(text.data, ", \"times\": {\"step\": 6, "
                                   "\"read\": {\"mean\": 3, \"least\": 1, \"most\": 5}, "
                                   "\"compute\": {\"mean\": 193, \"least\": 100, \"most\": 286}, "
                                   "\"wait\": {\"mean\": 95, \"least\": 0, \"most\": 190}, "
                                   "\"communicate\": 10, \"slowest\": 1}");
    sg_text_clear(&text);
    sg_step_times_note(&times, second, 7);
    assert_int_equal(sg_step_times_add_ranks(&times, &text), SG_OK);
    /* 2 x 0.15 Mpx in 204 ms and in 592 ms of reading and computing. */
    assert_string_equal(text.data, ", \"ranks\": {\"0\": {\"mpx_per_s\": 1.471, \"read_ms\": 2, "
                                   "\"compute_ms\": 100, \"sums_ms\": 200}, "
                                   "\"1\": {\"mpx_per_s\": 0.5068, \"read_ms\": 10, "
                                   "\"compute_ms\": 286, \"sums_ms\": 15}}");
    sg_text_clear(&text);
    assert_int_equal(sg_step_times_add_ranks(&times, &text), SG_OK); /* they were told */
    assert_null(text.data);
    sg_step_times_close(&times);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_slowest_rank_is_who_reads_and_computes_longest),
        cmocka_unit_test(one_rank_is_its_own_summary),
        cmocka_unit_test(what_all_ranks_spend_in_sums_is_communication),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
