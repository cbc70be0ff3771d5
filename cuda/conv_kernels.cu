#include "cuda/conv_kernels.h"

#include "cuda/act.cuh"
#include "cuda/channel_sums.cuh"

/* ---- tensors ---- */

struct view_args {
    sg_fused fused; /* where outputs go, or where gradients come from */
    const void *from;
    void *to;
    const float *bias;
    const void *added; /* like the real tensor, or NULL */
    int from_type, to_type, added_type;
    int h, w, padded_h, padded_w, top, left;
    uint32_t groups, padded_groups; /* channels / N */
    uint32_t pitch, added_pitch;    /* of the real tensor and of that, elements */
    uint32_t items;
};

template <int N, bool GRADIENT> __global__ void stage(view_args a)
{
    uint32_t item = sg_item();
    if (item >= a.items)
        return;
    uint32_t group = item % a.padded_groups, pixel = item / a.padded_groups;
    int x = (int)(pixel % (uint32_t)a.padded_w) - a.left;
    uint32_t row = pixel / (uint32_t)a.padded_w, n = row / (uint32_t)a.padded_h;
    int y = (int)(row % (uint32_t)a.padded_h) - a.top;
    sg_row<N> value = {};
    if (group < a.groups && y >= 0 && y < a.h && x >= 0 && x < a.w) {
        uint32_t at = (n * a.h + y) * a.w + x;
        if (GRADIENT)
            value = sg_fused_gradient<N>(a.fused, at * a.groups + group);
        else
            sg_read(a.from, a.from_type, (size_t)at * a.pitch + group * N, &value);
    }
    sg_write(a.to, a.to_type, (size_t)item * N, value);
}

template <int N> __global__ void finish(view_args a)
{
    uint32_t item = sg_item();
    if (item >= a.items)
        return;
    uint32_t group = item % a.groups, pixel = item / a.groups;
    uint32_t x = pixel % (uint32_t)a.w, row = pixel / (uint32_t)a.w;
    uint32_t y = row % (uint32_t)a.h, n = row / (uint32_t)a.h;
    size_t line = ((size_t)n * a.padded_h + y + a.top) * a.padded_w + x + a.left;
    sg_row<N> value, more;
    sg_read(a.from, a.from_type, (line * a.padded_groups + group) * N, &value);
    if (a.bias) {
        sg_read(a.bias, SG_F32, (size_t)group * N, &more);
        for (int i = 0; i < N; i++)
            value.v[i] += more.v[i];
    }
    if (a.added) {
        sg_read(a.added, a.added_type, sg_place<N>(item, a.groups, a.added_pitch), &more);
        for (int i = 0; i < N; i++)
            value.v[i] += more.v[i];
    }
    sg_fused_store(a.fused, item, value);
}

/* Eight channels at a time need real channels that are multiples of 8; padded ones are then too. */
static view_args args_of(const sg_conv_view *view)
{
    view_args a = {};
    int64_t unit = sg_is_wide(view->real.c) ? 8 : 1;
    a.h = (int)view->real.h;
    a.w = (int)view->real.w;
    a.padded_h = (int)view->padded.h;
    a.padded_w = (int)view->padded.w;
    a.top = (int)view->top;
    a.left = (int)view->left;
    a.groups = (uint32_t)(view->real.c / unit);
    a.padded_groups = (uint32_t)(view->padded.c / unit);
    a.pitch = (uint32_t)view->pitch;
    return a;
}

sg_err sg_conv_stage(sg_cuda *cuda, const sg_conv_view *view, const void *from, sg_dtype from_type,
                     void *to, sg_dtype to_type)
{
    view_args a = args_of(view);
    a.from = from;
    a.from_type = from_type;
    a.to = to;
    a.to_type = to_type;
    return sg_launch_rows(cuda, stage<8, false>, stage<1, false>, sg_is_wide(view->real.c),
                          sg_shape_count(view->padded), a);
}

sg_err sg_conv_stage_gradient(sg_cuda *cuda, const sg_conv_view *view, const sg_site *site,
                              const sg_io *io, void *to, sg_dtype to_type)
{
    view_args a = args_of(view);
    a.fused = sg_fused_of(site, io, io->saved);
    a.to = to;
    a.to_type = to_type;
    return sg_launch_rows(cuda, stage<8, true>, stage<1, true>, sg_is_wide(view->real.c),
                          sg_shape_count(view->padded), a);
}

sg_err sg_conv_finish(sg_cuda *cuda, const sg_conv_view *view, const float *from, const float *bias,
                      const sg_site *site, const sg_io *io)
{
    view_args a = args_of(view);
    a.fused = sg_fused_of(site, io, io->saved);
    a.from = from;
    a.from_type = SG_F32;
    a.bias = bias;
    if (site->inputs > 1) {
        a.added = io->in[1];
        a.added_type = site->in_type[1];
        a.added_pitch = (uint32_t)site->in_pitch[1];
    }
    return sg_launch_rows(cuda, finish<8>, finish<1>, sg_is_wide(view->real.c),
                          sg_shape_count(view->real), a);
}

