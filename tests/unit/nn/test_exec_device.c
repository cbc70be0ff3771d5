/*
 * The executor on a device with memory of its own, made of the reference: pointers are checked to
 * come from its alloc, and host pointers never reach a kernel.
 */
#include "training.h"

static struct {
    char *from, *to;
    int live;
} owned[64];

static sg_err device_alloc(sg_backend *backend, size_t bytes, void **memory)
{
    sg_err err = sg_malloc(bytes ? bytes : 1, 1, memory);
    for (int i = 0; !err && i < 64; i++) {
        if (!owned[i].live) {
            owned[i].from = *memory;
            owned[i].to = owned[i].from + bytes;
            owned[i].live = 1;
            return SG_OK;
        }
    }
    return sg_fail(SG_ENOMEM, "too many");
}

static int owner(const void *memory)
{
    for (int i = 0; i < 64; i++) {
        if (owned[i].live && (const char *)memory >= owned[i].from &&
            (const char *)memory <= owned[i].to)
            return i;
    }
    return -1;
}

static void device_free(sg_backend *backend, void *memory)
{
    int i = owner(memory);
    assert_true(i >= 0 && owned[i].from == memory);
    owned[i].live = 0;
    sg_free(memory);
}

static sg_err device_upload(sg_backend *backend, void *device, const void *host, size_t bytes)
{
    assert_true(owner(device) >= 0 && owner(host) < 0);
    memcpy(device, host, bytes);
    return SG_OK;
}

static sg_err device_download(sg_backend *backend, void *host, const void *device, size_t bytes)
{
    assert_true(owner(device) >= 0 && owner(host) < 0);
    memcpy(host, device, bytes);
    return SG_OK;
}

static const sg_backend *under_device;

static sg_err device_forward(void *kernel, const sg_site *site, const sg_io *io)
{
    assert_true(owner(io->out) >= 0);
    for (int32_t i = 0; i < site->inputs; i++)
        assert_true(owner(io->in[i]) >= 0);
    for (int32_t p = 0; p < site->node->params; p++)
        assert_true(owner(io->param[p]) >= 0);
    if (sg_op_is_loss(site->node->op))
        assert_true(owner(io->labels) >= 0);
    return under_device->kernel[site->node->op]->forward(kernel, site, io);
}

static void a_device_with_its_own_memory_gives_the_same(void **state)
{
    training t = training_open(net_unet(), (sg_shape){2, 8, 8, 2});
    sg_kernel_def kernels[SG_OP_COUNT];
    sg_backend device = *t.run.backend;
    under_device = t.run.backend;
    device.host_memory = 0;
    device.alloc = device_alloc;
    device.free = device_free;
    device.upload = device_upload;
    device.download = device_download;
    for (int op = 0; op < SG_OP_COUNT; op++) {
        kernels[op] = *device.kernel[op];
        kernels[op].forward = device_forward;
        device.kernel[op] = &kernels[op];
    }
    sg_params *params;
    sg_weights *weights;
    sg_exec *exec;
    must(sg_params_create(t.graph, &params));
    fill_params(t.graph, params, 11);
    must(sg_weights_create(&device, params, true, &weights));
    must(sg_exec_create(&device, t.graph, weights, (sg_shape){2, 8, 8, 2}, SG_F32, SG_PLAN_TRAINING,
                        &exec));
    loss_of(&t);
    must(sg_exec_backward(t.run.exec, &t.hooks, NULL, NULL));
    sg_run hooks = t.hooks;
    must(sg_exec_forward(exec, t.run.input, t.labels, &hooks));
    must(sg_exec_backward(exec, &hooks, NULL, NULL));
    assert_true(hooks.loss_sum == t.hooks.loss_sum);
    const sg_param_layout *layout = params->layout;
    assert_memory_equal(weights->gradient, t.run.weights->gradient,
                        layout->trainable_count * sizeof(float));
    /* Running statistics changed on the device; the host hears of it when it asks. */
    assert_memory_not_equal(params->state, t.params->state, layout->state_count * sizeof(float));
    must(sg_weights_to_host(weights));
    assert_memory_equal(params->state, t.params->state, layout->state_count * sizeof(float));
    params->trainable[0] += 1;
    uint64_t version = weights->version;
    must(sg_weights_to_device(weights));
    assert_true(weights->version > version && weights->trainable[0] == params->trainable[0]);
    sg_exec_close(exec);
    sg_weights_close(weights);
    sg_params_close(params);
    for (int i = 0; i < 64; i++)
        assert_int_equal(owned[i].live, 0);
    training_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_with_its_own_memory_gives_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
