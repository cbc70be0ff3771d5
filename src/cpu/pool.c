/*
 * Max and mean pooling. Channels run innermost in chunks of a row buffer; a pixel's window is
 * walked in row-major order. Sums in f32. Gradients are gathered: each input pixel adds what the
 * windows that read it give, in row-major order of the windows, so nothing is written twice.
 *
 * saved (max): per output element the tap of its window that was taken, one byte, or NO_PIXEL.
 */
#include <math.h>
#include "base/size.h"
#include "cpu/pool_2x2.h"
#include "cpu/rows.h"

enum { NO_PIXEL = 255, CHUNK = 256 /* channels at a time */ };

typedef struct {
    sg_cpu *cpu;
    /* [in][kernel]: the output position whose tap k reads input position i, or -1. Owned. */
    int32_t *row_reader, *column_reader;
} pool;

static sg_err make_readers(int64_t in, int64_t out, int64_t kernel, int64_t stride,
                           int64_t dilation, int64_t pad, int32_t **readers)
{
    sg_err err = sg_malloc((size_t)in, (size_t)kernel * sizeof **readers, readers);
    for (int64_t i = 0; !err && i < in; i++)
        for (int64_t k = 0; k < kernel; k++) {
            int64_t start = i + pad - k * dilation;
            bool reads = start >= 0 && start % stride == 0 && start / stride < out;
            (*readers)[i * kernel + k] = reads ? (int32_t)(start / stride) : -1;
        }
    return err;
}

static void release(void *kernel)
{
    pool *p = kernel;
    if (!p)
        return;
    sg_free(p->row_reader);
    sg_free(p->column_reader);
    sg_free(p);
}

static sg_err prepare(sg_backend *backend, const sg_site *site, void **kernel)
{
    const sg_window_attr *w = &site->node->attr.window;
    pool *p = NULL;
    sg_err err = sg_calloc(1, sizeof *p, &p);
    if (err)
        return err;
    p->cpu = (sg_cpu *)backend;
    if (site->training)
        err = make_readers(site->in[0].h, site->out.h, w->kernel_h, w->stride_h, w->dilation_h,
                           w->pad.top, &p->row_reader);
    if (!err && site->training)
        err = make_readers(site->in[0].w, site->out.w, w->kernel_w, w->stride_w, w->dilation_w,
                           w->pad.left, &p->column_reader);
    if (err) {
        release(p);
        return err;
    }
    *kernel = p;
    return SG_OK;
}

typedef struct {
    const pool *pool;
    const sg_site *site;
    const sg_io *io;
    bool largest; /* max pooling */
} job;

/* ---- one window, a chunk of channels ---- */

/* NaN wins over all, as in the reference. */
SG_CLONES static void take_larger(const float *x, int32_t tap, size_t count, float *best,
                                  int32_t *from)
{
    for (size_t c = 0; c < count; c++) {
        bool takes = !(x[c] <= best[c]) || from[c] == NO_PIXEL;
        takes = takes && !(best[c] != best[c] && x[c] == x[c]);
        best[c] = takes ? x[c] : best[c];
        from[c] = takes ? tap : from[c];
    }
}

SG_CLONES static void narrow(const int32_t *from, size_t count, uint8_t *to)
{
    for (size_t c = 0; c < count; c++)
        to[c] = (uint8_t)from[c];
}

SG_CLONES static void scale(float *row, float factor, size_t count)
{
    for (size_t c = 0; c < count; c++)
        row[c] *= factor;
}

typedef struct {
    int64_t n, y, x, c; /* output pixel, first channel */
    size_t count;       /* channels */
} spot;

