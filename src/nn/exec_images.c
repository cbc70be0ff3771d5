/* The executor's edges: images and labels in, classes out. */
#include "nn/exec_private.h"

static void start_sums(sg_run *run)
{
    run->loss_sum = run->weight_sum = 0;
    for (int k = 0; k < SG_MAX_TERMS; k++)
        run->term_sum[k] = 0;
}

/* What losses add to the weights of pixels, where they are on. */
static sg_err load_border(sg_exec *exec, const sg_run *run)
{
    const float *border = run ? run->border : NULL;
    sg_shape in = exec->plan->tensor[0].shape;
    sg_err err = SG_OK;
    if (exec->border && border) {
        err = exec->backend->upload(exec->backend, exec->border, border,
                                    (size_t)(in.n * in.h * in.w) * sizeof(float));
        border = exec->border;
    }
    for (int32_t n = 0; n < exec->graph->nodes; n++)
        exec->io[n].border = exec->back[n].border = border;
    return err;
}

static sg_images images_of(const sg_exec *exec, const sg_raw_image *image, int32_t n,
                           const uint8_t *labels)
{
    return (sg_images){image, n, exec->plan->tensor[0].shape, exec->labels ? labels : NULL};
}

/* Where the backend takes nothing but numbers. */
static sg_err load_plain(const sg_exec *exec, const sg_images *images)
{
    const sg_plan_tensor *in = &exec->plan->tensor[0];
    size_t count = sg_shape_count(in->shape) / (size_t)in->shape.n;
    uint8_t *to = exec->io[0].out;
    sg_err err = SG_OK;
    for (int32_t i = 0; !err && i < images->n; i++) {
        SG_ASSERT(sg_raw_is_plain(&images->image[i]));
        err =
            exec->backend->load_input(exec->backend, to, in->type, images->image[i].values, count);
        to += count * sg_dtype_size(in->type);
    }
    if (!err && images->labels)
        err = exec->backend->upload(exec->backend, exec->labels, images->labels,
                                    (size_t)(in->shape.n * in->shape.h * in->shape.w));
    return err;
}

static sg_err load_images(sg_exec *exec, const sg_images *images)
{
    const sg_images_target target = {exec->io[0].out, exec->plan->tensor[0].type, exec->labels};
    uint64_t sent = exec->sent == images->image ? exec->sent_ticket : 0;
    exec->sent = NULL;
    return exec->backend->load ? exec->backend->load(exec->backend, images, sent, &target)
                               : load_plain(exec, images);
}

sg_err sg_exec_load(sg_exec *exec, const sg_raw_image *image, int32_t n, const uint8_t *labels,
                    sg_run *run)
{
    const sg_images images = images_of(exec, image, n, labels);
    const uint8_t *device_labels = exec->labels ? exec->labels : labels;
    for (int32_t k = 0; k < exec->graph->nodes; k++)
        exec->io[k].run = run;
    if (run)
        start_sums(run);
    sg_err err = load_border(exec, run);
    for (int32_t k = 0; k < exec->graph->nodes; k++)
        if (sg_op_is_loss(exec->graph->node[k].op))
            exec->io[k].labels = exec->back[k].labels = device_labels;
    return err ? err : load_images(exec, &images);
}

void sg_exec_send(sg_exec *exec, const sg_raw_image *image, int32_t n, const uint8_t *labels)
{
    const sg_images images = images_of(exec, image, n, labels);
    exec->sent = NULL;
    if (!image || !exec->backend->send)
        return;
    if (exec->backend->send(exec->backend, &images, &exec->sent_ticket) == SG_OK)
        exec->sent = image;
}

static sg_logits logits_of(const sg_exec *exec)
{
    const sg_node *last = &exec->graph->node[exec->graph->nodes - 1];
    int32_t t = sg_op_is_loss(last->op) ? last->input[0] : last->output;
    const sg_plan_tensor *tensor = &exec->plan->tensor[t];
    size_t pixels = sg_shape_count(tensor->shape) / (size_t)tensor->shape.c;
    return (sg_logits){sg_exec_at(exec, tensor->value), tensor->type, pixels, tensor->shape.c};
}

static sg_err check_has_result(const sg_exec *exec)
{
    return exec->steps_done > 0
               ? SG_OK
               : sg_fail(SG_EUSAGE, "there is no result to classify before a forward pass");
}

sg_err sg_exec_classify(sg_exec *exec, uint8_t *classes, float *probabilities)
{
    const sg_logits logits = logits_of(exec);
    sg_err err = check_has_result(exec);
    return err ? err
               : exec->backend->classify(exec->backend, logits.values, logits.type, logits.pixels,
                                         logits.classes, classes, probabilities);
}

int32_t sg_exec_in_flight(const sg_exec *exec)
{
    return exec->backend->classify_begin ? 2 : 1;
}

sg_err sg_exec_classify_begin(sg_exec *exec, bool probabilities, uint64_t *ticket)
{
    const sg_logits logits = logits_of(exec);
    sg_err err = check_has_result(exec);
    *ticket = 0;
    if (err || !exec->backend->classify_begin)
        return err;
    return exec->backend->classify_begin(exec->backend, &logits, probabilities, ticket);
}

sg_err sg_exec_classify_end(sg_exec *exec, uint64_t ticket, uint8_t *classes, float *probabilities)
{
    return exec->backend->classify_begin
               ? exec->backend->classify_end(exec->backend, ticket, classes, probabilities)
               : sg_exec_classify(exec, classes, probabilities);
}
