/* Dropout: the reference's mask, four elements of one random draw at a time. */
#include "base/rng.h"
#include "base/size.h"
#include "cpu/device.h"
#include "cpu/rows.h"
#include "nn/op/op_common.h"

typedef struct {
    const sg_site *site;
    const sg_io *io;
    uint64_t key;
    size_t sample; /* elements */
} job;

/* The factors on elements [index, index + count) of the batch. */
static void factors(const job *j, size_t index, size_t count, float *factor)
{
    float rate = j->site->node->attr.dropout.rate, kept = 1 / (1 - rate);
    sg_random4 r = {{0}};
    size_t drawn = SIZE_MAX;
    for (size_t i = index; i < index + count; i++) {
        size_t element = i % j->sample, sample = i / j->sample;
        size_t draw = sample * (j->sample / 4 + 1) + element / 4;
        if (draw != drawn)
            r = sg_random(j->key, SG_STREAM_DROPOUT, j->io->run->first_sample + sample,
                          (uint32_t)(element / 4));
        drawn = draw;
        factor[i - index] = sg_uniform(r.v[element % 4]) >= rate ? kept : 0;
    }
}

/* A dropped infinity is 0, not NaN. */
SG_CLONES static void multiply(const float *x, const float *factor, float *y, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float product = x[i] * factor[i];
        y[i] = factor[i] > 0 ? product : 0;
    }
}

static void forward_rows(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const sg_site *site = j->site;
    float in[SG_ROW], out[SG_ROW], factor[SG_ROW];
    for (size_t i = (size_t)begin; i < (size_t)end; i += SG_ROW) {
        size_t count = (size_t)sg_min64(SG_ROW, end - (int64_t)i);
        const float *x = sg_row_load(j->io->in[0], site->in_type[0], i, count, in);
        float *to = sg_row_target(j->io->out, site->out_type, i, out);
        if (site->training) {
            factors(j, i, count, factor);
            multiply(x, factor, to, count);
            x = to;
        }
        sg_row_store(j->io->out, site->out_type, i, count, x);
    }
}

static void backward_rows(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const sg_site *site = j->site;
    float up[SG_ROW], out[SG_ROW], factor[SG_ROW];
    for (size_t i = (size_t)begin; i < (size_t)end; i += SG_ROW) {
        size_t count = (size_t)sg_min64(SG_ROW, end - (int64_t)i);
        const float *gradient = sg_row_load(j->io->grad_out, site->grad_type, i, count, up);
        float *to = sg_row_gradient(j->io->grad_in[0], site->grad_type, site->write[0], i, out);
        factors(j, i, count, factor);
        multiply(gradient, factor, to, count);
        sg_row_put(j->io->grad_in[0], site->grad_type, site->write[0], i, count, to);
    }
}

static job job_of(const sg_site *site, const sg_io *io)
{
    size_t sample = sg_shape_count(site->out) / (size_t)site->out.n;
    return (job){site, io, site->training ? sg_dropout_key(io->run, site->node) : 0, sample};
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    job j = job_of(site, io);
    sg_cpu_for(kernel, (int64_t)sg_shape_count(site->out), 16 * SG_ROW, forward_rows, &j);
    return SG_OK;
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    job j = job_of(site, io);
    if (site->write[0] != SG_GRAD_NONE)
        sg_cpu_for(kernel, (int64_t)sg_shape_count(site->out), 16 * SG_ROW, backward_rows, &j);
    return SG_OK;
}

const sg_kernel_def sg_cpu_dropout = {
    .prepare = sg_cpu_prepare_plain,
    .forward = forward,
    .backward = backward,
    .release = sg_cpu_release_plain,
};
