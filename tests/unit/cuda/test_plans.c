/*
 * What cuDNN itself says to our convolutions, for an H100 that need not be there: cuDNN makes plans
 * for a GPU that is described to it. Engines that are compiled when they are chosen (those that
 * fuse) need a driver, so only graphs that have ready-made engines are asked for. Nothing is run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <stdlib.h>
#include "cuda/cudnn_private.h"

/* An H100 SXM, in the words of cuDNN's own description. */
static const char h100[] =
    "{\"schemaVersion\":4,\"cudnnVersion\":91900,\"deviceName\":\"NVIDIA H100 80GB HBM3\","
    "\"maxGridSize\":[2147483647,65535,65535],\"maxBlockSize\":[1024,1024,64],"
    "\"regsPerBlock\":65536,\"multiProcessorCount\":132,\"warpSize\":32,"
    "\"maxSharedMemoryPerBlock\":49152,\"maxSharedMemoryPerBlockOptin\":232448,"
    "\"reservedSharedMemoryPerBlock\":1024,\"maxRegistersPerSM\":65536,\"maxCtasPerSM\":32,"
    "\"maxThreadsPerBlock\":1024,\"maxThreadsPerSM\":2048,\"pciDeviceId\":0,\"isTccDriver\":0,"
    "\"supportCoopLaunch\":1,\"totalGlobalMem\":85045149696,\"smClockRateKHz\":1980000,"
    "\"memClockRateKHz\":2619000,\"l2CacheSize\":52428800,\"cudaDeviceId\":0,\"deviceVer\":900,"
    "\"driverVer\":13000}";

static sg_cudnn *open_described(void)
{
    sg_cudnn *cudnn = NULL;
    if (sg_cudnn_describe(h100, &cudnn)) {
        print_message("skipped: %s\n", sg_error_text());
        skip();
    }
    return cudnn;
}

static sg_conv_request window(int64_t n, int64_t size, int64_t from, int64_t to, int64_t kernel,
                              int64_t stride, int64_t dilation)
{
    int64_t pad = stride == kernel ? 0 : dilation * (kernel - 1) / 2;
    int64_t out = (size + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
    return (sg_conv_request){.geometry = {.big = {n, size, size, from},
                                          .small = {n, out, out, to},
                                          .kernel_h = kernel,
                                          .kernel_w = kernel,
                                          .stride_h = stride,
                                          .stride_w = stride,
                                          .dilation_h = dilation,
                                          .dilation_w = dilation,
                                          .pad_h = pad,
                                          .pad_w = pad,
                                          .groups = 1}};
}

static sg_cudnn_plan *expect_taken(sg_cudnn *cudnn, sg_conv_request request, sg_conv_target target,
                                   sg_dtype type, sg_dtype result_type)
{
    sg_cudnn_plan *plan = NULL, *again = NULL;
    request.target = target;
    request.type = type;
    request.result_type = result_type;
    if (sg_cudnn_plan_get(cudnn, &request, &plan))
        fail_msg("target %d of %d to %d channels in %s: %s", (int)target,
                 (int)request.geometry.big.c, (int)request.geometry.small.c, sg_dtype_name(type),
                 sg_error_text());
    assert_int_equal(sg_cudnn_plan_get(cudnn, &request, &again), SG_OK);
    assert_ptr_equal(plan, again); /* made once */
    return plan;
}

static void a_network_of_both_formats_is_taken(void **state)
{
    sg_cudnn *cudnn = open_described();
    const sg_conv_request requests[] = {
        window(8, 256, 8, 64, 3, 1, 1),   window(8, 256, 64, 64, 3, 1, 1),
        window(8, 32, 512, 512, 3, 1, 1), window(8, 64, 128, 256, 1, 1, 1),
        window(8, 128, 64, 128, 2, 2, 1), /* up-sampling: seen from its output */
        window(2, 64, 256, 256, 3, 1, 12)};
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        expect_taken(cudnn, requests[i], SG_CONV_SMALL, SG_BF16, SG_BF16);
        expect_taken(cudnn, requests[i], SG_CONV_BIG, SG_BF16, SG_BF16);
        expect_taken(cudnn, requests[i], SG_CONV_SMALL, SG_F32, SG_F32);
        expect_taken(cudnn, requests[i], SG_CONV_BIG, SG_F32, SG_F32);
        expect_taken(cudnn, requests[i], SG_CONV_FILTER, SG_F32, SG_F32);
    }
    sg_cudnn_close(cudnn);
}

