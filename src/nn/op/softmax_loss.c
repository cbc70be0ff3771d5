/*
 * Softmax with cross-entropy against labels; in[0] holds logits.
 *
 * Numerical contract. run->loss_sum and run->weight_sum are overwritten with the sums, over pixels
 * whose label is not SG_IGNORE_LABEL, of weight * loss and of weight, weight being
 * run->class_weight[label] or 1; f64, pixels in (n, h, w) order, the largest logit subtracted
 * first. The output, one f32, is loss_sum. The gradient is run->loss_scale * weight * (softmax -
 * onehot), rounded once, and 0 at ignored pixels; grad_out is not read. A label that is neither a
 * class nor SG_IGNORE_LABEL is SG_EINPUT in the forward pass.
 */
#include <math.h>
#include "nn/op/op_common.h"

static sg_err make(sg_graph *graph, sg_node *node, const int32_t *in_channels, int32_t *channels)
{
    sg_err err = sg_op_check_range(node, "number of classes", in_channels[0], 1, SG_MAX_CLASSES);
    if (err)
        return err;
    *channels = 1;
    node->out_f32 = 1;
    return sg_op_check_no_act(node);
}

static sg_err shape(const sg_node *node, const sg_shape *in, sg_shape *out)
{
    *out = (sg_shape){1, 1, 1, 1};
    return SG_OK;
}

static double flops(const sg_node *node, const sg_shape *in, sg_shape out)
{
    return 4 * (double)sg_shape_count(in[0]);
}

typedef struct {
    double largest, sum; /* sum of exp(logit - largest) */
} partition;

static partition partition_of(const sg_site *site, const sg_io *io, size_t first)
{
    size_t classes = (size_t)site->in[0].c;
    partition p = {-INFINITY, 0};
    for (size_t c = 0; c < classes; c++)
        p.largest = fmax(p.largest, sg_load(io->in[0], site->in_type[0], first + c));
    for (size_t c = 0; c < classes; c++)
        p.sum += exp(sg_load(io->in[0], site->in_type[0], first + c) - p.largest);
    return p;
}

static double weight_of(const sg_io *io, uint8_t label)
{
    return io->run->class_weight ? io->run->class_weight[label] : 1;
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    size_t classes = (size_t)site->in[0].c, pixels = sg_shape_count(site->in[0]) / classes;
    double loss_sum = 0, weight_sum = 0;
    for (size_t i = 0; i < pixels; i++) {
        uint8_t label = io->labels[i];
        if (label == SG_IGNORE_LABEL)
            continue;
        if (label >= classes)
            return sg_fail(SG_EINPUT,
                           "label %d in the training data, but the network has %d classes",
                           (int)label, (int)classes);
        partition p = partition_of(site, io, i * classes);
        double logit = sg_load(io->in[0], site->in_type[0], i * classes + label);
        loss_sum += weight_of(io, label) * (p.largest + log(p.sum) - logit);
        weight_sum += weight_of(io, label);
    }
    io->run->loss_sum = loss_sum;
    io->run->weight_sum = weight_sum;
    sg_store(io->out, site->out_type, 0, (float)loss_sum);
    return SG_OK;
}

static void pixel_gradient(const sg_site *site, const sg_io *io, size_t pixel)
{
    size_t classes = (size_t)site->in[0].c, first = pixel * classes;
    uint8_t label = io->labels[pixel];
    if (label >= classes) {
        for (size_t c = 0; c < classes; c++)
            sg_gradient_put(site, io, 0, first + c, 0);
        return;
    }
    partition p = partition_of(site, io, first);
    double factor = io->run->loss_scale * weight_of(io, label);
    for (size_t c = 0; c < classes; c++) {
        double share = exp(sg_load(io->in[0], site->in_type[0], first + c) - p.largest) / p.sum;
        sg_gradient_put(site, io, 0, first + c, (float)(factor * (share - (c == label))));
    }
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    size_t pixels = sg_shape_count(site->in[0]) / (size_t)site->in[0].c;
    for (size_t i = 0; sg_gradient_wanted(site, 0) && i < pixels; i++)
        pixel_gradient(site, io, i);
    return SG_OK;
}

const sg_op_def sg_op_softmax_loss = {
    .name = "softmax_loss",
    .least_inputs = 1,
    .most_inputs = 1,
    .make = make,
    .shape = shape,
    .needs = sg_op_needs_input,
    .reach = sg_op_unbounded_reach,
    .flops = flops,
    .adds_gradient = 1,
};

const sg_kernel_def sg_reference_softmax_loss = {
    .prepare = sg_op_prepare_nothing,
    .forward = forward,
    .backward = backward,
};
