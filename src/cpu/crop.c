/* Cropping: copies, row by row. */
#include <string.h>
#include "base/size.h"
#include "cpu/device.h"
#include "cpu/rows.h"

typedef struct {
    const sg_site *site;
    const sg_io *io;
} job;

enum { ROWS = 4 };

/* The rectangle that the two tensors share: its corner in each, and its size. */
typedef struct {
    int64_t in_y, in_x, out_y, out_x, h, w;
} shared;

static shared shared_of(const sg_site *site)
{
    const sg_crop_attr *a = &site->node->attr.crop;
    return (shared){a->cut.top,
                    a->cut.left,
                    a->pad.top,
                    a->pad.left,
                    site->in[0].h - a->cut.top - a->cut.bottom,
                    site->in[0].w - a->cut.left - a->cut.right};
}

/* `count` elements into a row of the output, which may be of the other type. */
static void convert(const sg_site *site, const void *from, size_t at, void *to, size_t index,
                    size_t count)
{
    float buffer[SG_ROW];
    for (size_t k = 0; k < count; k += SG_ROW) {
        size_t some = count - k < SG_ROW ? count - k : SG_ROW;
        const float *row = sg_row_load(from, site->in_type[0], at + k, some, buffer);
        sg_row_store(to, site->out_type, index + k, some, row);
    }
}

/* Items: rows of all images of the output. */
static void forward_rows(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const sg_site *site = j->site;
    sg_shape in = site->in[0], out = site->out;
    shared s = shared_of(site);
    size_t size = sg_dtype_size(site->out_type), row = (size_t)(out.w * out.c) * size;
    for (int64_t i = begin; i < end; i++) {
        int64_t n = i / out.h, y = i % out.h - s.out_y;
        bool inside = y >= 0 && y < s.h;
        char *to = (char *)j->io->out + (size_t)i * row;
        if (!inside || s.w < out.w)
            memset(to, 0, row);
        size_t from = (size_t)(((n * in.h + s.in_y + y) * in.w + s.in_x) * in.c);
        size_t count = (size_t)(s.w * in.c);
        if (inside && site->in_type[0] == site->out_type)
            memcpy(to + (size_t)(s.out_x * out.c) * size, (const char *)j->io->in[0] + from * size,
                   count * size);
        else if (inside)
            convert(site, j->io->in[0], from, j->io->out, (size_t)((i * out.w + s.out_x) * out.c),
                    count);
    }
}

/* `count` elements of the gradient, from `at` of the output's or 0, to `index` of the input's. */
static void put(const job *j, bool shown, size_t at, size_t index, size_t count)
{
    const sg_site *site = j->site;
    float buffer[SG_ROW];
    for (size_t k = 0; k < count; k += SG_ROW) {
        size_t some = count - k < SG_ROW ? count - k : SG_ROW;
        const float *row = buffer;
        if (shown)
            row = sg_row_load(j->io->grad_out, site->grad_type, at + k, some, buffer);
        else
            memset(buffer, 0, some * sizeof *buffer);
        sg_row_put(j->io->grad_in[0], site->grad_type, site->write[0], index + k, some, row);
    }
}

/* Items: rows of all images of the input. */
static void backward_rows(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const sg_site *site = j->site;
    sg_shape in = site->in[0], out = site->out;
    shared s = shared_of(site);
    bool adds = site->write[0] == SG_GRAD_ADD;
    for (int64_t i = begin; i < end; i++) {
        int64_t n = i / in.h, y = i % in.h - s.in_y, row = i * in.w;
        bool inside = y >= 0 && y < s.h;
        size_t at = (size_t)(((n * out.h + s.out_y + y) * out.w + s.out_x) * out.c);
        if (inside)
            put(j, true, at, (size_t)((row + s.in_x) * in.c), (size_t)(s.w * in.c));
        if (adds)
            continue;
        int64_t left = inside ? s.in_x : in.w, right = inside ? in.w - s.in_x - s.w : 0;
        put(j, false, 0, (size_t)(row * in.c), (size_t)(left * in.c));
        put(j, false, 0, (size_t)((row + in.w - right) * in.c), (size_t)(right * in.c));
    }
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    job j = {site, io};
    sg_cpu_for(kernel, site->out.n * site->out.h, ROWS, forward_rows, &j);
    return SG_OK;
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    job j = {site, io};
    if (site->write[0] != SG_GRAD_NONE)
        sg_cpu_for(kernel, site->in[0].n * site->in[0].h, ROWS, backward_rows, &j);
    return SG_OK;
}

const sg_kernel_def sg_cpu_crop = {
    .prepare = sg_cpu_prepare_plain,
    .forward = forward,
    .backward = backward,
    .release = sg_cpu_release_plain,
};