/* The engine for tiles of this size, in prediction. */
static int64_t engine_for(sg_cudnn *cudnn, int64_t n, int64_t size, int64_t from, sg_dtype type)
{
    sg_conv_request request = window(n, size, from, 64, 3, 1, 1);
    request.steady = 1;
    return sg_cudnn_plan_engine(expect_taken(cudnn, request, SG_CONV_SMALL, type, type));
}

static void prediction_has_one_engine_for_all_sizes(void **state)
{
    sg_cudnn *cudnn = open_described();
    for (int64_t from = 8; from <= 512; from *= 8)
        for (sg_dtype type = SG_F32; type <= SG_BF16; type++) {
            int64_t engine = engine_for(cudnn, 1, 512, from, type);
            assert_true(engine >= 0);
            assert_int_equal(engine_for(cudnn, 4, 96, from, type), engine);
            assert_int_equal(engine_for(cudnn, 1, 1008, from, type), engine);
        }
    sg_cudnn_close(cudnn);
}

static void f32_is_rounded_where_tf32_is_asked_for_alone(void **state)
{
    sg_cudnn *cudnn = open_described();
    const sg_conv_target targets[] = {SG_CONV_SMALL, SG_CONV_BIG, SG_CONV_FILTER};
    for (size_t i = 0; i < 3; i++)
        for (int32_t tf32 = 0; tf32 < 2; tf32++) {
            sg_conv_request request = window(8, 64, 128, 128, 3, 1, 1);
            request.tf32 = tf32;
            sg_cudnn_plan *plan = expect_taken(cudnn, request, targets[i], SG_F32, SG_F32);
            assert_int_equal(sg_cudnn_plan_rounds(plan), tf32);
        }
    sg_cudnn_close(cudnn);
}

/* A description that cannot be run is not timed: the first proposal, or what was kept, is taken. */
static void a_choice_that_was_kept_is_taken(void **state)
{
    char folder[] = "plans_XXXXXX", chosen[SG_PLAN_CHOICE_MAX], kept[SG_PLAN_CHOICE_MAX] = "";
    sg_conv_request request = window(8, 64, 128, 128, 3, 1, 1);
    request.type = request.result_type = SG_BF16;
    assert_non_null(mkdtemp(folder));
    setenv("SEGTILES_CACHE", folder, 1);
    sg_cudnn *cudnn = open_described();
    sg_text key = {0};
    sg_cudnn_graph graph;
    sg_cudnn_proposals found;
    sg_cudnn_graph_make(NULL, &request, &graph);
    sg_cudnn_propose(cudnn, &request, &graph, CUDNN_HEUR_MODE_A, &found);
    assert_int_equal(sg_cudnn_key(cudnn, &request, &key), SG_OK);
    for (int i = 1; i < found.count && !*kept; i++) { /* the next one that builds */
        sg_cudnn_plan trial = {.cudnn = cudnn, .request = request};
        if (sg_cudnn_build(&trial, found.config[i]))
            assert_true(sg_cudnn_name(found.config[i], kept));
        sg_cudnn_destroy(trial.plan);
    }
    assert_true(*kept != '\0');
    sg_cudnn_plan *plan = expect_taken(cudnn, request, SG_CONV_SMALL, SG_BF16, SG_BF16);
    assert_true(sg_cudnn_name(plan->config, chosen));
    assert_string_not_equal(chosen, kept);
    sg_plan_cache_keep(cudnn->cache, key.data, kept);
    sg_text_clear(&key);
    sg_cudnn_proposals_clear(&found);
    sg_cudnn_graph_clear(&graph);
    sg_cudnn_close(cudnn);
    cudnn = open_described();
    plan = expect_taken(cudnn, request, SG_CONV_SMALL, SG_BF16, SG_BF16);
    assert_true(sg_cudnn_name(plan->config, chosen));
    assert_string_equal(chosen, kept);
    sg_cudnn_close(cudnn);
    snprintf(chosen, sizeof chosen, "rm -rf '%s'", folder);
    assert_int_equal(system(chosen), 0);
    unsetenv("SEGTILES_CACHE");
}

static void a_word_that_tuning_does_not_know_is_refused(void **state)
{
    sg_cudnn *cudnn = open_described();
    sg_cudnn_close(cudnn);
    setenv("SEGTILES_TUNE", "fast", 1);
    assert_int_equal(sg_cudnn_describe(h100, &cudnn), SG_EUSAGE);
    assert_non_null(strstr(sg_error_text(), "off, same and free"));
    unsetenv("SEGTILES_TUNE");
}

