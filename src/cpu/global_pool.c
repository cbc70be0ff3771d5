/*
 * The largest or the mean value of each channel over an image. A chunk of channels of one image is
 * an item: short runs are summed in f32, the runs in f64. saved (max): the pixel taken, one int64
 * per (n, c).
 */
#include <math.h>
#include <string.h>
#include "base/size.h"
#include "cpu/device.h"
#include "cpu/rows.h"

enum { CHUNK = 64 /* channels */, RUN = 64 /* pixels */ };

typedef struct {
    const sg_site *site;
    const sg_io *io;
    int64_t chunks; /* of an image's channels */
} job;

typedef struct {
    int64_t n, c;
    size_t count;
} span;

static span span_of(const job *j, int64_t item)
{
    int64_t c = item % j->chunks * CHUNK;
    return (span){item / j->chunks, c, (size_t)sg_min64(CHUNK, j->site->in[0].c - c)};
}

static int64_t pixels_of(const sg_site *site)
{
    return site->in[0].h * site->in[0].w;
}

static const float *pixel(const job *j, const span *s, int64_t p, float *buffer)
{
    int64_t at = (s->n * pixels_of(j->site) + p) * j->site->in[0].c + s->c;
    return sg_row_load(j->io->in[0], j->site->in_type[0], (size_t)at, s->count, buffer);
}

static void mean(const job *j, const span *s, float *out)
{
    double sum[CHUNK] = {0};
    float buffer[CHUNK];
    int64_t pixels = pixels_of(j->site);
    for (int64_t first = 0; first < pixels; first += RUN) {
        float run[CHUNK] = {0};
        for (int64_t p = first; p < sg_min64(pixels, first + RUN); p++)
            sg_row_add(run, pixel(j, s, p, buffer), s->count);
        for (size_t c = 0; c < s->count; c++)
            sum[c] += run[c];
    }
    for (size_t c = 0; c < s->count; c++)
        out[c] = (float)(sum[c] / (double)pixels);
}

static void largest(const job *j, const span *s, float *out, int64_t *taken)
{
    float buffer[CHUNK];
    for (size_t c = 0; c < s->count; c++)
        out[c] = -INFINITY;
    memset(taken, 0, s->count * sizeof *taken);
    for (int64_t p = 0; p < pixels_of(j->site); p++) {
        const float *x = pixel(j, s, p, buffer);
        for (size_t c = 0; c < s->count; c++)
            if (x[c] > out[c] || isnan(x[c])) {
                out[c] = x[c];
                taken[c] = p;
            }
    }
}

static void forward_items(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    for (int64_t item = begin; item < end; item++) {
        span s = span_of(j, item);
        size_t at = (size_t)(s.n * j->site->out.c + s.c);
        float out[CHUNK];
        int64_t taken[CHUNK];
        if (j->site->node->attr.global.kind == SG_POOL_MEAN)
            mean(j, &s, out);
        else
            largest(j, &s, out, taken);
        if (j->site->node->attr.global.kind == SG_POOL_MAX && j->site->training)
            memcpy((int64_t *)j->io->saved + at, taken, s.count * sizeof *taken);
        sg_row_store(j->io->out, j->site->out_type, at, s.count, out);
    }
}

static void backward_items(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const sg_site *site = j->site;
    bool is_mean = site->node->attr.global.kind == SG_POOL_MEAN;
    int64_t pixels = pixels_of(site);
    for (int64_t item = begin; item < end; item++) {
        span s = span_of(j, item);
        size_t from = (size_t)(s.n * site->out.c + s.c);
        const int64_t *taken = (const int64_t *)j->io->saved + from;
        float up[CHUNK], row[CHUNK], factor = (float)(1 / (double)pixels);
        const float *gradient = sg_row_load(j->io->grad_out, site->grad_type, from, s.count, up);
        for (int64_t p = 0; p < pixels; p++) {
            for (size_t c = 0; c < s.count; c++)
                row[c] = is_mean ? gradient[c] * factor : taken[c] == p ? gradient[c] : 0;
            size_t at = (size_t)((s.n * pixels + p) * site->in[0].c + s.c);
            sg_row_put(j->io->grad_in[0], site->grad_type, site->write[0], at, s.count, row);
        }
    }
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    job j = {site, io, sg_div_up(site->in[0].c, CHUNK)};
    sg_cpu_for(kernel, site->in[0].n * j.chunks, 1, forward_items, &j);
    return SG_OK;
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    job j = {site, io, sg_div_up(site->in[0].c, CHUNK)};
    if (site->write[0] != SG_GRAD_NONE)
        sg_cpu_for(kernel, site->in[0].n * j.chunks, 1, backward_items, &j);
    return SG_OK;
}

const sg_kernel_def sg_cpu_global_pool = {
    .prepare = sg_cpu_prepare_plain,
    .forward = forward,
    .backward = backward,
    .release = sg_cpu_release_plain,
};
