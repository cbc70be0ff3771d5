/* Concatenation of channels, in the order of the inputs. Copies: no arithmetic. */
#include "nn/op/op_common.h"

static sg_err make(sg_graph *graph, sg_node *node, const int32_t *in_channels, int32_t *channels)
{
    int64_t sum = 0;
    for (int32_t i = 0; i < node->inputs; i++)
        sum += in_channels[i];
    sg_err err = sg_op_check_range(node, "channels", sum, 1, SG_MAX_SPREAD);
    if (err)
        return err;
    *channels = (int32_t)sum;
    return sg_op_check_no_act(node);
}

static sg_err shape(const sg_node *node, const sg_shape *in, sg_shape *out)
{
    *out = in[0];
    for (int32_t i = 1; i < node->inputs; i++)
        out->c += in[i].c;
    return sg_op_check_same_size(node, in);
}

static double flops(const sg_node *node, const sg_shape *in, sg_shape out)
{
    return 0;
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    size_t channels = (size_t)site->out.c, pixels = sg_shape_count(site->out) / channels;
    size_t first = 0; /* channel of the output */
    for (int32_t i = 0; i < site->inputs; i++) {
        size_t own = (size_t)site->in[i].c;
        for (size_t p = 0; p < pixels; p++)
            for (size_t c = 0; c < own; c++)
                sg_store(io->out, site->out_type, p * channels + first + c,
                         sg_load(io->in[i], site->in_type[i], p * own + c));
        first += own;
    }
    return SG_OK;
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    size_t channels = (size_t)site->out.c, pixels = sg_shape_count(site->out) / channels;
    size_t first = 0;
    for (int32_t i = 0; i < site->inputs; i++) {
        size_t own = (size_t)site->in[i].c;
        for (size_t p = 0; sg_gradient_wanted(site, i) && p < pixels; p++)
            for (size_t c = 0; c < own; c++)
                sg_gradient_put(site, io, i, p * own + c,
                                sg_load(io->grad_out, site->grad_type, p * channels + first + c));
        first += own;
    }
    return SG_OK;
}

const sg_op_def sg_op_concat = {
    .name = "concat",
    .least_inputs = 2,
    .most_inputs = SG_MAX_INPUTS,
    .make = make,
    .shape = shape,
    .needs = sg_op_needs_nothing,
    .reach = sg_op_pixel_reach,
    .flops = flops,
    .adds_gradient = (1u << SG_MAX_INPUTS) - 1,
    .joins = 1,
};

const sg_kernel_def sg_reference_concat = {
    .prepare = sg_op_prepare_nothing,
    .forward = forward,
    .backward = backward,
};
