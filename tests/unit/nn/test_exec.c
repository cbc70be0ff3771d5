/*
 * The executor on the reference backend: gradients of whole networks against finite differences,
 * what is final when it is called ready, and errors.
 */
#include "training.h"

#include <math.h>

static bool is_close(double slope, double wanted)
{
    return fabs(slope - wanted) <= 1e-2 * wanted + 1e-4;
}

/*
 * The slope of the loss when a parameter moves along its gradient, by differences to both
 * sides. The loss is exact to some 1e-7, which the step makes 1e-4. Where a ReLU or a maximum turns
 * within the step, the gradient is the slope of one side.
 */
static void check_slope(training *t, int32_t id, const float *gradient, double here)
{
    size_t count = t->graph->param[id].count, offset = t->params->layout->offset[id];
    float *values = sg_params_values(t->params, id);
    double length = 0;
    for (size_t i = 0; i < count; i++)
        length += (double)gradient[offset + i] * (double)gradient[offset + i];
    length = sqrt(length);
    /* Batch norm makes the gradient of what it shifts and scales vanish: then any direction. */
    bool flat = length < 1e-6;
    float *kept = malloc(count * sizeof *kept);
    memcpy(kept, values, count * sizeof *kept);
    double step = 1e-3, side[2];
    for (int s = 0; s < 2; s++) {
        for (size_t i = 0; i < count; i++) {
            double along = flat ? 1 / sqrt((double)count) : (double)gradient[offset + i] / length;
            values[i] = kept[i] + (float)((s ? step : -step) * along);
        }
        side[s] = loss_of(t);
    }
    memcpy(values, kept, count * sizeof *kept);
    free(kept);
    double left = (here - side[0]) / step, right = (side[1] - here) / step;
    if (!is_close((left + right) / 2, length) && !is_close(left, length) &&
        !is_close(right, length))
        fail_msg("%s: slopes %g and %g, gradient %g", t->graph->param[id].name, left, right,
                 length);
}

static void check_gradients(sg_graph *graph, sg_shape shape)
{
    training t = training_open(graph, shape);
    double here = loss_of(&t);
    must(sg_exec_backward(t.run.exec, &t.hooks, NULL, NULL));
    size_t count = t.params->layout->trainable_count;
    float *gradient = malloc(count * sizeof *gradient);
    memcpy(gradient, t.run.weights->gradient, count * sizeof *gradient);
    for (int32_t id = 0; id < t.graph->param_count; id++) {
        if (sg_param_is_trainable(&t.graph->param[id]))
            check_slope(&t, id, gradient, here);
    }
    free(gradient);
    training_close(&t);
}

static void gradients_are_slopes_of_the_loss(void **state)
{
    for (int i = 0; i < NETS; i++) {
        sg_graph *graph = net_number(i);
        check_gradients(graph, (sg_shape){2, 8, 12, sg_graph_input_channels(graph)});
    }
    for (uint64_t seed = 0; seed < 20; seed++)
        check_gradients(net_of_seed(seed), (sg_shape){2, 8, 8, 2});
}

typedef struct {
    const float *gradient;
    float *seen; /* what was final, as it was then */
    size_t ready;
    int calls;
} watch;

static void on_ready(void *user, size_t ready)
{
    watch *w = user;
    assert_true(ready > w->ready);
    memcpy(w->seen + w->ready, w->gradient + w->ready, (ready - w->ready) * sizeof(float));
    w->ready = ready;
    w->calls++;
}

static void what_is_called_ready_is_final(void **state)
{
    for (int i = 0; i < NETS; i++) {
        sg_graph *graph = net_number(i);
        training t = training_open(graph, (sg_shape){2, 8, 8, sg_graph_input_channels(graph)});
        size_t count = t.params->layout->trainable_count;
        watch w = {.gradient = t.run.weights->gradient, .seen = malloc(count * sizeof(float))};
        loss_of(&t);
        for (size_t k = 0; k < count; k++)
            t.run.weights->gradient[k] = NAN; /* gradients are overwritten, not added to */
        must(sg_exec_backward(t.run.exec, &t.hooks, on_ready, &w));
        assert_int_equal(w.ready, count);
        assert_true(w.calls > 2);
        assert_memory_equal(w.seen, t.run.weights->gradient, count * sizeof(float));
        for (int32_t id = 0; id < t.graph->param_count; id++) {
            const float *gradient = t.run.weights->gradient + t.params->layout->offset[id];
            for (size_t k = 0; !t.params->is_state[id] && k < t.graph->param[id].count; k++)
                assert_true(isfinite(gradient[k]));
        }
        free(w.seen);
        training_close(&t);
    }
}

