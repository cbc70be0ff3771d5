/*
 * Operators that work element by element: activation, add, and the input, where nothing is
 * computed.
 *
 * Numerical contract. Elements are widened to f32, computed in f32 (sums in the order of the
 * inputs) and rounded once. Outputs are overwritten; gradients are stored or added, as the site
 * says. A fused activation's slope comes from the rounded output, silu's from the kept f32 values
 * before it.
 */
#include "cuda/act.cuh"

struct act_args {
    const void *in, *out, *grad_out;
    void *to; /* the output, or the gradient of the input */
    int in_type, out_type, grad_type, act, write;
    uint32_t channels, in_pitch, out_pitch, to_pitch;
    uint32_t items;
};

template <int N> __global__ void act_forward(act_args a)
{
    uint32_t item = sg_item(), groups = a.channels / N;
    if (item >= a.items)
        return;
    sg_row<N> x;
    sg_read(a.in, a.in_type, sg_place<N>(item, groups, a.in_pitch), &x);
    for (int i = 0; i < N; i++)
        x.v[i] = sg_act_value(a.act, x.v[i]);
    sg_write(a.to, a.out_type, sg_place<N>(item, groups, a.to_pitch), x);
}

template <int N> __global__ void act_backward(act_args a)
{
    uint32_t item = sg_item(), groups = a.channels / N;
    if (item >= a.items)
        return;
    bool before = a.act == SG_ACT_SILU; /* only what the operator says it needs is there */
    sg_row<N> value, gradient;
    sg_read(before ? a.in : a.out, before ? a.in_type : a.out_type,
            sg_place<N>(item, groups, before ? a.in_pitch : a.out_pitch), &value);
    sg_read(a.grad_out, a.grad_type, sg_place<N>(item, groups, a.out_pitch), &gradient);
    for (int i = 0; i < N; i++)
        gradient.v[i] *=
            before ? sg_act_slope_before(a.act, value.v[i]) : sg_act_slope_after(a.act, value.v[i]);
    sg_put_gradient(a.to, a.grad_type, a.write, sg_place<N>(item, groups, a.to_pitch), gradient);
}

static act_args act_args_of(const sg_site *site, const sg_io *io, void *to, int64_t to_pitch)
{
    act_args a = {io->in[0],        io->out,        io->grad_out,    to,
                  site->in_type[0], site->out_type, site->grad_type, site->node->act,
                  site->write[0]};
    a.channels = (uint32_t)site->out.c;
    a.in_pitch = (uint32_t)site->in_pitch[0];
    a.out_pitch = (uint32_t)site->out_pitch;
    a.to_pitch = (uint32_t)to_pitch;
    return a;
}

static sg_err forward_act(void *kernel, const sg_site *site, const sg_io *io)
{
    return sg_launch_rows((sg_cuda *)kernel, act_forward<8>, act_forward<1>,
                          sg_is_wide(site->out.c), sg_shape_count(site->out),
                          act_args_of(site, io, io->out, site->out_pitch));
}

static sg_err backward_act(void *kernel, const sg_site *site, const sg_io *io)
{
    if (site->write[0] == SG_GRAD_NONE)
        return SG_OK;
    return sg_launch_rows((sg_cuda *)kernel, act_backward<8>, act_backward<1>,
                          sg_is_wide(site->out.c), sg_shape_count(site->out),
                          act_args_of(site, io, io->grad_in[0], site->grad_pitch[0]));
}

extern "C" const sg_kernel_def sg_cuda_activation = {
    sg_cuda_prepare_plain,         NULL, forward_act, backward_act, sg_cuda_release_plain,
    SG_PITCHED_IN | SG_PITCHED_OUT};

/* ---- add ---- */

struct add_args {
    sg_fused fused;
    const void *in[SG_MAX_INPUTS];
    void *grad_in[SG_MAX_INPUTS];
    int in_type[SG_MAX_INPUTS], write[SG_MAX_INPUTS], inputs;
    uint32_t in_pitch[SG_MAX_INPUTS], grad_pitch[SG_MAX_INPUTS];
    uint32_t items;
};

template <int N> __global__ void add_forward(add_args a)
{
    uint32_t item = sg_item(), groups = a.fused.channels / N;
    if (item >= a.items)
        return;
    sg_row<N> sum, x;
    sg_read(a.in[0], a.in_type[0], sg_place<N>(item, groups, a.in_pitch[0]), &sum);
    for (int k = 1; k < a.inputs; k++) {
        sg_read(a.in[k], a.in_type[k], sg_place<N>(item, groups, a.in_pitch[k]), &x);
        for (int i = 0; i < N; i++)
            sum.v[i] += x.v[i];
    }
    sg_fused_store(a.fused, item, sum);
}

template <int N> __global__ void add_backward(add_args a)
{
    uint32_t item = sg_item(), groups = a.fused.channels / N;
    if (item >= a.items)
        return;
    sg_row<N> gradient = sg_fused_gradient<N>(a.fused, item);
    for (int k = 0; k < a.inputs; k++)
        if (a.write[k] != SG_GRAD_NONE)
            sg_put_gradient(a.grad_in[k], a.fused.grad_type, a.write[k],
                            sg_place<N>(item, groups, a.grad_pitch[k]), gradient);
}

static add_args add_args_of(const sg_site *site, const sg_io *io)
{
    add_args a = {};
    a.fused = sg_fused_of(site, io, io->saved);
    a.inputs = site->inputs;
    for (int k = 0; k < site->inputs; k++) {
        a.in[k] = io->in[k];
        a.grad_in[k] = io->grad_in[k];
        a.in_type[k] = site->in_type[k];
        a.write[k] = site->write[k];
        a.in_pitch[k] = (uint32_t)site->in_pitch[k];
        a.grad_pitch[k] = (uint32_t)site->grad_pitch[k];
    }
    return a;
}

static sg_err forward_add(void *kernel, const sg_site *site, const sg_io *io)
{
    return sg_launch_rows((sg_cuda *)kernel, add_forward<8>, add_forward<1>,
                          sg_is_wide(site->out.c), sg_shape_count(site->out),
                          add_args_of(site, io));
}

static sg_err backward_add(void *kernel, const sg_site *site, const sg_io *io)
{
    return sg_launch_rows((sg_cuda *)kernel, add_backward<8>, add_backward<1>,
                          sg_is_wide(site->out.c), sg_shape_count(site->out),
                          add_args_of(site, io));
}

extern "C" const sg_kernel_def sg_cuda_add = {
    sg_cuda_prepare_plain,         NULL, forward_add, backward_add, sg_cuda_release_plain,
    SG_PITCHED_IN | SG_PITCHED_OUT};

/* ---- input ---- */

static sg_err nothing(void *kernel, const sg_site *site, const sg_io *io)
{
    return SG_OK;
}

extern "C" const sg_kernel_def sg_cuda_input = {sg_cuda_prepare_plain, NULL, nothing, nothing,
                                                sg_cuda_release_plain};
