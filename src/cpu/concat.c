/* Concatenation of channels: copies, pixel by pixel. */
#include <string.h>
#include "base/size.h"
#include "cpu/device.h"
#include "cpu/rows.h"

typedef struct {
    const sg_site *site;
    const sg_io *io;
} job;

enum { PIXELS = 512, UNIT = 32 /* bytes: a vector register */ };

/* `bytes` from each pixel of one tensor to each pixel of another. */
SG_CLONES static void copy_pixels(char *restrict to, size_t to_step, const char *restrict from,
                                  size_t from_step, size_t bytes, int64_t pixels)
{
    size_t whole = bytes / UNIT * UNIT;
    for (int64_t p = 0; p < pixels; p++) {
        for (size_t b = 0; b < whole; b += UNIT)
            memcpy(to + b, from + b, UNIT);
        if (whole < bytes)
            memcpy(to + whole, from + whole, bytes - whole);
        to += to_step;
        from += from_step;
    }
}

/* Channels [first, first + own) of the output's pixels, one pixel after the other. */
static void convert_pixels(const job *j, int32_t input, int64_t first, int64_t begin, int64_t end)
{
    const sg_site *site = j->site;
    int64_t own = site->in[input].c;
    float buffer[SG_ROW];
    for (int64_t p = begin; p < end; p++)
        for (int64_t c = 0; c < own; c += SG_ROW) {
            size_t count = (size_t)sg_min64(SG_ROW, own - c);
            const float *row = sg_row_load(j->io->in[input], site->in_type[input],
                                           (size_t)(p * own + c), count, buffer);
            sg_row_store(j->io->out, site->out_type, (size_t)(p * site->out.c + first + c), count,
                         row);
        }
}

static void forward_pixels(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const sg_site *site = j->site;
    size_t size = sg_dtype_size(site->out_type), step = (size_t)site->out.c * size;
    int64_t first = 0;
    for (int32_t i = 0; i < site->inputs; first += site->in[i++].c) {
        size_t own = (size_t)site->in[i].c * size;
        if (site->in_type[i] == site->out_type)
            copy_pixels((char *)j->io->out + (size_t)begin * step + (size_t)first * size, step,
                        (const char *)j->io->in[i] + (size_t)begin * own, own, own, end - begin);
        else
            convert_pixels(j, i, first, begin, end);
    }
}

static void add_pixels(const job *j, int32_t input, int64_t first, int64_t begin, int64_t end)
{
    const sg_site *site = j->site;
    int64_t own = site->in[input].c;
    float buffer[SG_ROW];
    for (int64_t p = begin; p < end; p++)
        for (int64_t c = 0; c < own; c += SG_ROW) {
            size_t count = (size_t)sg_min64(SG_ROW, own - c);
            const float *row = sg_row_load(j->io->grad_out, site->grad_type,
                                           (size_t)(p * site->out.c + first + c), count, buffer);
            sg_row_put(j->io->grad_in[input], site->grad_type, SG_GRAD_ADD, (size_t)(p * own + c),
                       count, row);
        }
}

static void backward_pixels(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const sg_site *site = j->site;
    size_t size = sg_dtype_size(site->grad_type), step = (size_t)site->out.c * size;
    int64_t first = 0;
    for (int32_t i = 0; i < site->inputs; first += site->in[i++].c) {
        size_t own = (size_t)site->in[i].c * size;
        if (site->write[i] == SG_GRAD_NONE)
            continue;
        if (site->write[i] == SG_GRAD_ADD)
            add_pixels(j, i, first, begin, end);
        else
            copy_pixels((char *)j->io->grad_in[i] + (size_t)begin * own, own,
                        (const char *)j->io->grad_out + (size_t)begin * step + (size_t)first * size,
                        step, own, end - begin);
    }
}

static int64_t pixels_of(const sg_site *site)
{
    return site->out.n * site->out.h * site->out.w;
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    job j = {site, io};
    sg_cpu_for(kernel, pixels_of(site), PIXELS, forward_pixels, &j);
    return SG_OK;
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    job j = {site, io};
    sg_cpu_for(kernel, pixels_of(site), PIXELS, backward_pixels, &j);
    return SG_OK;
}

const sg_kernel_def sg_cpu_concat = {
    .prepare = sg_cpu_prepare_plain,
    .forward = forward,
    .backward = backward,
    .release = sg_cpu_release_plain,
};
