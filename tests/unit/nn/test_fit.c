/* The batch that is said to fit does, and one more does not: plans of every batch are made. */
#include "nets.h"

#include "nn/fit.h"

enum { MOST = 9 };

static void the_largest_batch_is_found(void **state)
{
    for (int i = 0; i < NETS; i++) {
        sg_graph *graph = net_number(i), *with;
        size_t bytes[MOST + 1] = {0};
        must(sg_graph_with_loss(graph, &with));
        sg_shape input = {1, 16, 16, sg_graph_input_channels(graph)};
        for (int mode = SG_PLAN_TRAINING; mode <= SG_PLAN_RECOMPUTE; mode++) {
            for (input.n = 1; input.n <= MOST; input.n++) {
                sg_plan *plan;
                must(sg_plan_create(with, input, SG_F32, (sg_plan_mode)mode, &plan));
                bytes[input.n] = plan->arena_bytes;
                assert_true(bytes[input.n] > bytes[input.n - 1]);
                sg_plan_close(plan);
            }
            for (int64_t n = 1; n <= MOST; n++) {
                const sg_plan_request request = {with, input, SG_F32, (sg_plan_mode)mode, NULL};
                assert_int_equal(sg_fitting_batch(&request, bytes[n], MOST), n);
                assert_int_equal(sg_fitting_batch(&request, bytes[n] - 1, MOST), n - 1);
            }
        }
        sg_graph_close(graph);
        sg_graph_close(with);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_largest_batch_is_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
