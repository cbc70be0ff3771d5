/*
 * Lovasz-softmax: samples are shared out to threads, each with its own work space; what a sample
 * gives is that of the reference, bit by bit (sg_lovasz_sample).
 */
#include "base/size.h"
#include "cpu/device.h"
#include "cpu/rows.h"
#include "nn/op/loss.h"

/* All of one sample. */
typedef struct {
    sg_lovasz_work work;
    float *gradient; /* where the site has no place to keep it */
    double loss, weight;
    int32_t bad; /* a label that is no class, or -1 */
} sample;

typedef struct {
    sg_cpu *cpu;
    sample *sample; /* [n] owned, with what it holds */
    int64_t samples;
} lovasz_kernel;

typedef struct {
    const lovasz_kernel *kernel;
    const sg_site *site;
    const sg_io *io;
} job;

static void release(void *kernel)
{
    lovasz_kernel *k = kernel;
    if (!k)
        return;
    for (int64_t n = 0; k->sample && n < k->samples; n++) {
        sg_free(k->sample[n].work.key[0]);
        sg_free(k->sample[n].work.key[1]);
        sg_free(k->sample[n].work.share);
        sg_free(k->sample[n].gradient);
    }
    sg_free(k->sample);
    sg_free(k);
}

static sg_err make_sample(const sg_site *site, sample *s)
{
    size_t pixels = (size_t)(site->in[0].h * site->in[0].w), count = pixels * (size_t)site->in[0].c;
    sg_err err = sg_malloc(pixels, sizeof(uint64_t), &s->work.key[0]);
    if (!err)
        err = sg_malloc(pixels, sizeof(uint64_t), &s->work.key[1]);
    if (!err)
        err = sg_malloc(count, sizeof(float), &s->work.share);
    if (!err && site->saved_bytes == 0)
        err = sg_malloc(count, sizeof(float), &s->gradient);
    return err;
}

static sg_err prepare(sg_backend *backend, const sg_site *site, void **kernel)
{
    lovasz_kernel *k = NULL;
    sg_err err = sg_calloc(1, sizeof *k, &k);
    if (err)
        return err;
    k->cpu = (sg_cpu *)backend;
    k->samples = site->in[0].n;
    err = sg_calloc((size_t)k->samples, sizeof *k->sample, &k->sample);
    for (int64_t n = 0; !err && n < k->samples; n++)
        err = make_sample(site, &k->sample[n]);
    if (err)
        release(k);
    else
        *kernel = k;
    return err;
}

/* Items: samples. */
static void run_samples(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const sg_shape in = j->site->in[0];
    const int64_t pixels = in.h * in.w;
    for (int64_t n = begin; n < end; n++) {
        sample *s = &j->kernel->sample[n];
        const uint8_t *labels = j->io->labels + n * pixels;
        float *gradient = j->io->saved ? (float *)j->io->saved + n * pixels * in.c : s->gradient;
        s->weight = sg_loss_weight(labels, pixels, in.c, j->io->run->class_weight, &s->bad);
        if (s->bad < 0)
            s->loss =
                sg_lovasz_sample(j->io->in[0], j->site->in_type[0], (size_t)(n * pixels * in.c),
                                 labels, pixels, in.c, s->weight, &s->work, gradient);
    }
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    const lovasz_kernel *k = kernel;
    job j = {k, site, io};
    double loss = 0, weight = 0;
    sg_cpu_for(k->cpu, k->samples, 1, run_samples, &j);
    for (int64_t n = 0; n < k->samples; n++) {
        if (k->sample[n].bad >= 0)
            return sg_loss_bad_label(k->sample[n].bad, site->in[0].c);
        loss += k->sample[n].loss;
        weight += k->sample[n].weight;
    }
    sg_store(io->out, site->out_type, 0, sg_loss_report(site->node, io->run, loss, weight));
    return SG_OK;
}

static void scale_row(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const float *gradient = j->io->saved;
    const float scale = j->io->run->loss_scale * j->site->node->attr.loss.weight;
    float row[SG_ROW];
    for (int64_t first = begin; first < end; first += SG_ROW) {
        int64_t count = sg_min64(SG_ROW, end - first);
        for (int64_t i = 0; i < count; i++)
            row[i] = scale * gradient[first + i];
        sg_row_put(j->io->grad_in[0], j->site->grad_type, j->site->write[0], (size_t)first,
                   (size_t)count, row);
    }
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    const lovasz_kernel *k = kernel;
    job j = {k, site, io};
    if (site->write[0] != SG_GRAD_NONE)
        sg_cpu_for(k->cpu, (int64_t)sg_shape_count(site->in[0]), 16 * SG_ROW, scale_row, &j);
    return SG_OK;
}

const sg_kernel_def sg_cpu_lovasz_loss = {
    .prepare = prepare, .forward = forward, .backward = backward, .release = release};
