/*
 * Softmax over the channels of each pixel. The largest value is subtracted first; sums in f64 in
 * channel order, each result rounded once. Backward: dx = y * (dy - sum(dy * y)).
 */
#include <math.h>
#include "nn/op/op_common.h"

static sg_err make(sg_graph *graph, sg_node *node, const int32_t *in_channels, int32_t *channels)
{
    *channels = in_channels[0];
    return sg_op_check_no_act(node);
}

static double flops(const sg_node *node, const sg_shape *in, sg_shape out)
{
    return 4 * (double)sg_shape_count(out);
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    size_t channels = (size_t)site->out.c, count = sg_shape_count(site->out);
    for (size_t first = 0; first < count; first += channels) {
        double largest = -INFINITY, sum = 0;
        for (size_t c = 0; c < channels; c++)
            largest = fmax(largest, sg_load(io->in[0], site->in_type[0], first + c));
        for (size_t c = 0; c < channels; c++)
            sum += exp(sg_load(io->in[0], site->in_type[0], first + c) - largest);
        for (size_t c = 0; c < channels; c++) {
            double value = exp(sg_load(io->in[0], site->in_type[0], first + c) - largest);
            sg_store(io->out, site->out_type, first + c, (float)(value / sum));
        }
    }
    return SG_OK;
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    size_t channels = (size_t)site->out.c, count = sg_shape_count(site->out);
    for (size_t first = 0; sg_gradient_wanted(site, 0) && first < count; first += channels) {
        double sum = 0;
        for (size_t c = 0; c < channels; c++)
            sum += (double)sg_load(io->grad_out, site->grad_type, first + c) *
                   sg_load(io->out, site->out_type, first + c);
        for (size_t c = 0; c < channels; c++) {
            double gradient = sg_load(io->grad_out, site->grad_type, first + c) - sum;
            double value = sg_load(io->out, site->out_type, first + c);
            sg_gradient_put(site, io, 0, first + c, (float)(value * gradient));
        }
    }
    return SG_OK;
}

const sg_op_def sg_op_softmax = {
    .name = "softmax",
    .least_inputs = 1,
    .most_inputs = 1,
    .make = make,
    .shape = sg_op_shape_of_input,
    .needs = sg_op_needs_output,
    .reach = sg_op_pixel_reach,
    .flops = flops,
    .adds_gradient = 1,
};

const sg_kernel_def sg_reference_softmax = {
    .prepare = sg_op_prepare_nothing,
    .forward = forward,
    .backward = backward,
};
