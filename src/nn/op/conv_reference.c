#include "nn/op/conv_reference.h"

#include <string.h>
#include "base/size.h"
#include "nn/op/op_common.h"

typedef struct {
    int64_t *row;        /* [out.h][kernel_h] input row of a tap, or -1 */
    int64_t *column;     /* [out.w][kernel_w] */
    float *weight;       /* [out.c][kernel_h][kernel_w][in.c / groups], rounded */
    double *grad_weight; /* like weight */
    double *grad_bias;   /* [out.c] */
    double *grad_input;  /* (h, w, c) of one sample */
} conv_kernel;

typedef int64_t (*tap_fn)(int64_t o, int64_t k, int64_t stride, int64_t pad, int64_t dilation);

static int64_t plain_tap(int64_t o, int64_t k, int64_t stride, int64_t pad, int64_t dilation)
{
    return o * stride - pad + k * dilation;
}

static int64_t transposed_tap(int64_t o, int64_t k, int64_t stride, int64_t pad, int64_t dilation)
{
    int64_t spread = o + pad - k * dilation;
    return spread % stride ? -1 : spread / stride;
}

typedef struct {
    int64_t in, out, kernel, stride, pad, dilation;
} axis;

static sg_err make_taps(const axis *a, tap_fn tap, int64_t **taps)
{
    sg_err err = sg_malloc((size_t)(a->out * a->kernel), sizeof **taps, taps);
    for (int64_t o = 0; !err && o < a->out; o++) {
        for (int64_t k = 0; k < a->kernel; k++) {
            int64_t i = tap(o, k, a->stride, a->pad, a->dilation);
            (*taps)[o * a->kernel + k] = i >= 0 && i < a->in ? i : -1;
        }
    }
    return err;
}

static size_t weight_count(const sg_site *site)
{
    const sg_window_attr *w = &site->node->attr.window;
    return (size_t)(site->out.c * w->kernel_h * w->kernel_w * (site->in[0].c / w->groups));
}

static sg_err make_sums(conv_kernel *k, const sg_site *site)
{
    sg_shape sample = site->in[0];
    sample.n = 1;
    sg_err err = sg_malloc(weight_count(site), sizeof *k->grad_weight, &k->grad_weight);
    if (!err)
        err = sg_malloc((size_t)site->out.c, sizeof *k->grad_bias, &k->grad_bias);
    if (!err)
        err = sg_malloc(sg_shape_count(sample), sizeof *k->grad_input, &k->grad_input);
    return err;
}

static sg_err prepare(const sg_site *site, tap_fn tap, void **kernel)
{
    const sg_window_attr *w = &site->node->attr.window;
    const axis rows = {site->in[0].h, site->out.h, w->kernel_h,
                       w->stride_h,   w->pad.top,  w->dilation_h};
    const axis columns = {site->in[0].w, site->out.w, w->kernel_w,
                          w->stride_w,   w->pad.left, w->dilation_w};
    conv_kernel *k = NULL;
    sg_err err = sg_calloc(1, sizeof *k, &k);
    if (err)
        return err;
    err = make_taps(&rows, tap, &k->row);
    if (!err)
        err = make_taps(&columns, tap, &k->column);
    if (!err)
        err = sg_malloc(weight_count(site), sizeof *k->weight, &k->weight);
    if (!err && site->training)
        err = make_sums(k, site);
    if (err) {
        sg_conv_release(k);
        return err;
    }
    *kernel = k;
    return SG_OK;
}

sg_err sg_conv_prepare(const sg_site *site, void **kernel)
{
    return prepare(site, plain_tap, kernel);
}

sg_err sg_conv_transpose_prepare(const sg_site *site, void **kernel)
{
    return prepare(site, transposed_tap, kernel);
}

void sg_conv_release(void *kernel)
{
    conv_kernel *k = kernel;
    if (!k)
        return;
    sg_free(k->row);
    sg_free(k->column);
    sg_free(k->weight);
    sg_free(k->grad_weight);
    sg_free(k->grad_bias);
    sg_free(k->grad_input);
    sg_free(k);
}

static void round_weights(conv_kernel *k, const sg_site *site, const float *weight)
{
    size_t count = weight_count(site);
    memcpy(k->weight, weight, count * sizeof *weight);
    for (size_t i = 0; site->in_type[0] == SG_BF16 && i < count; i++)
        k->weight[i] = sg_bf16_to_f32(sg_f32_to_bf16(weight[i]));
}

/* One pixel of the output, and the run of channels that one of its taps reads. */
typedef struct {
    int64_t n, y, x;
    const int64_t *row, *column; /* the taps of this pixel */
    size_t index;                /* of its channel 0 in the output */
} pixel;

/* Offset of input channel 0 of the group of output channel o under tap (ky, kx), or -1. */
static int64_t tap_offset(const sg_site *site, const pixel *p, int64_t o, int64_t ky, int64_t kx)
{
    const sg_shape in = site->in[0];
    int64_t groups = site->node->attr.window.groups;
    int64_t row = p->row[ky], column = p->column[kx];
    if (row < 0 || column < 0)
        return -1;
    int64_t group = o / (site->out.c / groups);
    return ((p->n * in.h + row) * in.w + column) * in.c + group * (in.c / groups);
}

typedef void (*pixel_fn)(conv_kernel *k, const sg_site *site, const sg_io *io, const pixel *p);