/* Element index of tap (kh, kw) of the spot's window; -1 in the padding. */
static int64_t tap_index(const sg_site *site, const spot *s, int64_t kh, int64_t kw)
{
    const sg_window_attr *w = &site->node->attr.window;
    const sg_shape in = site->in[0];
    int64_t row = s->y * w->stride_h - w->pad.top + kh * w->dilation_h;
    int64_t column = s->x * w->stride_w - w->pad.left + kw * w->dilation_w;
    bool inside = row >= 0 && row < in.h && column >= 0 && column < in.w;
    return inside ? ((s->n * in.h + row) * in.w + column) * in.c + s->c : -1;
}

static size_t out_index(const sg_site *site, const spot *s)
{
    return (size_t)(((s->n * site->out.h + s->y) * site->out.w + s->x) * site->out.c + s->c);
}

static void pool_largest(const job *j, const spot *s)
{
    const sg_site *site = j->site;
    const sg_window_attr *w = &site->node->attr.window;
    float in[CHUNK], best[CHUNK];
    int32_t from[CHUNK];
    for (size_t c = 0; c < s->count; c++) {
        best[c] = -INFINITY;
        from[c] = NO_PIXEL;
    }
    for (int32_t k = 0; k < w->kernel_h * w->kernel_w; k++) {
        int64_t at = tap_index(site, s, k / w->kernel_w, k % w->kernel_w);
        if (at >= 0)
            take_larger(sg_row_load(j->io->in[0], site->in_type[0], (size_t)at, s->count, in), k,
                        s->count, best, from);
    }
    size_t to = out_index(site, s);
    sg_row_store(j->io->out, site->out_type, to, s->count, best);
    if (site->training)
        narrow(from, s->count, (uint8_t *)j->io->saved + to);
}

/* Real pixels of the window of output position o along one axis. */
static int64_t real_taps(int64_t o, int64_t in, int64_t kernel, int64_t stride, int64_t pad)
{
    int64_t start = o * stride - pad;
    return sg_min64(start + kernel, in) - sg_max64(start, 0);
}

static float share(const sg_site *site, int64_t y, int64_t x)
{
    const sg_window_attr *w = &site->node->attr.window;
    int64_t rows = w->kernel_h, columns = w->kernel_w;
    if (w->exclude_pad) {
        rows = real_taps(y, site->in[0].h, w->kernel_h, w->stride_h, w->pad.top);
        columns = real_taps(x, site->in[0].w, w->kernel_w, w->stride_w, w->pad.left);
    }
    return 1.0f / (float)(rows * columns);
}

static void pool_mean(const job *j, const spot *s)
{
    const sg_site *site = j->site;
    const sg_window_attr *w = &site->node->attr.window;
    float in[CHUNK], sum[CHUNK] = {0};
    for (int32_t k = 0; k < w->kernel_h * w->kernel_w; k++) {
        int64_t at = tap_index(site, s, k / w->kernel_w, k % w->kernel_w);
        if (at >= 0)
            sg_row_add(sum, sg_row_load(j->io->in[0], site->in_type[0], (size_t)at, s->count, in),
                       s->count);
    }
    scale(sum, share(site, s->y, s->x), s->count);
    sg_row_store(j->io->out, site->out_type, out_index(site, s), s->count, sum);
}

/* Items: rows of the output. */
static void forward_rows(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const sg_shape out = j->site->out;
    for (int64_t row = begin; row < end; row++)
        for (int64_t x = 0; x < out.w; x++)
            for (int64_t c = 0; c < out.c; c += CHUNK) {
                spot s = {row / out.h, row % out.h, x, c, (size_t)sg_min64(CHUNK, out.c - c)};
                if (j->largest)
                    pool_largest(j, &s);
                else
                    pool_mean(j, &s);
            }
}

/* ---- gradients ---- */

SG_CLONES static void add_taken(const float *gradient, const uint8_t *chosen, int32_t tap,
                                size_t count, float *sum)
{
    for (size_t c = 0; c < count; c++)
        sum[c] += chosen[c] == tap ? gradient[c] : 0;
}

SG_CLONES static void add_scaled(const float *gradient, float factor, size_t count, float *sum)
{
    for (size_t c = 0; c < count; c++)
        sum[c] += gradient[c] * factor;
}

