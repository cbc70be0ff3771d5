#include "cpu/conv_pass.h"

#include <string.h>
#include "base/size.h"
#include "cpu/rows.h"

/* ---- geometry of our own kernels ---- */

static sg_direct_strides weight_strides(const sg_window_attr *w, int64_t in_c)
{
    return (sg_direct_strides){.out = w->kernel_h * w->kernel_w * in_c,
                               .row = w->kernel_w * in_c,
                               .column = in_c,
                               .in = 1};
}

/* Input and output channels change places. */
static sg_direct_strides swapped(sg_direct_strides s)
{
    return (sg_direct_strides){.out = s.in, .row = s.row, .column = s.column, .in = s.out};
}

/* The gradient of a convolution of stride 1, or a transposed one of stride 1: a convolution with
 * the window turned by 180 degrees. `d` already has the right input and output. */
static void turn(sg_conv_pass_run *run, const sg_window_attr *w)
{
    sg_direct *d = &run->direct;
    run->first = (w->kernel_h - 1) * run->strides.row + (w->kernel_w - 1) * run->strides.column;
    run->strides.row = -run->strides.row;
    run->strides.column = -run->strides.column;
    d->top = (d->kernel_h - 1) * d->dilation_h - d->top;
    d->left = (d->kernel_w - 1) * d->dilation_w - d->left;
}

/* Of a transposed convolution whose windows do not overlap, the output rows of one phase are a
 * matrix product whose rows lie `stride` apart. */
static sg_err spread(sg_conv_pass_run *run, const sg_onednn_spec *spec)
{
    const sg_window_attr *w = spec->window;
    sg_direct *d = &run->direct;
    d->out_h = spec->in.h;
    d->out_w = spec->in.w;
    d->out_c = w->kernel_w * spec->out.c;
    d->kernel_h = d->kernel_w = d->stride_h = d->stride_w = 1;
    d->out_row = w->stride_h * spec->out.w * spec->out.c;
    d->out_pixel = d->out_c;
    run->phases = w->kernel_h;
    run->channels = spec->out.c;
    run->strides = (sg_direct_strides){.out = d->in_c, .in = 1};
    return sg_malloc((size_t)d->out_c, (size_t)(d->in_c + 1) * sizeof(float), &run->turned);
}

static bool one_stride(const sg_window_attr *w)
{
    return w->stride_h == 1 && w->stride_w == 1;
}

/* A pass scatters where a tap adds one input to several outputs; else it gathers, as a convolution
 * does, and any stride will do. */
static bool scatters(const sg_onednn_spec *spec)
{
    return spec->transpose == (spec->pass == SG_CONV_FORWARD);
}

static bool direct_serves(const sg_onednn_spec *spec)
{
    const sg_window_attr *w = spec->window;
    if (!sg_direct_available() || w->groups != 1 || w->kernel_h * w->kernel_w > SG_DIRECT_TAPS)
        return false;
    if (spec->pass == SG_CONV_WEIGHTS || !scatters(spec))
        return true;
    return one_stride(w) || sg_spread_serves(spec);
}

static sg_err describe(sg_conv_pass_run *run, const sg_onednn_spec *spec)
{
    const sg_window_attr *w = spec->window;
    run->strides = weight_strides(w, spec->in.c);
    run->phases = 1;
    if (spec->pass == SG_CONV_WEIGHTS) {
        run->direct = spec->transpose ? sg_direct_plain(w, spec->out, spec->in)
                                      : sg_direct_plain(w, spec->in, spec->out);
        if (spec->transpose)
            run->strides = swapped(run->strides);
        return SG_OK;
    }
    run->direct = spec->pass == SG_CONV_FORWARD ? sg_direct_plain(w, spec->in, spec->out)
                                                : sg_direct_plain(w, spec->out, spec->in);
    if (spec->pass == SG_CONV_DATA)
        run->strides = swapped(run->strides);
    if (!scatters(spec))
        return SG_OK;
    if (sg_spread_serves(spec))
        return spread(run, spec);
    turn(run, w);
    return SG_OK;
}

static bool is_f32(const sg_onednn_spec *spec)
{
    return spec->in_type == SG_F32 && spec->out_type == SG_F32;
}

static size_t f32_bytes(sg_dtype type, int64_t count)
{
    return type == SG_F32 ? 0 : (size_t)sg_round_up(count * (int64_t)sizeof(float), 64);
}

/* The tensors in bf16 are converted as a whole, and weights are rounded as oneDNN's would be: slow,
 * but only for what oneDNN refuses. */
