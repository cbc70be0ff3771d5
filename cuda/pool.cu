/*
 * Max and mean pooling over windows.
 *
 * Numerical contract. Max: padded with -infinity, the first of equal values in row-major order
 * wins, NaN wins over all; saved holds which element of its window each output took, or NO_PIXEL.
 * Mean: f32 sums in row-major order, divided by the window or by its real pixels (exclude_pad).
 * Gradients are gathered by input pixel, windows in row-major order, in f32, and stored or added.
 */
#include "cuda/launch.cuh"

#include <math.h>

enum { NO_PIXEL = 255 };

struct pool_args {
    const void *in, *grad_out;
    void *out, *grad_in;
    uint8_t *chosen; /* [n][oh][ow][c], or NULL */
    int in_type, out_type, grad_type, write, exclude_pad;
    int kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, top, left;
    int h, w, oh, ow;
    uint32_t groups; /* c / N */
    uint32_t in_pitch, out_pitch, grad_pitch;
    uint32_t items;
};

/* Which pixel of an image, and its first channel, an item is. */
struct place {
    uint32_t n;
    int y, x;
    uint32_t group;
};

static __device__ place place_of(uint32_t item, uint32_t groups, int h, int w)
{
    place p;
    uint32_t pixel = item / groups, row = pixel / (uint32_t)w;
    p.group = item % groups;
    p.x = (int)(pixel % (uint32_t)w);
    p.y = (int)(row % (uint32_t)h);
    p.n = row / (uint32_t)h;
    return p;
}

template <int N> static __device__ size_t in_at(const pool_args &a, const place &p, int y, int x)
{
    return (((size_t)p.n * a.h + y) * a.w + x) * a.in_pitch + p.group * N;
}

static __device__ size_t out_pixel(const pool_args &a, const place &p, int y, int x)
{
    return ((size_t)p.n * a.oh + y) * a.ow + x;
}

/* The output whose tap k reads input i, or -1. */
static __device__ int reader(int i, int k, int pad, int stride, int dilation, int outputs)
{
    int start = i + pad - k * dilation;
    return start < 0 || start % stride || start / stride >= outputs ? -1 : start / stride;
}

/* ---- max ---- */

template <int N> __global__ void max_forward(pool_args a)
{
    uint32_t item = sg_item();
    if (item >= a.items)
        return;
    place p = place_of(item, a.groups, a.oh, a.ow);
    sg_row<N> best, value;
    uint8_t from[N];
    for (int i = 0; i < N; i++) {
        best.v[i] = -INFINITY;
        from[i] = NO_PIXEL;
    }
    for (int k = 0; k < a.kernel_h * a.kernel_w; k++) {
        int y = p.y * a.stride_h - a.top + k / a.kernel_w * a.dilation_h;
        int x = p.x * a.stride_w - a.left + k % a.kernel_w * a.dilation_w;
        if (y < 0 || y >= a.h || x < 0 || x >= a.w)
            continue;
        sg_read(a.in, a.in_type, in_at<N>(a, p, y, x), &value);
        for (int i = 0; i < N; i++)
            if (from[i] == NO_PIXEL || value.v[i] > best.v[i] || isnan(value.v[i])) {
                best.v[i] = value.v[i];
                from[i] = (uint8_t)k;
            }
    }
    sg_write(a.out, a.out_type, sg_place<N>(item, a.groups, a.out_pitch), best);
    for (int i = 0; a.chosen && i < N; i++)
        a.chosen[(size_t)item * N + i] = from[i];
}

template <int N> __global__ void max_backward(pool_args a)
{
    uint32_t item = sg_item();
    if (item >= a.items)
        return;
    place p = place_of(item, a.groups, a.h, a.w);
    sg_row<N> sum = {}, gradient;
    for (int ky = a.kernel_h - 1; ky >= 0; ky--) {
        int y = reader(p.y, ky, a.top, a.stride_h, a.dilation_h, a.oh);
        for (int kx = a.kernel_w - 1; y >= 0 && kx >= 0; kx--) {
            int x = reader(p.x, kx, a.left, a.stride_w, a.dilation_w, a.ow);
            if (x < 0)
                continue;
            size_t pixel = out_pixel(a, p, y, x), at = (pixel * a.groups + p.group) * N;
            sg_read(a.grad_out, a.grad_type, pixel * a.out_pitch + p.group * N, &gradient);
            for (int i = 0; i < N; i++)
                if (a.chosen[at + i] == ky * a.kernel_w + kx)
                    sum.v[i] += gradient.v[i];
        }
    }
    sg_put_gradient(a.grad_in, a.grad_type, a.write, sg_place<N>(item, a.groups, a.grad_pitch),
                    sum);
}

/* ---- mean ---- */

/* What the window of output (y, x) is divided by. */
static __device__ float divisor(const pool_args &a, int y, int x)
{
    int top = y * a.stride_h - a.top, left = x * a.stride_w - a.left;
    if (!a.exclude_pad)
        return (float)(a.kernel_h * a.kernel_w);
    return (float)((min(top + a.kernel_h, a.h) - max(top, 0)) *
                   (min(left + a.kernel_w, a.w) - max(left, 0)));
}