static void each_pixel(conv_kernel *k, const sg_site *site, const sg_io *io, int64_t n,
                       pixel_fn apply)
{
    const sg_window_attr *w = &site->node->attr.window;
    const sg_shape out = site->out;
    for (int64_t y = 0; y < out.h; y++) {
        for (int64_t x = 0; x < out.w; x++) {
            pixel p = {.n = n, .y = y, .x = x};
            p.row = k->row + y * w->kernel_h;
            p.column = k->column + x * w->kernel_w;
            p.index = (size_t)(((n * out.h + y) * out.w + x) * out.c);
            apply(k, site, io, &p);
        }
    }
}

static double dot(const void *in, sg_dtype type, size_t offset, const float *weight, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)sg_load(in, type, offset + (size_t)i) * weight[i];
    return sum;
}

static void forward_pixel(conv_kernel *k, const sg_site *site, const sg_io *io, const pixel *p)
{
    const sg_window_attr *w = &site->node->attr.window;
    int64_t depth = site->in[0].c / w->groups;
    const float *weight = k->weight;
    for (int64_t o = 0; o < site->out.c; o++) {
        double sum = 0;
        for (int64_t ky = 0; ky < w->kernel_h; ky++) {
            for (int64_t kx = 0; kx < w->kernel_w; kx++, weight += depth) {
                int64_t offset = tap_offset(site, p, o, ky, kx);
                if (offset >= 0)
                    sum += dot(io->in[0], site->in_type[0], (size_t)offset, weight, depth);
            }
        }
        if (w->bias)
            sum += io->param[1][o];
        if (site->inputs > 1)
            sum += sg_load(io->in[1], site->in_type[1], p->index + (size_t)o);
        sg_fused_act_store(site, io, io->saved, p->index + (size_t)o, (float)sum);
    }
}

sg_err sg_conv_forward(void *kernel, const sg_site *site, const sg_io *io)
{
    round_weights(kernel, site, io->param[0]);
    for (int64_t n = 0; n < site->out.n; n++)
        each_pixel(kernel, site, io, n, forward_pixel);
    return SG_OK;
}

static void backward_weight(const sg_site *site, const sg_io *io, double *sum, size_t offset,
                            double gradient)
{
    int64_t depth = site->in[0].c / site->node->attr.window.groups;
    for (int64_t i = 0; i < depth; i++)
        sum[i] += gradient * sg_load(io->in[0], site->in_type[0], offset + (size_t)i);
}

static void backward_input(conv_kernel *k, const sg_site *site, const float *weight, size_t offset,
                           double gradient)
{
    int64_t depth = site->in[0].c / site->node->attr.window.groups;
    for (int64_t i = 0; i < depth; i++)
        k->grad_input[offset + (size_t)i] += gradient * weight[i];
}

static void backward_pixel(conv_kernel *k, const sg_site *site, const sg_io *io, const pixel *p)
{
    const sg_window_attr *w = &site->node->attr.window;
    int64_t depth = site->in[0].c / w->groups;
    int64_t sample = p->n * site->in[0].h * site->in[0].w * site->in[0].c;
    bool wanted = sg_gradient_wanted(site, 0);
    size_t at = 0; /* in the weights */
    for (int64_t o = 0; o < site->out.c; o++) {
        double gradient = sg_fused_act_gradient(site, io, io->saved, p->index + (size_t)o);
        k->grad_bias[o] += gradient;
        if (site->inputs > 1 && sg_gradient_wanted(site, 1))
            sg_gradient_put(site, io, 1, p->index + (size_t)o, (float)gradient);
        for (int64_t ky = 0; ky < w->kernel_h; ky++) {
            for (int64_t kx = 0; kx < w->kernel_w; kx++, at += (size_t)depth) {
                int64_t offset = tap_offset(site, p, o, ky, kx);
                if (offset < 0)
                    continue;
                backward_weight(site, io, k->grad_weight + at, (size_t)offset, gradient);
                if (wanted)
                    backward_input(k, site, k->weight + at, (size_t)(offset - sample), gradient);
            }
        }
    }
}

sg_err sg_conv_backward(void *kernel, const sg_site *site, const sg_io *io)
{
    conv_kernel *k = kernel;
    size_t weights = weight_count(site);
    size_t sample = sg_shape_count(site->in[0]) / (size_t)site->in[0].n;
    round_weights(k, site, io->param[0]);
    memset(k->grad_weight, 0, weights * sizeof *k->grad_weight);
    memset(k->grad_bias, 0, (size_t)site->out.c * sizeof *k->grad_bias);
    for (int64_t n = 0; n < site->out.n; n++) {
        memset(k->grad_input, 0, sample * sizeof *k->grad_input);
        each_pixel(k, site, io, n, backward_pixel);
        for (size_t i = 0; sg_gradient_wanted(site, 0) && i < sample; i++)
            sg_gradient_put(site, io, 0, (size_t)n * sample + i, (float)k->grad_input[i]);
    }
    for (size_t i = 0; i < weights; i++)
        io->param_grad[0][i] = (float)k->grad_weight[i];
    for (int64_t o = 0; site->node->attr.window.bias && o < site->out.c; o++)
        io->param_grad[1][o] = (float)k->grad_bias[o];
    return SG_OK;
}