/* Nothing of an earlier run is left in the arena. */
static void runs_do_not_depend_on_earlier_ones(void **state)
{
    training t = training_open(net_residual(), (sg_shape){2, 8, 8, 3});
    size_t count = t.params->layout->trainable_count;
    float *first = malloc(count * sizeof *first);
    double loss = loss_of(&t);
    must(sg_exec_backward(t.run.exec, &t.hooks, NULL, NULL));
    memcpy(first, t.run.weights->gradient, count * sizeof *first);
    fill_noise(t.run.input, t.run.inputs, 99, -5, 5);
    loss_of(&t);
    must(sg_exec_backward(t.run.exec, &t.hooks, NULL, NULL));
    fill_noise(t.run.input, t.run.inputs, 12, -1, 1);
    assert_true(loss_of(&t) == loss);
    must(sg_exec_backward(t.run.exec, &t.hooks, NULL, NULL));
    assert_memory_equal(first, t.run.weights->gradient, count * sizeof *first);
    free(first);
    training_close(&t);
}

static void classes_are_the_largest_logits(void **state)
{
    training t = training_open(net_unet(), (sg_shape){2, 8, 8, 2});
    uint8_t *classes = malloc(t.pixels);
    float *probability = malloc(t.pixels * CLASSES * sizeof *probability);
    float *logits = malloc(t.pixels * CLASSES * sizeof *logits);
    must_fail(sg_exec_classify(t.run.exec, classes, NULL), SG_EUSAGE, "forward");
    loss_of(&t);
    must(sg_exec_backward(t.run.exec, &t.hooks, NULL, NULL)); /* logits outlive the backward pass */
    must(sg_exec_classify(t.run.exec, classes, probability));
    must(sg_exec_read_value(t.run.exec, t.graph->node[t.graph->nodes - 1].input[0], logits));
    double loss = 0;
    for (size_t i = 0; i < t.pixels; i++) {
        float sum = 0;
        for (size_t k = 0; k < CLASSES; k++) {
            assert_true(logits[i * CLASSES + k] <= logits[i * CLASSES + classes[i]]);
            sum += probability[i * CLASSES + k];
        }
        assert_true(fabsf(sum - 1) < 1e-5f);
        if (t.labels[i] != SG_IGNORE_LABEL)
            loss -= log((double)probability[i * CLASSES + t.labels[i]]);
    }
    assert_true(fabs(loss - t.hooks.loss_sum) < 1e-4 * loss);
    free(classes);
    free(probability);
    free(logits);
    training_close(&t);
}

static void changed_weights_are_seen(void **state)
{
    training t = training_open(net_plain(), (sg_shape){1, 8, 8, 2});
    double before = loss_of(&t);
    sg_params_values(t.params, 0)[0] += 1;
    sg_weights_changed(t.run.weights);
    double after = loss_of(&t);
    assert_true(before != after);
    training_close(&t);
}

/* What the plan has put something else over is not handed out. */
static void dead_tensors_are_not_read(void **state)
{
    sg_graph *graph = net_unet();
    sg_params *params;
    must(sg_params_create(graph, &params));
    runner r = runner_open(graph, params, (sg_shape){1, 32, 32, 2}, SG_PLAN_INFERENCE);
    float *out = malloc(32 * 32 * 16 * sizeof *out);
    must_fail(sg_exec_read_value(r.exec, 1, out), SG_EUSAGE, "no value");
    runner_forward(&r, NULL, NULL);
    int dead = 0;
    for (int32_t t = 0; t < graph->tensors; t++)
        dead += sg_exec_read_value(r.exec, t, out) != SG_OK;
    assert_true(dead > 0 && dead < graph->tensors);
    must_fail(sg_exec_read_gradient(r.exec, 1, out), SG_EUSAGE, "no gradient");
    must_fail(sg_exec_read_value(r.exec, 1000, out), SG_EUSAGE, "1000");
    free(out);
    runner_close(&r);
    sg_params_close(params);
    sg_graph_close(graph);
}