/* NaN stays NaN through a fused relu: cuDNN takes a graph that says so. Engines for it need a
 * driver. */
static void a_fused_relu_that_keeps_nan_can_be_described(void **state)
{
    sg_cudnn_graph graph;
    sg_conv_request request = window(2, 64, 64, 64, 3, 1, 1);
    request.bias = request.relu = 1;
    request.type = request.result_type = SG_BF16;
    sg_cudnn *cudnn = open_described();
    sg_cudnn_graph_make(NULL, &request, &graph);
    assert_int_equal(graph.status, CUDNN_STATUS_SUCCESS);
    sg_cudnn_graph_clear(&graph);
    sg_cudnn_close(cudnn);
}

/* Tensors that lie among other channels are taken by the engine that has them alone, or not at
 * all. */
static void gaps_change_no_engine(void **state)
{
    sg_cudnn *cudnn = open_described();
    const sg_conv_request requests[] = {window(8, 256, 64, 64, 3, 1, 1),
                                        window(8, 64, 128, 256, 1, 1, 1),
                                        window(8, 128, 64, 128, 2, 2, 1)};
    int taken = 0, asked = 0;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++)
        for (int target = SG_CONV_SMALL; target <= SG_CONV_FILTER; target++)
            for (int which = 1; which < 4; which++)
                for (sg_dtype type = SG_F32; type <= SG_BF16; type++) {
                    sg_conv_request request = requests[i];
                    sg_dtype result = target == SG_CONV_FILTER ? SG_F32 : type;
                    sg_cudnn_plan *without = NULL, *with = NULL;
                    request.target = (sg_conv_target)target;
                    request.type = type;
                    request.result_type = result;
                    if (sg_cudnn_plan_get(cudnn, &request, &without))
                        continue; /* what fuses needs a driver */
                    if (which & 1)
                        request.big_pitch = 2 * request.geometry.big.c;
                    if (which & 2)
                        request.small_pitch = 3 * request.geometry.small.c;
                    asked++;
                    sg_err err = sg_cudnn_plan_get(cudnn, &request, &with);
                    assert_true(err == SG_OK || err == SG_EUNSUPPORTED);
                    taken += !err;
                    if (!err)
                        assert_int_equal(sg_cudnn_plan_engine(with), sg_cudnn_plan_engine(without));
                }
    print_message("%d of %d convolutions with gaps are taken\n", taken, asked);
    assert_true(asked > 0 && 2 * taken > asked);
    sg_cudnn_close(cudnn);
}

/* A sum within the convolution: cuDNN takes the graph, with gaps or without. */
static void a_fused_sum_can_be_described(void **state)
{
    sg_cudnn *cudnn = open_described();
    for (int k = 0; k < 8; k++) {
        sg_cudnn_graph graph;
        sg_conv_request request = window(2, 64, 64, 64, 3, 1, 1);
        request.type = request.result_type = SG_BF16;
        request.bias = k & 1;
        request.relu = k >> 1 & 1;
        request.added = k & 4 ? 128 : 64;
        request.small_pitch = k & 4 ? 192 : 0;
        sg_cudnn_graph_make(NULL, &request, &graph);
        assert_int_equal(graph.status, CUDNN_STATUS_SUCCESS);
        sg_cudnn_graph_clear(&graph);
    }
    sg_cudnn_close(cudnn);
}

static void what_cudnn_does_not_take_is_refused(void **state)
{
    sg_cudnn *cudnn = open_described();
    sg_cudnn_plan *plan;
    sg_conv_request request = window(1, 32, 64, 64, 3, 1, 1);
    request.geometry.small.h = 31; /* not what the window gives */
    for (int i = 0; i < 2; i++)    /* the second time from memory */
        assert_int_equal(sg_cudnn_plan_get(cudnn, &request, &plan), SG_EUNSUPPORTED);
    assert_null(plan);
    sg_cudnn_close(cudnn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_of_both_formats_is_taken),
        cmocka_unit_test(prediction_has_one_engine_for_all_sizes),
        cmocka_unit_test(f32_is_rounded_where_tf32_is_asked_for_alone),
        cmocka_unit_test(a_choice_that_was_kept_is_taken),
        cmocka_unit_test(a_word_that_tuning_does_not_know_is_refused),
        cmocka_unit_test(a_fused_relu_that_keeps_nan_can_be_described),
        cmocka_unit_test(gaps_change_no_engine),
        cmocka_unit_test(a_fused_sum_can_be_described),
        cmocka_unit_test(what_cudnn_does_not_take_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
