/* Softmax over the channels of each pixel, sums in f32 in channel order. */
#include "base/size.h"
#include "cpu/class_rows.h"
#include "cpu/device.h"

typedef struct {
    const sg_site *site;
    const sg_io *io;
} job;

typedef struct {
    sg_cpu *cpu;
    void *borrowed; /* of the reference */
    bool borrows;   /* more channels than a row buffer holds */
} softmax;

static void release(void *kernel)
{
    softmax *s = kernel;
    if (s && s->borrowed)
        sg_reference_softmax.release(s->borrowed);
    sg_free(s);
}

static sg_err prepare(sg_backend *backend, const sg_site *site, void **kernel)
{
    softmax *s = NULL;
    sg_err err = sg_calloc(1, sizeof *s, &s);
    if (err)
        return err;
    s->cpu = (sg_cpu *)backend;
    s->borrows = site->out.c > SG_ROW;
    if (s->borrows)
        err = sg_reference_softmax.prepare(backend, site, &s->borrowed);
    if (err) {
        release(s);
        return err;
    }
    *kernel = s;
    return SG_OK;
}

static void forward_row(const void *context, int64_t first, int64_t pixels)
{
    const job *j = context;
    const sg_site *site = j->site;
    int64_t c = site->out.c;
    size_t at = (size_t)(first * c), count = (size_t)(pixels * c);
    float in[SG_ROW], plane[SG_ROW], out[SG_ROW], largest[SG_ROW], sum[SG_ROW];
    sg_class_planes(sg_row_load(j->io->in[0], site->in_type[0], at, count, in), pixels, c, plane);
    sg_class_powers(plane, pixels, c, largest, sum);
    sg_class_shares(plane, pixels, c, sum);
    sg_class_rows(plane, pixels, c, out);
    sg_row_store(j->io->out, site->out_type, at, count, out);
}

/* dx = y * (dy - sum(dy * y)) */
static void backward_row(const void *context, int64_t first, int64_t pixels)
{
    const job *j = context;
    const sg_site *site = j->site;
    int64_t c = site->out.c;
    size_t at = (size_t)(first * c), count = (size_t)(pixels * c);
    float value[SG_ROW], up[SG_ROW], row[SG_ROW];
    const float *y = sg_row_load(j->io->out, site->out_type, at, count, value);
    const float *dy = sg_row_load(j->io->grad_out, site->grad_type, at, count, up);
    for (int64_t i = 0; i < pixels; i++) {
        float sum = 0;
        for (int64_t k = i * c; k < (i + 1) * c; k++)
            sum += dy[k] * y[k];
        for (int64_t k = i * c; k < (i + 1) * c; k++)
            row[k] = y[k] * (dy[k] - sum);
    }
    sg_row_put(j->io->grad_in[0], site->grad_type, site->write[0], at, count, row);
}

static int64_t pixels_of(const sg_site *site)
{
    return site->out.n * site->out.h * site->out.w;
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    const softmax *s = kernel;
    job j = {site, io};
    if (s->borrows)
        return sg_reference_softmax.forward(s->borrowed, site, io);
    sg_class_for(s->cpu, pixels_of(site), site->out.c, forward_row, &j);
    return SG_OK;
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    const softmax *s = kernel;
    job j = {site, io};
    if (s->borrows)
        return sg_reference_softmax.backward(s->borrowed, site, io);
    if (site->write[0] != SG_GRAD_NONE)
        sg_class_for(s->cpu, pixels_of(site), site->out.c, backward_row, &j);
    return SG_OK;
}

const sg_kernel_def sg_cpu_softmax = {
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .release = release,
};
