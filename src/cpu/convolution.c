#include "cpu/convolution.h"

#include "base/size.h"
#include "cpu/channels.h"
#include "cpu/rows.h"

enum { WEIGHT, BIAS };

typedef struct {
    sg_cpu *cpu;
    sg_conv_pass_run forward, data, weights;
    const sg_kernel_def *reference; /* NULL, or what serves the whole site instead */
    void *borrowed;                 /* its kernel */
    bool keeps;          /* silu in training: the values before it go to io->saved in f32 */
    size_t masked_bytes; /* scratch for the gradient before the activation; 0: none is fused */
} convolution;

static bool has_data(const sg_site *site)
{
    return site->training && site->write[0] != SG_GRAD_NONE;
}

static sg_onednn_spec spec_of(const sg_site *site, bool transpose, sg_conv_pass pass)
{
    return (sg_onednn_spec){
        .pass = pass,
        .transpose = transpose,
        .inference = !site->training,
        .window = &site->node->attr.window,
        .in = site->in[0],
        .out = site->out,
        .in_type = pass == SG_CONV_DATA ? site->grad_type : site->in_type[0],
        .out_type = pass == SG_CONV_FORWARD ? site->out_type : site->grad_type,
    };
}

static sg_err prepare_forward(convolution *c, const sg_site *site, bool transpose)
{
    sg_onednn_spec spec = spec_of(site, transpose, SG_CONV_FORWARD);
    int32_t act = site->node->act;
    c->keeps = site->training && act == SG_ACT_SILU;
    spec.bias = site->node->attr.window.bias;
    spec.act = c->keeps ? SG_ACT_NONE : act;
    if (c->keeps)
        spec.out_type = SG_F32;
    return sg_conv_pass_create(c->cpu, &spec, &c->forward);
}

static sg_err prepare_backward(convolution *c, const sg_site *site, bool transpose)
{
    sg_onednn_spec data = spec_of(site, transpose, SG_CONV_DATA);
    sg_onednn_spec weights = spec_of(site, transpose, SG_CONV_WEIGHTS);
    sg_err err = SG_OK;
    if (site->node->act != SG_ACT_NONE)
        err = sg_shape_bytes(site->out, site->grad_type, &c->masked_bytes);
    c->masked_bytes = (size_t)sg_round_up((int64_t)c->masked_bytes, 64);
    if (!err && has_data(site))
        err = sg_conv_pass_create(c->cpu, &data, &c->data);
    if (!err)
        err = sg_conv_pass_create(c->cpu, &weights, &c->weights);
    return err;
}

static sg_err reserve(convolution *c, const sg_site *site)
{
    size_t most = c->forward.scratch_bytes;
    size_t sums = sg_channel_sums_scratch(site->out);
    most = c->data.scratch_bytes > most ? c->data.scratch_bytes : most;
    most = c->weights.scratch_bytes > most ? c->weights.scratch_bytes : most;
    most = sums > most ? sums : most;
    return sg_cpu_reserve(c->cpu, c->masked_bytes + most);
}

static void close_passes(convolution *c)
{
    sg_conv_pass_close(&c->forward);
    sg_conv_pass_close(&c->data);
    sg_conv_pass_close(&c->weights);
}

sg_err sg_cpu_convolution_prepare(sg_cpu *cpu, const sg_site *site, bool transpose,
                                  const sg_kernel_def *reference, void **kernel)
{
    convolution *c = NULL;
    sg_err err = sg_calloc(1, sizeof *c, &c);
    if (err)
        return err;
    c->cpu = cpu;
    /* a second input is only put where the backend asks for it, and this one does not */
    err = site->inputs > 1 ? SG_EUNSUPPORTED : prepare_forward(c, site, transpose);
    if (!err && site->training)
        err = prepare_backward(c, site, transpose);
    if (!err)
        err = reserve(c, site);
    if (err == SG_EUNSUPPORTED) { /* slow but right: odd combinations only */
        close_passes(c);
        c->reference = reference;
        err = reference->prepare(&cpu->base, site, &c->borrowed);
    }
    if (err) {
        sg_cpu_convolution_release(c);
        return err;
    }
    *kernel = c;
    return SG_OK;
}

