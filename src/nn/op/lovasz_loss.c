/*
 * Lovasz-softmax, sample by sample (see loss.h); in[0] holds logits.
 *
 * Numerical contract. The forward pass makes the gradient as well, by sg_lovasz_sample, which all
 * backends run on the host, and keeps it in `saved`, f32 [n][h][w][c]; the backward pass is
 * run->loss_scale * weight times it, rounded once. The run receives the samples' losses, each times
 * its W, added in their order. Per sample, the loss of a batch is the same for any number of ranks
 * and parts. Labels as in softmax_loss.
 */
#include "base/size.h"
#include "nn/op/loss.h"

static size_t saved(const sg_node *node, const sg_shape *in, sg_shape out)
{
    return sg_shape_count(in[0]) * sizeof(float);
}

typedef struct {
    sg_lovasz_work work;
    float *gradient; /* of one sample, where the site has no place to keep it */
} lovasz_kernel;

static void release(void *kernel)
{
    lovasz_kernel *k = kernel;
    if (!k)
        return;
    sg_free(k->work.key[0]);
    sg_free(k->work.key[1]);
    sg_free(k->work.share);
    sg_free(k->gradient);
    sg_free(k);
}

static sg_err prepare(sg_backend *backend, const sg_site *site, void **kernel)
{
    lovasz_kernel *k = NULL;
    size_t pixels = (size_t)(site->in[0].h * site->in[0].w), count = pixels * (size_t)site->in[0].c;
    sg_err err = sg_calloc(1, sizeof *k, &k);
    if (err)
        return err;
    for (int i = 0; !err && i < 2; i++)
        err = sg_malloc(pixels, sizeof(uint64_t), &k->work.key[i]);
    if (!err)
        err = sg_malloc(count, sizeof(float), &k->work.share);
    if (!err)
        err = sg_malloc(count, sizeof(float), &k->gradient);
    if (err)
        release(k);
    else
        *kernel = k;
    return err;
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    const lovasz_kernel *k = kernel;
    const sg_shape in = site->in[0];
    const int64_t pixels = in.h * in.w;
    double loss = 0, weight = 0;
    for (int64_t n = 0; n < in.n; n++) {
        int32_t bad;
        const uint8_t *labels = io->labels + n * pixels;
        double part = sg_loss_weight(labels, pixels, in.c, io->run->class_weight, &bad);
        float *gradient = io->saved ? (float *)io->saved + n * pixels * in.c : k->gradient;
        if (bad >= 0)
            return sg_loss_bad_label(bad, in.c);
        weight += part;
        loss += sg_lovasz_sample(io->in[0], site->in_type[0], (size_t)(n * pixels * in.c), labels,
                                 pixels, in.c, part, &k->work, gradient);
    }
    sg_store(io->out, site->out_type, 0, sg_loss_report(site->node, io->run, loss, weight));
    return SG_OK;
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    const float *gradient = io->saved;
    float scale = io->run->loss_scale * site->node->attr.loss.weight;
    size_t count = sg_shape_count(site->in[0]);
    for (size_t i = 0; sg_gradient_wanted(site, 0) && i < count; i++)
        sg_gradient_put(site, io, 0, i, scale * gradient[i]);
    return SG_OK;
}

const sg_op_def sg_op_lovasz_loss = {
    .name = "lovasz_loss",
    .least_inputs = 1,
    .most_inputs = 1,
    .make = sg_loss_make,
    .shape = sg_loss_shape,
    .needs = sg_op_needs_nothing,
    .saved = saved,
    .reach = sg_op_unbounded_reach,
    .flops = sg_loss_flops,
    .adds_gradient = 1,
};

const sg_kernel_def sg_reference_lovasz_loss = {
    .prepare = prepare, .forward = forward, .backward = backward, .release = release};
