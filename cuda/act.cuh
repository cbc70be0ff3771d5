/*
 * Activations of one number, alone and fused into an operator's result. For .cu files. Values and
 * slopes are f32, by the formulas of nn/op/act.c; NaN passes through.
 */
#ifndef SG_CUDA_ACT_CUH
#define SG_CUDA_ACT_CUH

#include "cuda/launch.cuh"

static __device__ inline float sg_sigmoid(float x)
{
    return 1.0f / (1.0f + expf(-x));
}

static __device__ inline float sg_act_value(int act, float x)
{
    switch (act) {
    case SG_ACT_RELU:
        return x < 0 ? 0 : x;
    case SG_ACT_RELU6:
        return x < 0 ? 0 : x > 6 ? 6 : x;
    case SG_ACT_LEAKY:
        return x > 0 ? x : .01f * x;
    case SG_ACT_SILU:
        return x * sg_sigmoid(x);
    case SG_ACT_SIGMOID:
        return sg_sigmoid(x);
    default:
        return x;
    }
}

/* The slope from the value y after the activation; silu's is not a function of it. */
static __device__ inline float sg_act_slope_after(int act, float y)
{
    switch (act) {
    case SG_ACT_RELU:
        return y > 0 ? 1 : 0;
    case SG_ACT_RELU6:
        return y > 0 && y < 6 ? 1 : 0;
    case SG_ACT_LEAKY:
        return y > 0 ? 1 : .01f;
    case SG_ACT_SIGMOID:
        return y * (1 - y);
    default:
        return 1;
    }
}

/* The slope from the value x before it. */
static __device__ inline float sg_act_slope_before(int act, float x)
{
    float s;
    switch (act) {
    case SG_ACT_SILU:
        s = sg_sigmoid(x);
        return s * (1 + x * (1 - s));
    case SG_ACT_SIGMOID:
        s = sg_sigmoid(x);
        return s * (1 - s);
    default: /* the sign of x and whether it is above 6 are those of the value */
        return sg_act_slope_after(act, x);
    }
}

/* An activation fused into a result: where values before it are kept (silu), and tensors. */
struct sg_fused {
    int act, out_type, grad_type;
    void *out;
    const void *grad_out;
    float *kept;              /* values before silu, without gaps, or NULL */
    uint32_t channels, pitch; /* of out and grad_out */
};

static inline sg_fused sg_fused_of(const sg_site *site, const sg_io *io, void *kept)
{
    sg_fused f = {
        site->node->act, site->out_type, site->grad_type,       io->out,
        io->grad_out,    NULL,           (uint32_t)site->out.c, (uint32_t)site->out_pitch};
    if (site->training && site->node->act == SG_ACT_SILU)
        f.kept = (float *)kept;
    return f;
}

/* item: N channels of a pixel. */
template <int N>
static __device__ inline void sg_fused_store(const sg_fused &f, uint32_t item, sg_row<N> row)
{
    if (f.kept)
        sg_write(f.kept, SG_F32, (size_t)item * N, row);
    for (int i = 0; i < N; i++)
        row.v[i] = sg_act_value(f.act, row.v[i]);
    sg_write(f.out, f.out_type, sg_place<N>(item, f.channels / N, f.pitch), row);
}

/* The gradient before the activation. */
template <int N>
static __device__ inline sg_row<N> sg_fused_gradient(const sg_fused &f, uint32_t item)
{
    sg_row<N> row, value;
    size_t at = sg_place<N>(item, f.channels / N, f.pitch);
    sg_read(f.grad_out, f.grad_type, at, &row);
    if (f.act == SG_ACT_NONE)
        return row;
    if (f.kept)
        sg_read(f.kept, SG_F32, (size_t)item * N, &value);
    else
        sg_read(f.out, f.out_type, at, &value);
    for (int i = 0; i < N; i++)
        row.v[i] *=
            f.kept ? sg_act_slope_before(f.act, value.v[i]) : sg_act_slope_after(f.act, value.v[i]);
    return row;
}

#endif
