/*
 * Loss of regions: Dice, Jaccard, Tversky, all one formula (see loss.h); in[0] holds logits.
 *
 * Numerical contract. Shares are f64, the largest logit subtracted first; sums f64, pixels in
 * (n, h, w) order, then over ranks where run->reduce_loss is set: then the loss is that of the
 * pixels of all ranks. The run receives the loss times W (loss.h). The gradient is run->loss_scale
 * * weight * share * (g - sum of share * g) with the coefficients of sg_region_finish as f32, which
 * are kept in `saved`; rounded once, 0 at ignored pixels. Labels as in softmax_loss.
 */
#include <math.h>
#include "base/size.h"
#include "nn/op/loss.h"

static size_t saved(const sg_node *node, const sg_shape *in, sg_shape out)
{
    return 2 * (size_t)in[0].c * sizeof(float);
}

static void shares_of(const sg_site *site, const sg_io *io, size_t first, double *share)
{
    size_t classes = (size_t)site->in[0].c;
    double largest = -INFINITY, sum = 0;
    for (size_t c = 0; c < classes; c++)
        largest = fmax(largest, sg_load(io->in[0], site->in_type[0], first + c));
    for (size_t c = 0; c < classes; c++) {
        share[c] = exp(sg_load(io->in[0], site->in_type[0], first + c) - largest);
        sum += share[c];
    }
    for (size_t c = 0; c < classes; c++)
        share[c] /= sum;
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    size_t classes = (size_t)site->in[0].c, pixels = sg_shape_count(site->in[0]) / classes;
    double sums[3 * SG_MAX_CLASSES + 1] = {0}, share[SG_MAX_CLASSES], weight;
    float coefficient[2 * SG_MAX_CLASSES];
    for (size_t i = 0; i < pixels; i++) {
        uint8_t label = io->labels[i];
        if (label == SG_IGNORE_LABEL)
            continue;
        if (label >= classes)
            return sg_loss_bad_label(label, site->in[0].c);
        shares_of(site, io, i * classes, share);
        for (size_t c = 0; c < classes; c++)
            sums[classes + c] += share[c];
        sums[label] += share[label];
        sums[2 * classes + label]++;
        sums[3 * classes] += io->run->class_weight ? io->run->class_weight[label] : 1;
    }
    double loss = sg_region_finish(site, io->run, sums, coefficient, &weight);
    for (size_t c = 0; c < 2 * classes && io->saved; c++)
        ((float *)io->saved)[c] = coefficient[c];
    sg_store(io->out, site->out_type, 0, sg_loss_report(site->node, io->run, loss, weight));
    return SG_OK;
}

static void pixel_gradient(const sg_site *site, const sg_io *io, size_t pixel)
{
    size_t classes = (size_t)site->in[0].c, first = pixel * classes;
    const float *own = io->saved, *all = own + classes;
    uint8_t label = io->labels[pixel];
    double share[SG_MAX_CLASSES], mean = 0;
    double scale = (double)io->run->loss_scale * site->node->attr.loss.weight;
    for (size_t c = 0; c < classes && label >= classes; c++)
        sg_gradient_put(site, io, 0, first + c, 0);
    if (label >= classes)
        return;
    shares_of(site, io, first, share);
    for (size_t c = 0; c < classes; c++)
        mean += share[c] * ((double)all[c] + (c == label ? own[c] : 0));
    for (size_t c = 0; c < classes; c++) {
        double slope = (double)all[c] + (c == label ? own[c] : 0);
        sg_gradient_put(site, io, 0, first + c, (float)(scale * share[c] * (slope - mean)));
    }
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    size_t pixels = sg_shape_count(site->in[0]) / (size_t)site->in[0].c;
    for (size_t i = 0; sg_gradient_wanted(site, 0) && i < pixels; i++)
        pixel_gradient(site, io, i);
    return SG_OK;
}

const sg_op_def sg_op_region_loss = {
    .name = "region_loss",
    .least_inputs = 1,
    .most_inputs = 1,
    .make = sg_loss_make,
    .shape = sg_loss_shape,
    .needs = sg_op_needs_input,
    .saved = saved,
    .reach = sg_op_unbounded_reach,
    .flops = sg_loss_flops,
    .adds_gradient = 1,
};

const sg_kernel_def sg_reference_region_loss = {
    .prepare = sg_op_prepare_nothing,
    .forward = forward,
    .backward = backward,
};
