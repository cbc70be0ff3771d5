/* Exact tiling is tried on the device; where it does not hold, all scenes are cut alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "jobs/predict.h"
#include "model/model.h"

static sg_backend *device;
static sg_kernel_def odd_conv;

/* A convolution whose last bits depend on the batch. */
static sg_err forward_by_batch(void *kernel, const sg_site *site, const sg_io *io)
{
    sg_err err = sg_reference_conv.forward(kernel, site, io);
    float *out = io->out;
    for (size_t i = 0; site->out.n > 1 && i < sg_shape_count(site->out); i++)
        out[i] *= 1.0000001f;
    return err;
}

static void open_network(sg_network *network)
{
    sg_model_options options = sg_model_defaults();
    sg_checkpoint *checkpoint = &network->checkpoint;
    memset(network, 0, sizeof *network);
    options.bands = checkpoint->spec.bands = 2;
    options.classes = checkpoint->spec.classes.count = 3;
    options.depth = 2;
    options.width = 4;
    assert_int_equal(sg_model_build(&options, &checkpoint->graph), SG_OK);
    assert_int_equal(sg_params_create(checkpoint->graph, &checkpoint->params), SG_OK);
    assert_int_equal(sg_params_init(checkpoint->graph, checkpoint->params, 1), SG_OK);
    assert_int_equal(
        sg_graph_fold(checkpoint->graph, checkpoint->params, &network->graph, &network->params),
        SG_OK);
    assert_int_equal(sg_graph_reach(network->graph, &network->reach), SG_OK);
    assert_int_equal(sg_reference_open(&network->backend), SG_OK);
    device = network->backend;
    assert_int_equal(sg_weights_create(device, network->params, false, &network->weights), SG_OK);
}

static void a_device_that_keeps_the_bits_is_exact(void **state)
{
    sg_network network;
    int32_t exact = 0;
    (void)state;
    open_network(&network);
    assert_int_equal(sg_network_try_exact(&network, &exact), SG_OK);
    assert_int_equal(exact, 1);
    network.type = SG_BF16;
    exact = 0;
    assert_int_equal(sg_network_try_exact(&network, &exact), SG_OK);
    assert_int_equal(exact, 1);
    sg_network_close(&network);
}

static void a_kernel_that_sees_the_batch_is_found_out(void **state)
{
    sg_network network;
    int32_t exact = 1;
    (void)state;
    open_network(&network);
    odd_conv = sg_reference_conv;
    odd_conv.forward = forward_by_batch;
    device->kernel[SG_OP_conv] = &odd_conv;
    assert_int_equal(sg_network_try_exact(&network, &exact), SG_OK);
    assert_int_equal(exact, 0);
    sg_network_close(&network);
}

static void choose(const sg_network *network, sg_comm *comm, int64_t width, int64_t height,
                   sg_predict_plan *plan)
{
    const sg_predict_options options = {.max_mem = "300M", .format = sg_format_default()};
    const sg_predict_size size = {.width = width, .height = height};
    assert_int_equal(sg_predict_choose(&options, network, comm, &size, plan), SG_OK);
}

static void without_exactness_all_large_scenes_are_cut_alike(void **state)
{
    sg_network network;
    sg_comm *comm = NULL;
    sg_predict_plan plan[2];
    static const int64_t width[2] = {5000, 3100};
    (void)state;
    assert_int_equal(sg_comm_start(&comm, NULL, NULL), SG_OK);
    open_network(&network);
    for (network.exact = 0; network.exact < 2; network.exact++) {
        for (int i = 0; i < 2; i++)
            choose(&network, comm, width[i], 4500, &plan[i]);
        int alike = plan[0].grid.tile_w == plan[1].grid.tile_w &&
                    plan[0].grid.chunk_w == plan[1].grid.chunk_w;
        assert_int_equal(alike, !network.exact);
    }
    sg_network_close(&network);
    sg_comm_close(comm);
}

static void amounts_of_memory_are_read(void **state)
{
    double bytes;
    (void)state;
    assert_int_equal(sg_bytes_parse("2G", &bytes), SG_OK);
    assert_true(bytes == 2.0 * (1 << 30));
    assert_int_equal(sg_bytes_parse("1.5mb", &bytes), SG_OK);
    assert_true(bytes == 1.5 * (1 << 20));
    assert_int_equal(sg_bytes_parse("4096", &bytes), SG_OK);
    assert_true(bytes == 4096);
    static const char *const wrong[] = {"", "G", "2X", "-3G", "0", "2GG", "inf", "nan"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(sg_bytes_parse(wrong[i], &bytes), SG_EUSAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_that_keeps_the_bits_is_exact),
        cmocka_unit_test(a_kernel_that_sees_the_batch_is_found_out),
        cmocka_unit_test(without_exactness_all_large_scenes_are_cut_alike),
        cmocka_unit_test(amounts_of_memory_are_read),
    };
    return cmocka_run_group_tests_name("exact", tests, NULL, NULL);
}
