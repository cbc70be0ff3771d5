#include "cpu/spread.h"

#include <string.h>
#include "base/size.h"

/* Bytes of output that a thread makes at a time: they should still be in its cache when they are
 * put in place. And the fewest pixels worth a call. */
enum { PIECE_BYTES = 256 * 1024, LEAST_PIXELS = 32 };

struct sg_spread {
    const sg_cpu *cpu;
    sg_shape in;
    int64_t kernel_h, kernel_w, channels; /* of the output */
    sg_dtype in_type, out_type;
    sg_window_attr window; /* of the 1x1 convolution */
    int64_t pixels, piece; /* of the input: all, and at a time */
    sg_onednn_conv *whole; /* owned: `piece` pixels */
    sg_onednn_conv *rest;  /* owned: pixels % piece; NULL where that is 0 */
    size_t piece_bytes;    /* of the output, rounded up to 64 */
    float *weights, *bias; /* owned: those of the 1x1 convolution */
    bool biased;
};

bool sg_spread_serves(const sg_onednn_spec *spec)
{
    const sg_window_attr *w = spec->window;
    return spec->transpose && spec->pass == SG_CONV_FORWARD && w->groups == 1 &&
           w->kernel_h == w->stride_h && w->kernel_w == w->stride_w &&
           spec->out.h == spec->in.h * w->stride_h && spec->out.w == spec->in.w * w->stride_w &&
           !w->pad.top && !w->pad.left;
}

static int64_t piece_of(const sg_spread *s)
{
    int64_t pixel_bytes = s->window.out_channels * (int64_t)sg_dtype_size(s->out_type);
    int64_t each = sg_max64(LEAST_PIXELS, PIECE_BYTES / pixel_bytes);
    return sg_min64(s->pixels, each * s->cpu->threads);
}

static sg_err create_conv(const sg_spread *s, const sg_onednn_spec *spec, int64_t pixels,
                          sg_onednn_conv **conv)
{
    const sg_onednn_spec one = {.pass = SG_CONV_FORWARD,
                                .inference = spec->inference,
                                .window = &s->window,
                                .in = {1, 1, pixels, spec->in.c},
                                .out = {1, 1, pixels, s->window.out_channels},
                                .in_type = spec->in_type,
                                .out_type = spec->out_type,
                                .bias = spec->bias,
                                .act = spec->act};
    return sg_onednn_conv_create(s->cpu->onednn, &one, conv);
}

static sg_err prepare(sg_spread *s, const sg_onednn_spec *spec)
{
    sg_shape piece = {1, 1, s->piece, s->window.out_channels};
    size_t outputs = (size_t)s->window.out_channels;
    sg_err err = sg_shape_bytes(piece, s->out_type, &s->piece_bytes);
    s->piece_bytes = (size_t)sg_round_up((int64_t)s->piece_bytes, 64);
    if (!err)
        err = sg_malloc(outputs, (size_t)s->in.c * sizeof(float), &s->weights);
    if (!err)
        err = sg_malloc(outputs, sizeof(float), &s->bias);
    if (!err)
        err = create_conv(s, spec, s->piece, &s->whole);
    if (!err && s->pixels % s->piece)
        err = create_conv(s, spec, s->pixels % s->piece, &s->rest);
    return err;
}