sg_err sg_conv_crop(sg_cuda *cuda, const sg_conv_view *view, const void *from, sg_dtype from_type,
                    void *to, sg_dtype to_type)
{
    view_args a = args_of(view);
    a.fused.act = SG_ACT_NONE;
    a.fused.out = to;
    a.fused.out_type = to_type;
    a.fused.channels = (uint32_t)view->real.c;
    a.fused.pitch = (uint32_t)view->pitch;
    a.from = from;
    a.from_type = from_type;
    return sg_launch_rows(cuda, finish<8>, finish<1>, sg_is_wide(view->real.c),
                          sg_shape_count(view->real), a);
}

/* ---- bias ---- */

struct bias_args {
    sg_sum_cut cut;
    sg_fused fused;
    double *parts;
};

template <int N> __global__ void sum_bias(bias_args a)
{
    __shared__ double lanes[SG_THREADS * N];
    sg_sum_place p = sg_sum_place_of(a.cut);
    sg_row<N> sum = {};
    uint32_t channel, at;
    for (uint32_t pixel = p.begin + p.lane; p.inside && pixel < p.end; pixel += a.cut.lanes) {
        sg_row<N> gradient = sg_fused_gradient<N>(a.fused, pixel * a.cut.groups + p.group);
        for (int i = 0; i < N; i++)
            sum.v[i] += gradient.v[i];
    }
    for (int i = 0; i < N; i++)
        lanes[threadIdx.x * N + i] = sum.v[i];
    __syncthreads();
    if (!sg_sum_channel<N>(a.cut, &channel, &at))
        return;
    double all = 0;
    for (uint32_t lane = 0; lane < a.cut.lanes; lane++, at += a.cut.across * N)
        all += lanes[at];
    a.parts[(size_t)blockIdx.x * a.cut.c + channel] = all;
}

__global__ void give_bias(const double *sums, float *gradient, uint32_t channels)
{
    uint32_t c = sg_item();
    if (c < channels)
        gradient[c] = (float)sums[c];
}

size_t sg_conv_bias_scratch(const sg_site *site)
{
    sg_sum_cut cut = sg_sum_cut_of(site->out);
    return ((size_t)cut.chunks + 1) * cut.c * sizeof(double);
}

sg_err sg_conv_bias_gradient(sg_cuda *cuda, const sg_site *site, const sg_io *io, void *scratch)
{
    bias_args a = {sg_sum_cut_of(site->out), sg_fused_of(site, io, io->saved), (double *)scratch};
    double *sums = a.parts + (size_t)a.cut.chunks * a.cut.c;
    uint32_t c = a.cut.c;
    sg_err err = sg_launch(cuda, sg_is_wide(c) ? sum_bias<8> : sum_bias<1>, sg_sum_blocks(a.cut),
                           dim3(SG_THREADS), a);
    if (!err)
        err =
            sg_launch(cuda, sg_join_chunks, dim3(c), dim3(SG_JOINERS), a.parts, a.cut.chunks, sums);
    if (!err)
        err = sg_launch(cuda, give_bias, dim3((c + SG_THREADS - 1) / SG_THREADS), dim3(SG_THREADS),
                        sums, io->param_grad[1], c);
    return err;
}

/* ---- filters ---- */

struct filter_args {
    const float *from;
    void *to;
    int to_type, swapped;
    uint32_t k, taps, c, padded_k, padded_c;
    uint32_t items;
};

/* Where the parameter holds element (k, tap, c). */
static __device__ size_t param_at(const filter_args &a, uint32_t k, uint32_t tap, uint32_t c)
{
    return a.swapped ? ((size_t)c * a.taps + tap) * a.k + k : ((size_t)k * a.taps + tap) * a.c + c;
}

__global__ void stage_filter(filter_args a)
{
    uint32_t item = sg_item();
    if (item >= a.items)
        return;
    uint32_t c = item % a.padded_c, tap = item / a.padded_c % a.taps;
    uint32_t k = item / a.padded_c / a.taps;
    float value = k < a.k && c < a.c ? a.from[param_at(a, k, tap, c)] : 0;
    sg_put(a.to, a.to_type, item, value);
}

__global__ void give_filter(filter_args a)
{
    uint32_t item = sg_item();
    if (item >= a.items)
        return;
    uint32_t c = item % a.c, tap = item / a.c % a.taps, k = item / a.c / a.taps;
    size_t staged = ((size_t)k * a.taps + tap) * a.padded_c + c;
    sg_put(a.to, SG_F32, param_at(a, k, tap, c), a.from[staged]);
}

static filter_args filter_args_of(const sg_filter_view *view, const float *from, void *to,
                                  sg_dtype to_type)
{
    filter_args a = {from, to, to_type, view->swapped};
    a.k = (uint32_t)view->k;
    a.taps = (uint32_t)view->taps;
    a.c = (uint32_t)view->c;
    a.padded_k = (uint32_t)view->padded_k;
    a.padded_c = (uint32_t)view->padded_c;
    return a;
}

sg_err sg_conv_stage_filter(sg_cuda *cuda, const sg_filter_view *view, const float *param, void *to,
                            sg_dtype to_type)
{
    return sg_launch_items(cuda, stage_filter,
                           (size_t)(view->padded_k * view->taps * view->padded_c),
                           filter_args_of(view, param, to, to_type));
}

sg_err sg_conv_give_filter(sg_cuda *cuda, const sg_filter_view *view, const float *staged,
                           float *param_grad)
{
    return sg_launch_items(cuda, give_filter, (size_t)(view->k * view->taps * view->c),
                           filter_args_of(view, staged, param_grad, SG_F32));
}