static void misuse_is_refused(void **state)
{
    training t = training_open(net_plain(), (sg_shape){1, 8, 8, 2});
    must_fail(sg_exec_backward(t.run.exec, &t.hooks, NULL, NULL), SG_EUSAGE, "forward");
    must_fail(sg_exec_forward(t.run.exec, t.run.input, NULL, &t.hooks), SG_EUSAGE, "labels");
    must_fail(sg_exec_forward(t.run.exec, t.run.input, t.labels, NULL), SG_EUSAGE, "labels");
    sg_exec *exec;
    sg_weights *weights;
    sg_graph *other = net_unet();
    sg_shape shape = {1, 8, 8, 2};
    must_fail(sg_exec_create(t.run.backend, other, t.run.weights, shape, SG_F32, SG_PLAN_INFERENCE,
                             &exec),
              SG_EUSAGE, "another network");
    assert_null(exec);
    must(sg_weights_create(t.run.backend, t.params, false, &weights));
    must_fail(
        sg_exec_create(t.run.backend, t.graph, weights, shape, SG_F32, SG_PLAN_TRAINING, &exec),
        SG_EUSAGE, "training");
    sg_weights_close(weights);
    sg_graph_close(other);
    training_close(&t);
}

static bool no_bf16(const sg_backend *backend, sg_dtype type)
{
    return type == SG_F32;
}

static sg_err no_memory(sg_backend *backend, size_t bytes, void **memory)
{
    return sg_fail(SG_ENOMEM, "no");
}

static void what_a_device_lacks_is_named(void **state)
{
    sg_graph *graph = net_pyramid(), *with;
    sg_params *params;
    sg_weights *weights;
    sg_backend *reference;
    sg_exec *exec;
    must(sg_graph_with_loss(graph, &with));
    must(sg_params_create(graph, &params));
    must(sg_reference_open(&reference));
    sg_backend poor = *reference;
    sg_kernel_def no_backward = *poor.kernel[SG_OP_resize];
    no_backward.backward = NULL;
    poor.kernel[SG_OP_resize] = &no_backward;
    must(sg_backend_covers(&poor, graph, false));
    must_fail(sg_backend_covers(&poor, with, true), SG_EUNSUPPORTED, "resize");
    poor.kernel[SG_OP_global_pool] = poor.kernel[SG_OP_dropout] = NULL;
    poor.kernel[SG_OP_max_pool] = NULL; /* not in this network */
    must_fail(sg_backend_covers(&poor, graph, false), SG_EUNSUPPORTED, "global_pool, dropout");
    assert_null(strstr(sg_error_text(), "max_pool"));
    must(sg_weights_create(&poor, params, false, &weights));
    sg_shape shape = {1, 8, 8, 2};
    poor.supports = no_bf16;
    must_fail(sg_exec_create(&poor, graph, weights, shape, SG_BF16, SG_PLAN_INFERENCE, &exec),
              SG_EUNSUPPORTED, "bf16");
    must_fail(sg_exec_create(&poor, graph, weights, shape, SG_F32, SG_PLAN_INFERENCE, &exec),
              SG_EUNSUPPORTED, "dropout");
    sg_backend full = *reference;
    full.alloc = no_memory;
    must_fail(sg_exec_create(&full, graph, weights, shape, SG_F32, SG_PLAN_INFERENCE, &exec),
              SG_ENOMEM, "bytes");
    assert_null(exec);
    sg_weights_close(weights);
    sg_backend_close(reference);
    sg_backend_close(NULL);
    sg_params_close(params);
    sg_graph_close(graph);
    sg_graph_close(with);
}

/* A kernel that cannot be made at the n-th site: everything made before is given back. */
static int prepared, released, refuse_at;

static sg_err counting_prepare(sg_backend *backend, const sg_site *site, void **kernel)
{
    if (prepared == refuse_at)
        return sg_fail(SG_EUNSUPPORTED, "%s: not here", site->node->name);
    *kernel = malloc(1);
    prepared++;
    return SG_OK;
}

static void counting_release(void *kernel)
{
    free(kernel);
    released++;
}

static sg_err do_nothing(void *kernel, const sg_site *site, const sg_io *io)
{
    return SG_OK;
}