sg_err sg_spread_create(const sg_cpu *cpu, const sg_onednn_spec *spec, sg_spread **spread)
{
    const sg_window_attr *w = spec->window;
    sg_spread *s = NULL;
    *spread = NULL;
    sg_err err = sg_calloc(1, sizeof *s, &s);
    if (err)
        return err;
    *s = (sg_spread){.cpu = cpu,
                     .in = spec->in,
                     .kernel_h = w->kernel_h,
                     .kernel_w = w->kernel_w,
                     .channels = spec->out.c,
                     .in_type = spec->in_type,
                     .out_type = spec->out_type,
                     .pixels = spec->in.n * spec->in.h * spec->in.w,
                     .biased = spec->bias};
    s->window = (sg_window_attr){.kernel_h = 1,
                                 .kernel_w = 1,
                                 .stride_h = 1,
                                 .stride_w = 1,
                                 .dilation_h = 1,
                                 .dilation_w = 1,
                                 .groups = 1,
                                 .out_channels = (int32_t)(w->kernel_h * w->kernel_w * spec->out.c),
                                 .bias = spec->bias};
    s->piece = piece_of(s);
    err = prepare(s, spec);
    if (err)
        sg_spread_close(s);
    else
        *spread = s;
    return err;
}

void sg_spread_close(sg_spread *spread)
{
    if (!spread)
        return;
    sg_onednn_conv_close(spread->whole);
    sg_onednn_conv_close(spread->rest);
    sg_free(spread->weights);
    sg_free(spread->bias);
    sg_free(spread);
}

size_t sg_spread_scratch(const sg_spread *s)
{
    size_t whole = sg_onednn_conv_scratch(s->whole);
    size_t rest = s->rest ? sg_onednn_conv_scratch(s->rest) : 0;
    return s->piece_bytes + (whole > rest ? whole : rest);
}

/* From [channel][tap][in] to [tap][channel][in]. */
sg_err sg_spread_weights(sg_spread *s, const float *weights, const float *bias)
{
    int64_t taps = s->kernel_h * s->kernel_w, in = s->in.c;
    for (int64_t tap = 0; tap < taps; tap++)
        for (int64_t o = 0; o < s->channels; o++) {
            memcpy(s->weights + (tap * s->channels + o) * in, weights + (o * taps + tap) * in,
                   (size_t)in * sizeof *weights);
            s->bias[tap * s->channels + o] = bias ? bias[o] : 0;
        }
    sg_err err = sg_onednn_weights(s->whole, s->weights);
    return err || !s->rest ? err : sg_onednn_weights(s->rest, s->weights);
}

/* ---- the shuffle ---- */

typedef struct {
    const sg_spread *spread;
    const char *made; /* (pixels of the piece, kernel_h, kernel_w, channels) */
    char *out;
    int64_t first; /* the piece's first input pixel, counted over all samples and rows */
} shuffle;

/* Input pixels [begin, end) of the piece: each gives kernel_h runs of kernel_w output pixels. */
static void put_pixels(void *context, int64_t begin, int64_t end)
{
    const shuffle *j = context;
    const sg_spread *s = j->spread;
    size_t run = (size_t)(s->kernel_w * s->channels) * sg_dtype_size(s->out_type);
    size_t row = (size_t)s->in.w * run; /* of the output */
    const char *from = j->made + (size_t)(begin * s->kernel_h) * run;
    for (int64_t p = j->first + begin; p < j->first + end; p++) {
        char *to = j->out + (size_t)(p / s->in.w * s->kernel_h) * row + (size_t)(p % s->in.w) * run;
        for (int64_t kh = 0; kh < s->kernel_h; kh++, from += run, to += row)
            memcpy(to, from, run);
    }
}

sg_err sg_spread_forward(sg_spread *s, void *scratch, const void *in, void *out)
{
    char *made = scratch, *rest = made + s->piece_bytes;
    size_t pixel = (size_t)s->in.c * sg_dtype_size(s->in_type);
    for (int64_t first = 0; first < s->pixels; first += s->piece) {
        int64_t count = sg_min64(s->piece, s->pixels - first);
        char *from = (char *)in + (size_t)first * pixel;
        sg_err err = sg_onednn_run(count == s->piece ? s->whole : s->rest, rest, from,
                                   s->biased ? s->bias : NULL, made, NULL);
        if (err)
            return err;
        shuffle job = {s, made, out, first};
        sg_cpu_for(s->cpu, count, 64, put_pixels, &job);
    }
    return SG_OK;
}