void sg_cpu_convolution_release(void *kernel)
{
    convolution *c = kernel;
    if (!c)
        return;
    if (c->reference && c->borrowed)
        c->reference->release(c->borrowed);
    close_passes(c);
    sg_free(c);
}

sg_err sg_cpu_convolution_refresh(void *kernel, const sg_site *site, const sg_io *io)
{
    convolution *c = kernel;
    const float *bias = site->node->attr.window.bias ? io->param[BIAS] : NULL;
    if (c->reference)
        return c->reference->refresh ? c->reference->refresh(c->borrowed, site, io) : SG_OK;
    sg_err err = sg_conv_pass_refresh(&c->forward, io->param[WEIGHT], bias);
    if (!err && has_data(site))
        err = sg_conv_pass_refresh(&c->data, io->param[WEIGHT], NULL);
    return err;
}

/* ---- activations ---- */

typedef struct {
    const sg_site *site;
    const sg_io *io;
    void *masked;
    const float *kept; /* values before the activation, or NULL: they stand in io->out */
} act_job;

/* out = act(kept) */
static void act_rows(void *context, int64_t begin, int64_t end)
{
    const act_job *job = context;
    float out[SG_ROW];
    for (size_t i = (size_t)begin; i < (size_t)end; i += SG_ROW) {
        size_t count = (size_t)sg_min64(SG_ROW, end - (int64_t)i);
        sg_row_store(out, SG_F32, 0, count, job->kept + i);
        sg_row_act(job->site->node->act, out, count);
        sg_row_store(job->io->out, job->site->out_type, i, count, out);
    }
}

static void mask_rows(void *context, int64_t begin, int64_t end)
{
    const act_job *job = context;
    const sg_site *site = job->site;
    float value[SG_ROW], up[SG_ROW], out[SG_ROW];
    for (size_t i = (size_t)begin; i < (size_t)end; i += SG_ROW) {
        size_t count = (size_t)sg_min64(SG_ROW, end - (int64_t)i);
        const float *y =
            job->kept ? job->kept + i : sg_row_load(job->io->out, site->out_type, i, count, value);
        const float *gradient = sg_row_load(job->io->grad_out, site->grad_type, i, count, up);
        float *to = sg_row_target(job->masked, site->grad_type, i, out);
        sg_row_act_gradient(site->node->act, y, gradient, to, count);
        sg_row_store(job->masked, site->grad_type, i, count, to);
    }
}

/* ---- passes ---- */

sg_err sg_cpu_convolution_forward(void *kernel, const sg_site *site, const sg_io *io)
{
    convolution *c = kernel;
    if (c->reference)
        return c->reference->forward(c->borrowed, site, io);
    const float *bias = site->node->attr.window.bias ? io->param[BIAS] : NULL;
    void *out = c->keeps ? io->saved : io->out;
    sg_err err = sg_conv_pass_do(&c->forward, c->cpu->scratch, (void *)io->in[0], bias, out, NULL);
    if (err || !c->keeps)
        return err;
    act_job job = {site, io, NULL, io->saved};
    sg_cpu_for(c->cpu, (int64_t)sg_shape_count(site->out), 16 * SG_ROW, act_rows, &job);
    return SG_OK;
}

sg_err sg_cpu_convolution_backward(void *kernel, const sg_site *site, const sg_io *io)
{
    convolution *c = kernel;
    if (c->reference)
        return c->reference->backward(c->borrowed, site, io);
    void *gradient = (void *)io->grad_out;
    char *scratch = (char *)c->cpu->scratch + c->masked_bytes;
    if (site->node->act != SG_ACT_NONE) {
        gradient = c->cpu->scratch;
        act_job job = {site, io, gradient, c->keeps ? io->saved : NULL};
        sg_cpu_for(c->cpu, (int64_t)sg_shape_count(site->out), 16 * SG_ROW, mask_rows, &job);
    }
    if (site->node->attr.window.bias)
        sg_channel_sums(c->cpu, gradient, site->grad_type, site->out, scratch,
                        io->param_grad[BIAS]);
    sg_err err = sg_conv_pass_do(&c->weights, scratch, (void *)io->in[0], NULL, gradient,
                                 io->param_grad[WEIGHT]);
    if (!err && has_data(site))
        err = sg_conv_pass_do(&c->data, scratch, io->grad_in[0], NULL, gradient, NULL);
    return err;
}