static void add_window(const job *j, const spot *out, int32_t tap, float *sum)
{
    const sg_site *site = j->site;
    float up[CHUNK];
    size_t at = out_index(site, out);
    const float *gradient = sg_row_load(j->io->grad_out, site->grad_type, at, out->count, up);
    if (j->largest)
        add_taken(gradient, (const uint8_t *)j->io->saved + at, tap, out->count, sum);
    else
        add_scaled(gradient, share(site, out->y, out->x), out->count, sum);
}

/* in: an input pixel. Windows with smaller positions are those with larger taps. */
static void gather(const job *j, const spot *in)
{
    const sg_site *site = j->site;
    const sg_window_attr *w = &site->node->attr.window;
    const int32_t *rows = j->pool->row_reader + in->y * w->kernel_h;
    const int32_t *columns = j->pool->column_reader + in->x * w->kernel_w;
    float sum[CHUNK] = {0};
    for (int32_t kh = w->kernel_h - 1; kh >= 0; kh--)
        for (int32_t kw = w->kernel_w - 1; kw >= 0 && rows[kh] >= 0; kw--)
            if (columns[kw] >= 0) {
                spot out = {in->n, rows[kh], columns[kw], in->c, in->count};
                add_window(j, &out, kh * w->kernel_w + kw, sum);
            }
    const sg_shape s = site->in[0];
    size_t at = (size_t)(((in->n * s.h + in->y) * s.w + in->x) * s.c + in->c);
    sg_row_put(j->io->grad_in[0], site->grad_type, site->write[0], at, in->count, sum);
}

/* Items: rows of the input. */
static void backward_rows(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const sg_shape in = j->site->in[0];
    for (int64_t row = begin; row < end; row++)
        for (int64_t x = 0; x < in.w; x++)
            for (int64_t c = 0; c < in.c; c += CHUNK) {
                spot s = {row / in.h, row % in.h, x, c, (size_t)sg_min64(CHUNK, in.c - c)};
                gather(j, &s);
            }
}

static sg_err forward(const pool *p, const sg_site *site, const sg_io *io, bool largest)
{
    job j = {p, site, io, largest};
    sg_cpu_for(p->cpu, site->out.n * site->out.h, 2, forward_rows, &j);
    return SG_OK;
}

static sg_err backward(const pool *p, const sg_site *site, const sg_io *io, bool largest)
{
    job j = {p, site, io, largest};
    if (site->write[0] != SG_GRAD_NONE)
        sg_cpu_for(p->cpu, site->in[0].n * site->in[0].h, 2, backward_rows, &j);
    return SG_OK;
}

static sg_err max_forward(void *kernel, const sg_site *site, const sg_io *io)
{
    const pool *p = kernel;
    if (!sg_pool_2x2_serves(site))
        return forward(p, site, io, true);
    sg_pool_2x2_forward(p->cpu, site, io);
    return SG_OK;
}

static sg_err max_backward(void *kernel, const sg_site *site, const sg_io *io)
{
    const pool *p = kernel;
    if (!sg_pool_2x2_serves(site) || site->write[0] == SG_GRAD_NONE)
        return backward(p, site, io, true);
    sg_pool_2x2_backward(p->cpu, site, io);
    return SG_OK;
}

static sg_err mean_forward(void *kernel, const sg_site *site, const sg_io *io)
{
    return forward(kernel, site, io, false);
}

static sg_err mean_backward(void *kernel, const sg_site *site, const sg_io *io)
{
    return backward(kernel, site, io, false);
}

const sg_kernel_def sg_cpu_max_pool = {
    .prepare = prepare,
    .forward = max_forward,
    .backward = max_backward,
    .release = release,
};

const sg_kernel_def sg_cpu_avg_pool = {
    .prepare = prepare,
    .forward = mean_forward,
    .backward = mean_backward,
    .release = release,
};
