/* Sum of tensors of one shape in f32, in the order of the inputs, with a fused activation. */
#include "base/size.h"
#include "cpu/device.h"
#include "cpu/rows.h"

typedef struct {
    const sg_site *site;
    const sg_io *io;
} job;

static bool keeps(const sg_site *site)
{
    return site->training && site->node->act == SG_ACT_SILU;
}

static void forward_rows(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const sg_site *site = j->site;
    float in[SG_ROW], out[SG_ROW];
    for (size_t i = (size_t)begin; i < (size_t)end; i += SG_ROW) {
        size_t count = (size_t)sg_min64(SG_ROW, end - (int64_t)i);
        float *to = sg_row_target(j->io->out, site->out_type, i, out);
        sg_row_store(to, SG_F32, 0, count,
                     sg_row_load(j->io->in[0], site->in_type[0], i, count, in));
        for (int32_t k = 1; k < site->inputs; k++)
            sg_row_add(to, sg_row_load(j->io->in[k], site->in_type[k], i, count, in), count);
        if (keeps(site))
            sg_row_store(j->io->saved, SG_F32, i, count, to);
        sg_row_act(site->node->act, to, count);
        sg_row_store(j->io->out, site->out_type, i, count, to);
    }
}

static void backward_rows(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const sg_site *site = j->site;
    const void *values = keeps(site) ? j->io->saved : j->io->out;
    sg_dtype type = keeps(site) ? SG_F32 : site->out_type;
    float value[SG_ROW], up[SG_ROW], masked[SG_ROW];
    for (size_t i = (size_t)begin; i < (size_t)end; i += SG_ROW) {
        size_t count = (size_t)sg_min64(SG_ROW, end - (int64_t)i);
        const float *gradient = sg_row_load(j->io->grad_out, site->grad_type, i, count, up);
        if (site->node->act != SG_ACT_NONE) {
            const float *y = sg_row_load(values, type, i, count, value);
            sg_row_act_gradient(site->node->act, y, gradient, masked, count);
            gradient = masked;
        }
        for (int32_t k = 0; k < site->inputs; k++)
            if (site->write[k] != SG_GRAD_NONE)
                sg_row_put(j->io->grad_in[k], site->grad_type, site->write[k], i, count, gradient);
    }
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    job j = {site, io};
    sg_cpu_for(kernel, (int64_t)sg_shape_count(site->out), 16 * SG_ROW, forward_rows, &j);
    return SG_OK;
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    job j = {site, io};
    sg_cpu_for(kernel, (int64_t)sg_shape_count(site->out), 16 * SG_ROW, backward_rows, &j);
    return SG_OK;
}

const sg_kernel_def sg_cpu_add = {
    .prepare = sg_cpu_prepare_plain,
    .forward = forward,
    .backward = backward,
    .release = sg_cpu_release_plain,
};
