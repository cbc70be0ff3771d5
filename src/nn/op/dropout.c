/*
 * Dropout. In training an element is set to 0 with probability rate, else multiplied by
 * 1 / (1 - rate); in prediction values pass through. The mask is recomputed by the backward pass:
 * it is a function of (seed, step, node, global sample, element in the sample), so it depends on
 * neither ranks nor the batch's cut.
 */
#include "base/rng.h"
#include "nn/op/op_common.h"

static sg_err make(sg_graph *graph, sg_node *node, const int32_t *in_channels, int32_t *channels)
{
    float rate = node->attr.dropout.rate;
    *channels = in_channels[0];
    if (!(rate >= 0 && rate < 1))
        return sg_fail(SG_EUSAGE, "%s: the dropout rate is %g, must be in [0, 1)", node->name,
                       (double)rate);
    return sg_op_check_no_act(node);
}

static double flops(const sg_node *node, const sg_shape *in, sg_shape out)
{
    return (double)sg_shape_count(out);
}

uint64_t sg_dropout_key(const sg_run *run, const sg_node *node)
{
    sg_random4 r = sg_random(run->seed, SG_STREAM_DROPOUT, run->step, (uint32_t)node->output);
    return (uint64_t)r.v[1] << 32 | r.v[0];
}

bool sg_dropout_keeps(uint64_t key, uint64_t sample, uint64_t element, float rate)
{
    sg_random4 r = sg_random(key, SG_STREAM_DROPOUT, sample, (uint32_t)(element / 4));
    return sg_uniform(r.v[element % 4]) >= rate;
}

/* The factor on element i of the batch. */
static float factor(const sg_site *site, const sg_run *run, uint64_t key, size_t i)
{
    size_t sample = sg_shape_count(site->out) / (size_t)site->out.n;
    float rate = site->node->attr.dropout.rate;
    bool keeps = sg_dropout_keeps(key, run->first_sample + i / sample, i % sample, rate);
    return keeps ? 1 / (1 - rate) : 0;
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    uint64_t key = site->training ? sg_dropout_key(io->run, site->node) : 0;
    for (size_t i = 0; i < sg_shape_count(site->out); i++) {
        float value = sg_load(io->in[0], site->in_type[0], i);
        float scale = site->training ? factor(site, io->run, key, i) : 1;
        /* a dropped infinity is 0, not NaN */
        sg_store(io->out, site->out_type, i, scale > 0 ? scale * value : 0);
    }
    return SG_OK;
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    uint64_t key = sg_dropout_key(io->run, site->node);
    for (size_t i = 0; sg_gradient_wanted(site, 0) && i < sg_shape_count(site->out); i++) {
        float scale = factor(site, io->run, key, i);
        float gradient = sg_load(io->grad_out, site->grad_type, i);
        sg_gradient_put(site, io, 0, i, scale > 0 ? scale * gradient : 0);
    }
    return SG_OK;
}

const sg_op_def sg_op_dropout = {
    .name = "dropout",
    .least_inputs = 1,
    .most_inputs = 1,
    .make = make,
    .shape = sg_op_shape_of_input,
    .needs = sg_op_needs_nothing,
    .reach = sg_op_pixel_reach,
    .flops = flops,
    .adds_gradient = 1,
};

const sg_kernel_def sg_reference_dropout = {
    .prepare = sg_op_prepare_nothing,
    .forward = forward,
    .backward = backward,
};