static sg_err prepare_conversion(sg_conv_pass_run *run, const sg_onednn_spec *spec)
{
    const sg_window_attr *w = spec->window;
    run->in_count = (int64_t)sg_shape_count(spec->in);
    run->out_count = (int64_t)sg_shape_count(spec->out);
    run->scratch_bytes +=
        f32_bytes(run->in_type, run->in_count) + f32_bytes(run->out_type, run->out_count);
    sg_dtype read = spec->pass == SG_CONV_FORWARD ? spec->in_type : spec->out_type;
    if (spec->pass == SG_CONV_WEIGHTS || read == SG_F32)
        return SG_OK;
    run->weight_count = (size_t)(w->kernel_h * w->kernel_w * spec->in.c * spec->out.c);
    return sg_malloc(run->weight_count, sizeof *run->rounded, &run->rounded);
}

static sg_err create_direct(sg_conv_pass_run *run, const sg_onednn_spec *spec)
{
    sg_err err = describe(run, spec);
    run->act = spec->pass == SG_CONV_FORWARD ? spec->act : SG_ACT_NONE;
    run->in_type = spec->in_type;
    run->out_type = spec->out_type;
    if (spec->pass == SG_CONV_WEIGHTS)
        run->scratch_bytes = sg_direct_weights_scratch(&run->direct);
    if (!err)
        err = prepare_conversion(run, spec);
    if (err || spec->pass == SG_CONV_WEIGHTS)
        return err;
    return sg_malloc((size_t)run->phases, sg_direct_packed_count(&run->direct) * sizeof(float),
                     &run->packed);
}

static sg_err create_onednn(sg_conv_pass_run *run, const sg_onednn_spec *spec)
{
    sg_err err = sg_onednn_conv_create(run->cpu->onednn, spec, &run->onednn);
    if (!err)
        run->scratch_bytes = sg_onednn_conv_scratch(run->onednn);
    return err;
}

static sg_err create_spread(sg_conv_pass_run *run, const sg_onednn_spec *spec)
{
    sg_err err = sg_spread_create(run->cpu, spec, &run->spread);
    if (!err)
        run->scratch_bytes = sg_spread_scratch(run->spread);
    return err;
}

sg_err sg_conv_pass_create(sg_cpu *cpu, const sg_onednn_spec *spec, sg_conv_pass_run *run)
{
    bool ours = direct_serves(spec);
    *run = (sg_conv_pass_run){.cpu = cpu, .pass = spec->pass, .transpose = spec->transpose};
    if (ours && is_f32(spec) && !cpu->wide)
        return create_direct(run, spec);
    sg_err err = sg_spread_serves(spec) ? create_spread(run, spec) : SG_EUNSUPPORTED;
    if (err == SG_EUNSUPPORTED)
        err = create_onednn(run, spec);
    if (err == SG_EUNSUPPORTED && ours)
        return create_direct(run, spec);
    return err;
}

void sg_conv_pass_close(sg_conv_pass_run *run)
{
    sg_onednn_conv_close(run->onednn);
    sg_spread_close(run->spread);
    sg_free(run->packed);
    sg_free(run->turned);
    sg_free(run->rounded);
    *run = (sg_conv_pass_run){0};
}

/* Phase `row` as a plain matrix [kernel column][out channel][in channel], then as many biases. */
static const float *flatten(sg_conv_pass_run *run, const float *weights, const float *bias,
                            int64_t row)
{
    const sg_direct *d = &run->direct;
    int64_t channels = run->channels, columns = d->out_c / channels;
    int64_t column_stride = d->in_c, row_stride = columns * d->in_c;
    float *biases = run->turned + d->out_c * d->in_c;
    for (int64_t kw = 0; kw < columns; kw++)
        for (int64_t o = 0; o < channels; o++) {
            const float *from = weights + (o * run->phases + row) * row_stride + kw * column_stride;
            memcpy(run->turned + (kw * channels + o) * d->in_c, from,
                   (size_t)d->in_c * sizeof *from);
            biases[kw * channels + o] = bias ? bias[o] : 0;
        }
    return biases;
}

