/*
 * A whole network on the emulated GPU: training and prediction against the reference, and what a
 * full memory is answered with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "cuda/cuda.h"
#include "nn/exec.h"
#include "op/calls.h"
#include "op/network.h"

static const sg_cuda_options options = {.local_rank = 0};

static void expect_ok(sg_err err)
{
    if (err)
        fail_msg("%s", sg_error_text());
}

static void losses_follow_the_reference(void **state)
{
    sg_backend *backend = NULL;
    expect_ok(sg_cuda_open(&backend, &options));
    expect_ok(op_compare_training(backend, SG_F32));
    expect_ok(op_compare_training(backend, SG_BF16));
    expect_ok(op_compare_recordings(backend, SG_F32));
    expect_ok(op_compare_recordings(backend, SG_BF16));
    sg_backend_close(backend);
}

static void predictions_are_those_of_the_reference(void **state)
{
    sg_backend *backend = NULL;
    expect_ok(sg_cuda_open(&backend, &options));
    expect_ok(op_compare_prediction(backend));
    sg_backend_close(backend);
}

static void side_by_side_there_are_the_same_bits(void **state)
{
    sg_backend *backend = NULL;
    expect_ok(sg_cuda_open(&backend, &options));
    expect_ok(op_compare_beside(backend, SG_F32));
    expect_ok(op_compare_beside(backend, SG_BF16));
    sg_backend_close(backend);
}

static void calls_are_those_of_the_reference(void **state)
{
    sg_backend *backend = NULL;
    expect_ok(sg_cuda_open(&backend, &options));
    expect_ok(op_compare_calls(backend));
    sg_backend_close(backend);
}

static sg_graph *one_convolution(void)
{
    sg_graph *graph = NULL;
    int32_t at;
    expect_ok(sg_graph_create(&graph));
    expect_ok(sg_graph_input(graph, 4, &at));
    expect_ok(sg_graph_conv(graph, "conv", at, 16, 3, 1, 1, 0, &at));
    expect_ok(sg_graph_freeze(graph));
    return graph;
}

/* A sample of 256 x 256 takes 1 MiB in and 4 MiB out. */
static sg_err run_batch(sg_backend *backend, const sg_graph *graph, sg_weights *weights, int64_t n)
{
    sg_exec *exec = NULL;
    sg_err err = sg_exec_create(backend, graph, weights, (sg_shape){n, 256, 256, 4}, SG_F32,
                                SG_PLAN_INFERENCE, &exec);
    sg_exec_close(exec);
    return err;
}

static void a_full_memory_is_told_with_the_batch_that_fits(void **state)
{
    sg_backend *backend = NULL;
    sg_graph *graph = one_convolution();
    sg_params *params = NULL;
    sg_weights *weights = NULL;
    setenv("SEGTILES_EMULATED_MIB", "64", 1);
    expect_ok(sg_cuda_open(&backend, &options));
    expect_ok(sg_params_create(graph, &params));
    expect_ok(sg_weights_create(backend, params, false, &weights));
    assert_int_equal(run_batch(backend, graph, weights, 100), SG_ENOMEM);
    assert_non_null(strstr(sg_error_text(), "no memory for the 500 MiB"));
    assert_non_null(strstr(sg_error_text(), "a batch of 11 would fit"));
    setenv("SEGTILES_EMULATED_MIB", "3", 1); /* not even one */
    assert_int_equal(run_batch(backend, graph, weights, 100), SG_ENOMEM);
    assert_non_null(strstr(sg_error_text(), "use a smaller tile"));
    setenv("SEGTILES_EMULATED_MIB", "4096", 1);
    expect_ok(run_batch(backend, graph, weights, 11)); /* and the backend goes on */
    sg_weights_close(weights);
    sg_params_close(params);
    sg_graph_close(graph);
    sg_backend_close(backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_those_of_the_reference),
        cmocka_unit_test(losses_follow_the_reference),
        cmocka_unit_test(predictions_are_those_of_the_reference),
        cmocka_unit_test(side_by_side_there_are_the_same_bits),
        cmocka_unit_test(a_full_memory_is_told_with_the_batch_that_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
