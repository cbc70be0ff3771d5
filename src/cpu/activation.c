/* An activation on its own. */
#include "base/size.h"
#include "cpu/device.h"
#include "cpu/rows.h"

typedef struct {
    const sg_site *site;
    const sg_io *io;
} job;

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
        sg_row_act(site->node->act, to, count);
        sg_row_store(j->io->out, site->out_type, i, count, to);
    }
}

static void backward_rows(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const sg_site *site = j->site;
    const bool from_input = site->node->act == SG_ACT_SILU;
    const void *values = from_input ? j->io->in[0] : j->io->out;
    sg_dtype type = from_input ? site->in_type[0] : site->out_type;
    float value[SG_ROW], up[SG_ROW], out[SG_ROW];
    for (size_t i = (size_t)begin; i < (size_t)end; i += SG_ROW) {
        size_t count = (size_t)sg_min64(SG_ROW, end - (int64_t)i);
        const float *y = sg_row_load(values, type, i, count, value);
        const float *gradient = sg_row_load(j->io->grad_out, site->grad_type, i, count, up);
        float *to = sg_row_gradient(j->io->grad_in[0], site->grad_type, site->write[0], i, out);
        sg_row_act_gradient(site->node->act, y, gradient, to, count);
        sg_row_put(j->io->grad_in[0], site->grad_type, site->write[0], i, count, to);
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
    if (site->write[0] != SG_GRAD_NONE)
        sg_cpu_for(kernel, (int64_t)sg_shape_count(site->out), 16 * SG_ROW, backward_rows, &j);
    return SG_OK;
}

const sg_kernel_def sg_cpu_activation = {
    .prepare = sg_cpu_prepare_plain,
    .forward = forward,
    .backward = backward,
    .release = sg_cpu_release_plain,
};