template <int N> __global__ void mean_forward(pool_args a)
{
    uint32_t item = sg_item();
    if (item >= a.items)
        return;
    place p = place_of(item, a.groups, a.oh, a.ow);
    int top = p.y * a.stride_h - a.top, left = p.x * a.stride_w - a.left;
    float by = divisor(a, p.y, p.x);
    sg_row<N> sum = {}, value;
    for (int y = max(top, 0); y < min(top + a.kernel_h, a.h); y++)
        for (int x = max(left, 0); x < min(left + a.kernel_w, a.w); x++) {
            sg_read(a.in, a.in_type, in_at<N>(a, p, y, x), &value);
            for (int i = 0; i < N; i++)
                sum.v[i] += value.v[i];
        }
    for (int i = 0; i < N; i++)
        sum.v[i] /= by;
    sg_write(a.out, a.out_type, sg_place<N>(item, a.groups, a.out_pitch), sum);
}

template <int N> __global__ void mean_backward(pool_args a)
{
    uint32_t item = sg_item();
    if (item >= a.items)
        return;
    place p = place_of(item, a.groups, a.h, a.w);
    sg_row<N> sum = {}, gradient;
    for (int ky = a.kernel_h - 1; ky >= 0; ky--) {
        int y = reader(p.y, ky, a.top, a.stride_h, 1, a.oh);
        for (int kx = a.kernel_w - 1; y >= 0 && kx >= 0; kx--) {
            int x = reader(p.x, kx, a.left, a.stride_w, 1, a.ow);
            if (x < 0)
                continue;
            float by = divisor(a, y, x);
            sg_read(a.grad_out, a.grad_type, out_pixel(a, p, y, x) * a.out_pitch + p.group * N,
                    &gradient);
            for (int i = 0; i < N; i++)
                sum.v[i] += gradient.v[i] / by;
        }
    }
    sg_put_gradient(a.grad_in, a.grad_type, a.write, sg_place<N>(item, a.groups, a.grad_pitch),
                    sum);
}

/* ---- calls ---- */

static pool_args args_of(const sg_site *site, const sg_io *io)
{
    const sg_window_attr *w = &site->node->attr.window;
    pool_args a = {};
    a.in = io->in[0];
    a.grad_out = io->grad_out;
    a.out = io->out;
    a.grad_in = io->grad_in[0];
    a.chosen = site->training ? (uint8_t *)io->saved : NULL;
    a.in_type = site->in_type[0];
    a.out_type = site->out_type;
    a.grad_type = site->grad_type;
    a.write = site->write[0];
    a.exclude_pad = w->exclude_pad;
    a.kernel_h = w->kernel_h;
    a.kernel_w = w->kernel_w;
    a.stride_h = w->stride_h;
    a.stride_w = w->stride_w;
    a.dilation_h = w->dilation_h;
    a.dilation_w = w->dilation_w;
    a.top = w->pad.top;
    a.left = w->pad.left;
    a.h = (int)site->in[0].h;
    a.w = (int)site->in[0].w;
    a.oh = (int)site->out.h;
    a.ow = (int)site->out.w;
    a.in_pitch = (uint32_t)site->in_pitch[0];
    a.out_pitch = (uint32_t)site->out_pitch;
    a.grad_pitch = (uint32_t)site->grad_pitch[0];
    a.groups = (uint32_t)(sg_is_wide(site->out.c) ? site->out.c / 8 : site->out.c);
    return a;
}

/* A kernel for eight channels at once, and one for any number. */
typedef void (*pool_kernel)(pool_args);

static sg_err launch(void *kernel, const sg_site *site, const sg_io *io, sg_shape items,
                     pool_kernel wide, pool_kernel narrow)
{
    return sg_launch_rows((sg_cuda *)kernel, wide, narrow, sg_is_wide(site->out.c),
                          sg_shape_count(items), args_of(site, io));
}

static sg_err launch_backward(void *kernel, const sg_site *site, const sg_io *io, pool_kernel wide,
                              pool_kernel narrow)
{
    if (site->write[0] == SG_GRAD_NONE)
        return SG_OK;
    return launch(kernel, site, io, site->in[0], wide, narrow);
}

static sg_err forward_max(void *kernel, const sg_site *site, const sg_io *io)
{
    return launch(kernel, site, io, site->out, max_forward<8>, max_forward<1>);
}

static sg_err backward_max(void *kernel, const sg_site *site, const sg_io *io)
{
    return launch_backward(kernel, site, io, max_backward<8>, max_backward<1>);
}

static sg_err forward_mean(void *kernel, const sg_site *site, const sg_io *io)
{
    return launch(kernel, site, io, site->out, mean_forward<8>, mean_forward<1>);
}

static sg_err backward_mean(void *kernel, const sg_site *site, const sg_io *io)
{
    return launch_backward(kernel, site, io, mean_backward<8>, mean_backward<1>);
}

extern "C" const sg_kernel_def sg_cuda_max_pool = {
    sg_cuda_prepare_plain,         NULL, forward_max, backward_max, sg_cuda_release_plain,
    SG_PITCHED_IN | SG_PITCHED_OUT};

extern "C" const sg_kernel_def sg_cuda_avg_pool = {
    sg_cuda_prepare_plain,         NULL, forward_mean, backward_mean, sg_cuda_release_plain,
    SG_PITCHED_IN | SG_PITCHED_OUT};
