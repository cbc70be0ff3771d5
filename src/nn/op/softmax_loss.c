/*
 * Softmax with cross-entropy against labels; in[0] holds logits.
 *
 * Numerical contract. The run receives (sg_loss_report) the sums, over pixels whose label is not
 * SG_IGNORE_LABEL, of weight * loss and of weight, weight being run->class_weight[label] or 1; f64,
 * pixels in (n, h, w) order, the largest logit subtracted first. The output, one f32, is the term's
 * part of the whole loss. The gradient is run->loss_scale * attr.weight * weight * (softmax -
 * onehot), rounded once, and 0 at ignored pixels; grad_out is not read. A label that is neither a
 * class nor SG_IGNORE_LABEL is SG_EINPUT in the forward pass.
 *
 * With attr.border a pixel's weight is that of its class plus io->border, in the sum of losses
 * alone: as in U-Net's energy (Ronneberger et al., 2015), w_c + w_0 exp(...), over the mean of w_c.
 * With attr.gamma the loss is focal (loss.h). With attr.smoothing s the target is (1 - s) onehot +
 * s / C, each class's part times its own weight: PyTorch's.
 */
#include <math.h>
#include "nn/op/loss.h"

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

/* The weight of a pixel in the sum of losses. */
static double pixel_weight(const sg_site *site, const sg_io *io, size_t pixel)
{
    bool border = site->node->attr.loss.border && io->border;
    return weight_of(io, io->labels[pixel]) + (border ? io->border[pixel] : 0);
}

/* The share of a class, and that of all others. */
typedef struct {
    double own, rest;
} parted;

static parted part(const sg_site *site, const sg_io *io, size_t first, uint8_t label, partition p)
{
    parted shares = {0, 0};
    for (size_t c = 0; c < (size_t)site->in[0].c; c++) {
        double share = exp(sg_load(io->in[0], site->in_type[0], first + c) - p.largest) / p.sum;
        *(c == label ? &shares.own : &shares.rest) += share;
    }
    return shares;
}

/* Weight of class c in the target of a pixel with smoothed labels. */
static double smooth_target(const sg_site *site, const sg_io *io, uint8_t label, size_t c)
{
    double spread = site->node->attr.loss.smoothing;
    double even = spread / (double)site->in[0].c * weight_of(io, (uint8_t)c);
    return even + (c == label ? (1 - spread) * weight_of(io, label) : 0);
}

static double pixel_loss(const sg_site *site, const sg_io *io, size_t pixel, partition p)
{
    const sg_loss_attr *a = &site->node->attr.loss;
    size_t classes = (size_t)site->in[0].c, first = pixel * classes;
    uint8_t label = io->labels[pixel];
    double whole = p.largest + log(p.sum), loss = 0;
    if (a->gamma > 0) {
        parted shares = part(site, io, first, label, p);
        return pixel_weight(site, io, pixel) * sg_focal_loss(a->gamma, shares.own, shares.rest);
    }
    if (a->smoothing <= 0)
        return pixel_weight(site, io, pixel) *
               (whole - sg_load(io->in[0], site->in_type[0], first + label));
    for (size_t c = 0; c < classes; c++)
        loss += smooth_target(site, io, label, c) *
                (whole - sg_load(io->in[0], site->in_type[0], first + c));
    return loss;
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
            return sg_loss_bad_label(label, site->in[0].c);
        loss_sum += pixel_loss(site, io, i, partition_of(site, io, i * classes));
        weight_sum += weight_of(io, label);
    }
    sg_store(io->out, site->out_type, 0, sg_loss_report(site->node, io->run, loss_sum, weight_sum));
    return SG_OK;
}

static void smooth_gradient(const sg_site *site, const sg_io *io, size_t pixel, partition p)
{
    size_t classes = (size_t)site->in[0].c, first = pixel * classes;
    uint8_t label = io->labels[pixel];
    double scale = (double)io->run->loss_scale * site->node->attr.loss.weight, whole = 0;
    for (size_t c = 0; c < classes; c++)
        whole += smooth_target(site, io, label, c);
    for (size_t c = 0; c < classes; c++) {
        double share = exp(sg_load(io->in[0], site->in_type[0], first + c) - p.largest) / p.sum;
        double gradient = scale * (whole * share - smooth_target(site, io, label, c));
        sg_gradient_put(site, io, 0, first + c, (float)gradient);
    }
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
    const sg_loss_attr *a = &site->node->attr.loss;
    partition p = partition_of(site, io, first);
    if (a->smoothing > 0) {
        smooth_gradient(site, io, pixel, p);
        return;
    }
    double factor = io->run->loss_scale * a->weight * pixel_weight(site, io, pixel);
    if (a->gamma > 0) {
        parted shares = part(site, io, first, label, p);
        factor *= sg_focal_slope(a->gamma, shares.own, shares.rest);
    }
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
    .make = sg_loss_make,
    .shape = sg_loss_shape,
    .needs = sg_op_needs_input,
    .reach = sg_op_unbounded_reach,
    .flops = sg_loss_flops,
    .adds_gradient = 1,
};

const sg_kernel_def sg_reference_softmax_loss = {
    .prepare = sg_op_prepare_nothing,
    .forward = forward,
    .backward = backward,
};
