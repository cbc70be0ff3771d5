#include "cpu/pool_2x2.h"

#include "base/size.h"
#include "cpu/rows.h"

bool sg_pool_2x2_serves(const sg_site *site)
{
    const sg_window_attr *w = &site->node->attr.window;
    return w->kernel_h == 2 && w->kernel_w == 2 && w->stride_h == 2 && w->stride_w == 2 &&
           w->dilation_h == 1 && w->dilation_w == 1 && site->in[0].h == 2 * site->out.h &&
           site->in[0].w == 2 * site->out.w && !w->pad.top && !w->pad.left &&
           2 * site->in[0].c <= SG_ROW;
}

/* A run of output pixels: rows of f32. */
typedef struct {
    const float *top, *bottom; /* [2 * pixels][c] */
    float *out;                /* [pixels][c] */
    uint8_t *chosen;           /* [pixels][c], or NULL */
    int64_t pixels, c;
} run;

/* Row-major order, the first of equals wins, NaN wins over all. */
static inline void pool_pixel(const float *restrict top, const float *restrict bottom, int64_t c,
                              float *restrict out, int32_t *restrict from)
{
    const float *restrict next = top + c, *restrict last = bottom + c;
    for (int64_t k = 0; k < c; k++) {
        float best = top[k];
        int32_t tap = 0;
        bool takes = (next[k] > best) | (next[k] != next[k]);
        best = takes ? next[k] : best;
        tap = takes ? 1 : tap;
        takes = (bottom[k] > best) | (bottom[k] != bottom[k]);
        best = takes ? bottom[k] : best;
        tap = takes ? 2 : tap;
        takes = (last[k] > best) | (last[k] != last[k]);
        out[k] = takes ? last[k] : best;
        from[k] = takes ? 3 : tap;
    }
}

SG_CLONES static void narrow(const int32_t *restrict from, int64_t count, uint8_t *restrict to)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = (uint8_t)from[i];
}

SG_CLONES static void pool_run(const run *r)
{
    int32_t from[SG_ROW / 2];
    for (int64_t p = 0; p < r->pixels; p++)
        pool_pixel(r->top + 2 * p * r->c, r->bottom + 2 * p * r->c, r->c, r->out + p * r->c,
                   from + p * r->c);
    if (r->chosen)
        narrow(from, r->pixels * r->c, r->chosen);
}

/* The gradients of a run's input pixels, from those of its output. */
typedef struct {
    const float *up;       /* [pixels][c] */
    const uint8_t *chosen; /* [pixels][c] */
    float *top, *bottom;   /* [2 * pixels][c] */
    int64_t pixels, c;
} back_run;

static inline void unpool_pixel(const float *restrict up, const int32_t *restrict from, int64_t c,
                                float *restrict top, float *restrict bottom)
{
    float *restrict next = top + c, *restrict last = bottom + c;
    for (int64_t k = 0; k < c; k++) {
        top[k] = from[k] == 0 ? up[k] : 0;
        next[k] = from[k] == 1 ? up[k] : 0;
        bottom[k] = from[k] == 2 ? up[k] : 0;
        last[k] = from[k] == 3 ? up[k] : 0;
    }
}

SG_CLONES static void widen(const uint8_t *restrict from, int64_t count, int32_t *restrict to)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = from[i];
}

SG_CLONES static void unpool_run(const back_run *r)
{
    int32_t from[SG_ROW / 2];
    widen(r->chosen, r->pixels * r->c, from);
    for (int64_t p = 0; p < r->pixels; p++)
        unpool_pixel(r->up + p * r->c, from + p * r->c, r->c, r->top + 2 * p * r->c,
                     r->bottom + 2 * p * r->c);
}

/* ---- rows of the tensors ---- */

typedef struct {
    const sg_site *site;
    const sg_io *io;
} job;

/* Element index of the first of the two input pixels above output pixel (row, x). */
static size_t above(const sg_site *site, int64_t row, int64_t x)
{
    return (size_t)((2 * row * site->in[0].w + 2 * x) * site->in[0].c);
}

static int64_t run_pixels(const sg_site *site)
{
    return SG_ROW / (2 * site->in[0].c);
}

static void pool_pixels(const job *j, int64_t row, int64_t x, int64_t pixels)
{
    const sg_site *site = j->site;
    int64_t c = site->out.c;
    float top[SG_ROW], bottom[SG_ROW], out[SG_ROW];
    size_t from = above(site, row, x), count = (size_t)(2 * pixels * c);
    size_t to = (size_t)((row * site->out.w + x) * c);
    run r = {.pixels = pixels, .c = c};
    r.top = sg_row_load(j->io->in[0], site->in_type[0], from, count, top);
    r.bottom = sg_row_load(j->io->in[0], site->in_type[0], from + (size_t)(site->in[0].w * c),
                           count, bottom);
    r.out = sg_row_target(j->io->out, site->out_type, to, out);
    r.chosen = site->training ? (uint8_t *)j->io->saved + to : NULL;
    pool_run(&r);
    sg_row_store(j->io->out, site->out_type, to, (size_t)(pixels * c), r.out);
}

static void unpool_pixels(const job *j, int64_t row, int64_t x, int64_t pixels)
{
    const sg_site *site = j->site;
    int64_t c = site->out.c;
    float up[SG_ROW], top[SG_ROW], bottom[SG_ROW];
    size_t from = (size_t)((row * site->out.w + x) * c), count = (size_t)(2 * pixels * c);
    size_t upper = above(site, row, x), lower = upper + (size_t)(site->in[0].w * c);
    back_run r = {.pixels = pixels, .c = c};
    void *grad = j->io->grad_in[0];
    r.up = sg_row_load(j->io->grad_out, site->grad_type, from, (size_t)(pixels * c), up);
    r.chosen = (const uint8_t *)j->io->saved + from;
    r.top = sg_row_gradient(grad, site->grad_type, site->write[0], upper, top);
    r.bottom = sg_row_gradient(grad, site->grad_type, site->write[0], lower, bottom);
    unpool_run(&r);
    sg_row_put(grad, site->grad_type, site->write[0], upper, count, r.top);
    sg_row_put(grad, site->grad_type, site->write[0], lower, count, r.bottom);
}

/* Items: rows of the output, over all samples. */
static void forward_rows(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    int64_t width = j->site->out.w, most = run_pixels(j->site);
    for (int64_t row = begin; row < end; row++)
        for (int64_t x = 0; x < width; x += most)
            pool_pixels(j, row, x, sg_min64(most, width - x));
}

static void backward_rows(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    int64_t width = j->site->out.w, most = run_pixels(j->site);
    for (int64_t row = begin; row < end; row++)
        for (int64_t x = 0; x < width; x += most)
            unpool_pixels(j, row, x, sg_min64(most, width - x));
}

void sg_pool_2x2_forward(const sg_cpu *cpu, const sg_site *site, const sg_io *io)
{
    job j = {site, io};
    sg_cpu_for(cpu, site->out.n * site->out.h, 4, forward_rows, &j);
}

void sg_pool_2x2_backward(const sg_cpu *cpu, const sg_site *site, const sg_io *io)
{
    job j = {site, io};
    sg_cpu_for(cpu, site->out.n * site->out.h, 4, backward_rows, &j);
}