static sg_err fail_at_c(void *kernel, const sg_site *site, const sg_io *io)
{
    return strcmp(site->node->name, "c.conv") == 0 ? sg_fail(SG_EINTERNAL, "broken") : SG_OK;
}

static int refreshed;

static sg_err count_refresh(void *kernel, const sg_site *site, const sg_io *io)
{
    refreshed++;
    return SG_OK;
}

/* Once for every change of the weights, however often it runs, and only where there are weights. */
static void kernels_are_refreshed_when_weights_changed(void **state)
{
    static const sg_kernel_def counting = {
        .refresh = count_refresh, .forward = do_nothing, .release = NULL};
    sg_graph *graph = net_unet();
    sg_params *params;
    sg_weights *weights;
    sg_backend *reference;
    sg_exec *exec;
    int with_params = 0;
    for (int32_t n = 0; n < graph->nodes; n++)
        with_params += graph->node[n].params > 0;
    must(sg_params_create(graph, &params));
    must(sg_reference_open(&reference));
    must(sg_weights_create(reference, params, false, &weights));
    sg_backend fake = *reference;
    for (int op = 0; op < SG_OP_COUNT; op++)
        fake.kernel[op] = &counting;
    must(sg_exec_create(&fake, graph, weights, (sg_shape){1, 8, 8, 2}, SG_F32, SG_PLAN_INFERENCE,
                        &exec));
    float input[8 * 8 * 2] = {0};
    refreshed = 0;
    for (int change = 1; change <= 3; change++) {
        for (int k = 0; k < 3; k++)
            must(sg_exec_forward(exec, input, NULL, NULL));
        assert_int_equal(refreshed, change * with_params);
        sg_weights_changed(weights);
    }
    sg_exec_close(exec);
    sg_weights_close(weights);
    sg_backend_close(reference);
    sg_params_close(params);
    sg_graph_close(graph);
}

static void failures_give_everything_back(void **state)
{
    static const sg_kernel_def counting = {
        .prepare = counting_prepare, .forward = do_nothing, .release = counting_release};
    static const sg_kernel_def failing = {
        .prepare = counting_prepare, .forward = fail_at_c, .release = counting_release};
    sg_graph *graph = net_unet();
    sg_params *params;
    sg_weights *weights;
    sg_backend *reference;
    sg_exec *exec;
    must(sg_params_create(graph, &params));
    must(sg_reference_open(&reference));
    must(sg_weights_create(reference, params, false, &weights));
    sg_backend fake = *reference;
    for (int op = 0; op < SG_OP_COUNT; op++)
        fake.kernel[op] = op == SG_OP_conv ? &failing : &counting;
    sg_shape shape = {1, 8, 8, 2};
    for (refuse_at = 0; refuse_at < graph->nodes - 1; refuse_at++) {
        prepared = released = 0;
        must_fail(sg_exec_create(&fake, graph, weights, shape, SG_F32, SG_PLAN_INFERENCE, &exec),
                  SG_EUNSUPPORTED, "not here");
        assert_int_equal(prepared, refuse_at);
        assert_int_equal(released, prepared);
    }
    prepared = released = 0;
    refuse_at = -1;
    must(sg_exec_create(&fake, graph, weights, shape, SG_F32, SG_PLAN_INFERENCE, &exec));
    float input[8 * 8 * 2] = {0};
    uint8_t classes[8 * 8];
    must_fail(sg_exec_forward(exec, input, NULL, NULL), SG_EINTERNAL, "broken");
    must_fail(sg_exec_classify(exec, classes, NULL), SG_EUSAGE, "forward");
    sg_exec_close(exec);
    assert_int_equal(prepared, graph->nodes - 1);
    assert_int_equal(released, prepared);
    sg_weights_close(weights);
    sg_backend_close(reference);
    sg_params_close(params);
    sg_graph_close(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_slopes_of_the_loss),
        cmocka_unit_test(what_is_called_ready_is_final),
        cmocka_unit_test(runs_do_not_depend_on_earlier_ones),
        cmocka_unit_test(classes_are_the_largest_logits),
        cmocka_unit_test(changed_weights_are_seen),
        cmocka_unit_test(dead_tensors_are_not_read),
        cmocka_unit_test(misuse_is_refused),
        cmocka_unit_test(what_a_device_lacks_is_named),
        cmocka_unit_test(kernels_are_refreshed_when_weights_changed),
        cmocka_unit_test(failures_give_everything_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