sg_err sg_conv_pass_refresh(sg_conv_pass_run *run, const float *weights, const float *bias)
{
    if (run->onednn)
        return sg_onednn_weights(run->onednn, weights);
    if (run->spread)
        return sg_spread_weights(run->spread, weights, bias);
    if (run->rounded) {
        for (size_t i = 0; i < run->weight_count; i++)
            run->rounded[i] = sg_bf16_to_f32(sg_f32_to_bf16(weights[i]));
        weights = run->rounded;
    }
    size_t count = sg_direct_packed_count(&run->direct);
    if (run->phases == 1) {
        sg_direct_pack(run->cpu, &run->direct, weights + run->first, &run->strides, bias,
                       run->packed);
        return SG_OK;
    }
    for (int64_t row = 0; row < run->phases; row++) {
        const float *biases = flatten(run, weights, bias, row);
        sg_direct_pack(run->cpu, &run->direct, run->turned, &run->strides, biases,
                       run->packed + (size_t)row * count);
    }
    return SG_OK;
}

/* Our kernels read weights and bias from `packed`. What a pass writes: FORWARD out, DATA in. */
static void do_direct(sg_conv_pass_run *run, void *scratch, void *in, void *out, float *weights)
{
    const sg_direct *d = &run->direct;
    if (run->pass == SG_CONV_WEIGHTS) {
        sg_direct_weights(run->cpu, d, run->transpose ? out : in, run->transpose ? in : out,
                          scratch, weights, &run->strides);
        return;
    }
    float *from = run->pass == SG_CONV_FORWARD ? in : out;
    float *to = run->pass == SG_CONV_FORWARD ? out : in;
    size_t count = sg_direct_packed_count(d);
    for (int64_t row = 0; row < run->phases; row++)
        sg_direct_forward(run->cpu, d, from, run->packed + (size_t)row * count,
                          run->act == SG_ACT_RELU, to + row * d->out_w * d->out_pixel);
}

/* ---- bf16 tensors for our kernels ---- */

typedef struct {
    const void *from;
    void *to;
} conversion;

static void convert_up(void *context, int64_t begin, int64_t end)
{
    const conversion *c = context;
    sg_row_convert_up((const uint16_t *)c->from + begin, (size_t)(end - begin),
                      (float *)c->to + begin);
}

static void convert_down(void *context, int64_t begin, int64_t end)
{
    const conversion *c = context;
    sg_row_convert_down((const float *)c->from + begin, (size_t)(end - begin),
                        (uint16_t *)c->to + begin);
}

/* A tensor as f32: itself, or its place in scratch, filled where `read`. */
static float *as_f32(const sg_conv_pass_run *run, void *tensor, sg_dtype type, int64_t count,
                     bool read, char **scratch)
{
    if (type == SG_F32)
        return tensor;
    conversion c = {tensor, *scratch};
    *scratch += f32_bytes(type, count);
    if (read)
        sg_cpu_for(run->cpu, count, 16 * SG_ROW, convert_up, &c);
    return c.to;
}

static void put_f32(const sg_conv_pass_run *run, float *from, void *tensor, sg_dtype type,
                    int64_t count)
{
    conversion c = {from, tensor};
    if (type != SG_F32)
        sg_cpu_for(run->cpu, count, 16 * SG_ROW, convert_down, &c);
}

/* The kernels apply relu themselves. */
static void act_rows(void *context, int64_t begin, int64_t end)
{
    const conversion *c = context;
    sg_row_act(*(const int32_t *)c->from, (float *)c->to + begin, (size_t)(end - begin));
}

static void apply_act(const sg_conv_pass_run *run, float *out)
{
    conversion c = {&run->act, out};
    if (run->act != SG_ACT_NONE && run->act != SG_ACT_RELU)
        sg_cpu_for(run->cpu, run->out_count, 16 * SG_ROW, act_rows, &c);
}

sg_err sg_conv_pass_do(sg_conv_pass_run *run, void *scratch, void *in, const float *bias, void *out,
                       float *weights)
{
    if (run->onednn)
        return sg_onednn_run(run->onednn, scratch, in, bias, out, weights);
    if (run->spread)
        return sg_spread_forward(run->spread, scratch, in, out);
    char *rest = scratch;
    bool reads_in = run->pass != SG_CONV_DATA, reads_out = run->pass != SG_CONV_FORWARD;
    float *in32 = as_f32(run, in, run->in_type, run->in_count, reads_in, &rest);
    float *out32 = as_f32(run, out, run->out_type, run->out_count, reads_out, &rest);
    do_direct(run, rest, in32, out32, weights);
    apply_act(run, out32);
    if (!reads_in)
        put_f32(run, in32, in, run->in_type, run->in_count);
    if (!reads_out)
        put_f32(run, out32, out, run->out_type, run->out_count);
    return SG_OK;
}
