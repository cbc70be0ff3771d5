/*
 * Lovasz-softmax: it is sorting, and the host does it (sg_lovasz_sample), so that its result is
 * that of the other backends bit by bit. Logits and labels come down, the gradient goes up; a
 * kernel scales it.
 *
 * Numerical contract. The gradient is loss_scale * weight times what was uploaded, rounded once,
 * stored or added.
 */
#include "cuda/launch.cuh"

extern "C" {
#include "nn/op/loss.h"
}

/* All on the host, owned. */
struct lovasz_kernel {
    sg_cuda *cuda;
    sg_lovasz_work work;
    void *logits;
    uint8_t *labels;
    float *gradient, *class_weight;
};

struct scale_args {
    const float *from;
    void *grad_in;
    int grad_type, write;
    float scale;
    uint32_t items;
};

template <int N> __global__ void scale_rows(scale_args a)
{
    size_t item = sg_item();
    if (item >= a.items)
        return;
    sg_row<N> row;
    sg_read(a.from, SG_F32, item * N, &row);
    for (int i = 0; i < N; i++)
        row.v[i] *= a.scale;
    sg_put_gradient(a.grad_in, a.grad_type, a.write, item * N, row);
}

static void release(void *kernel)
{
    lovasz_kernel *k = (lovasz_kernel *)kernel;
    if (!k)
        return;
    sg_free(k->work.key[0]);
    sg_free(k->work.key[1]);
    sg_free(k->work.share);
    sg_free(k->logits);
    sg_free(k->labels);
    sg_free(k->gradient);
    sg_free(k->class_weight);
    sg_free(k);
}

static sg_err make(lovasz_kernel *k, const sg_site *site)
{
    size_t pixels = (size_t)(site->in[0].h * site->in[0].w), classes = (size_t)site->in[0].c;
    size_t samples = (size_t)site->in[0].n, count = sg_shape_count(site->in[0]);
    sg_err err = sg_malloc(pixels, sizeof(uint64_t), &k->work.key[0]);
    if (!err)
        err = sg_malloc(pixels, sizeof(uint64_t), &k->work.key[1]);
    if (!err)
        err = sg_malloc(pixels * classes, sizeof(float), &k->work.share);
    if (!err)
        err = sg_malloc(count, sg_dtype_size(site->in_type[0]), &k->logits);
    if (!err)
        err = sg_malloc(samples * pixels, 1, &k->labels);
    if (!err)
        err = sg_malloc(count, sizeof(float), &k->gradient);
    if (!err)
        err = sg_malloc(classes, sizeof(float), &k->class_weight);
    return err;
}

static sg_err prepare(sg_backend *backend, const sg_site *site, void **kernel)
{
    lovasz_kernel *k = NULL;
    sg_err err = sg_calloc(1, sizeof *k, &k);
    if (err)
        return err;
    k->cuda = sg_cuda_of(backend);
    err = make(k, site);
    if (err)
        release(k);
    else
        *kernel = k;
    return err;
}

static sg_err fetch(const lovasz_kernel *k, const sg_site *site, const sg_io *io)
{
    size_t count = sg_shape_count(site->in[0]), classes = (size_t)site->in[0].c;
    sg_err err =
        sg_cuda_download(k->cuda, k->logits, io->in[0], count * sg_dtype_size(site->in_type[0]));
    if (!err)
        err = sg_cuda_download(k->cuda, k->labels, io->labels, count / classes);
    if (!err && io->run->class_weight)
        err = sg_cuda_download(k->cuda, k->class_weight, io->run->class_weight,
                               classes * sizeof(float));
    return err;
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    const lovasz_kernel *k = (const lovasz_kernel *)kernel;
    const sg_shape in = site->in[0];
    const int64_t pixels = in.h * in.w;
    const float *class_weight = io->run->class_weight ? k->class_weight : NULL;
    double loss = 0, weight = 0;
    float out;
    sg_err err = fetch(k, site, io);
    for (int64_t n = 0; !err && n < in.n; n++) {
        int32_t bad;
        const uint8_t *labels = k->labels + n * pixels;
        double part = sg_loss_weight(labels, pixels, in.c, class_weight, &bad);
        if (bad >= 0)
            return sg_loss_bad_label(bad, in.c);
        weight += part;
        loss += sg_lovasz_sample(k->logits, site->in_type[0], (size_t)(n * pixels * in.c), labels,
                                 pixels, in.c, part, &k->work, k->gradient + n * pixels * in.c);
    }
    if (err)
        return err;
    out = sg_loss_report(site->node, io->run, loss, weight);
    err = sg_cuda_upload(k->cuda, io->out, &out, sizeof out);
    if (!err && io->saved)
        err = sg_cuda_upload(k->cuda, io->saved, k->gradient, sg_shape_count(in) * sizeof(float));
    return err;
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    const lovasz_kernel *k = (const lovasz_kernel *)kernel;
    scale_args a = {};
    a.from = (const float *)io->saved;
    a.grad_in = io->grad_in[0];
    a.grad_type = site->grad_type;
    a.write = site->write[0];
    a.scale = io->run->loss_scale * site->node->attr.loss.weight;
    return site->write[0] == SG_GRAD_NONE
               ? SG_OK
               : sg_launch_rows(k->cuda, scale_rows<8>, scale_rows<1>, sg_is_wide(site->in[0].c),
                                sg_shape_count(site->in[0]), a);
}

extern "C" const sg_kernel_def sg_cuda_lovasz_loss = {prepare, NULL, forward, backward, release};
