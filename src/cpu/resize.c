/*
 * Bilinear resize, four pixels weighted in f32 (top left, top right, bottom left, bottom right).
 * Gradients are gathered by input pixel: the output positions that read an input position stand
 * side by side along each axis, and are summed in row-major order in f32.
 */
#include <string.h>
#include "base/size.h"
#include "cpu/device.h"
#include "cpu/rows.h"
#include "nn/op/op_common.h"

enum { CHUNK = 256 /* channels at a time */ };

/* Output positions [first, end) that read an input position. */
typedef struct {
    int64_t first, end;
} readers;

typedef struct {
    sg_lerp *at;      /* [out] */
    readers *readers; /* [in] */
} axis;

typedef struct {
    sg_cpu *cpu;
    axis row, column; /* owned */
} resize;

static void drop_axis(axis *a)
{
    sg_free(a->at);
    sg_free(a->readers);
}

static void release(void *kernel)
{
    resize *r = kernel;
    if (!r)
        return;
    drop_axis(&r->row);
    drop_axis(&r->column);
    sg_free(r);
}

static void note_reader(readers *r, int64_t o)
{
    if (r->first == r->end)
        r->first = o;
    r->end = o + 1;
}

static sg_err make_axis(int64_t in, int64_t out, int32_t align_corners, axis *a)
{
    sg_err err = sg_malloc((size_t)out, sizeof *a->at, &a->at);
    if (!err)
        err = sg_calloc((size_t)in, sizeof *a->readers, &a->readers);
    for (int64_t o = 0; !err && o < out; o++) {
        a->at[o] = sg_resize_position(o, in, out, align_corners);
        note_reader(&a->readers[a->at[o].low], o);
        note_reader(&a->readers[a->at[o].high], o);
    }
    return err;
}

static sg_err prepare(sg_backend *backend, const sg_site *site, void **kernel)
{
    const sg_resize_attr *attr = &site->node->attr.resize;
    resize *r = NULL;
    sg_err err = sg_calloc(1, sizeof *r, &r);
    if (err)
        return err;
    r->cpu = (sg_cpu *)backend;
    err = make_axis(site->in[0].h, site->out.h, attr->align_corners, &r->row);
    if (!err)
        err = make_axis(site->in[0].w, site->out.w, attr->align_corners, &r->column);
    if (err) {
        release(r);
        return err;
    }
    *kernel = r;
    return SG_OK;
}

typedef struct {
    const resize *resize;
    const sg_site *site;
    const sg_io *io;
} job;

SG_CLONES static void mix(const float *const x[4], const float weight[4], size_t count, float *y)
{
    for (size_t c = 0; c < count; c++) {
        float top = x[0][c] * weight[0] + x[1][c] * weight[1];
        float bottom = x[2][c] * weight[2] + x[3][c] * weight[3];
        y[c] = top + bottom;
    }
}

SG_CLONES static void add_weighted(const float *x, float weight, size_t count, float *sum)
{
    for (size_t c = 0; c < count; c++)
        sum[c] += x[c] * weight;
}

static void mix_pixel(const job *j, int64_t n, int64_t y, int64_t x, int64_t c, size_t count)
{
    const sg_site *site = j->site;
    const sg_shape in = site->in[0], out = site->out;
    sg_lerp r = j->resize->row.at[y], s = j->resize->column.at[x];
    const int64_t rows[4] = {r.low, r.low, r.high, r.high};
    const int64_t columns[4] = {s.low, s.high, s.low, s.high};
    const float weight[4] = {(1 - r.weight) * (1 - s.weight), (1 - r.weight) * s.weight,
                             r.weight * (1 - s.weight), r.weight * s.weight};
    float buffer[4][CHUNK], to[CHUNK];
    const float *from[4];
    for (int i = 0; i < 4; i++) {
        int64_t at = ((n * in.h + rows[i]) * in.w + columns[i]) * in.c + c;
        from[i] = sg_row_load(j->io->in[0], site->in_type[0], (size_t)at, count, buffer[i]);
    }
    mix(from, weight, count, to);
    sg_row_store(j->io->out, site->out_type, (size_t)(((n * out.h + y) * out.w + x) * out.c + c),
                 count, to);
}

static void forward_rows(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const sg_shape out = j->site->out;
    for (int64_t row = begin; row < end; row++)
        for (int64_t x = 0; x < out.w; x++)
            for (int64_t c = 0; c < out.c; c += CHUNK)
                mix_pixel(j, row / out.h, row % out.h, x, c, (size_t)sg_min64(CHUNK, out.c - c));
}

/* Weight with which output position `at` reads input position i. */
static float weight_on(const sg_lerp *at, int64_t i)
{
    return (at->low == i ? 1 - at->weight : 0) + (at->high == i ? at->weight : 0);
}

static void gather(const job *j, int64_t n, int64_t y, int64_t x, int64_t c, size_t count)
{
    const sg_site *site = j->site;
    const sg_shape in = site->in[0], out = site->out;
    readers rows = j->resize->row.readers[y], columns = j->resize->column.readers[x];
    float sum[CHUNK] = {0}, buffer[CHUNK];
    for (int64_t oy = rows.first; oy < rows.end; oy++)
        for (int64_t ox = columns.first; ox < columns.end; ox++) {
            float weight =
                weight_on(&j->resize->row.at[oy], y) * weight_on(&j->resize->column.at[ox], x);
            int64_t at = ((n * out.h + oy) * out.w + ox) * out.c + c;
            add_weighted(sg_row_load(j->io->grad_out, site->grad_type, (size_t)at, count, buffer),
                         weight, count, sum);
        }
    sg_row_put(j->io->grad_in[0], site->grad_type, site->write[0],
               (size_t)(((n * in.h + y) * in.w + x) * in.c + c), count, sum);
}

static void backward_rows(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    const sg_shape in = j->site->in[0];
    for (int64_t row = begin; row < end; row++)
        for (int64_t x = 0; x < in.w; x++)
            for (int64_t c = 0; c < in.c; c += CHUNK)
                gather(j, row / in.h, row % in.h, x, c, (size_t)sg_min64(CHUNK, in.c - c));
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    const resize *r = kernel;
    job j = {r, site, io};
    sg_cpu_for(r->cpu, site->out.n * site->out.h, 2, forward_rows, &j);
    return SG_OK;
}

/* The second input gives its size alone: its gradient is 0. */
static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    const resize *r = kernel;
    job j = {r, site, io};
    if (site->write[0] != SG_GRAD_NONE)
        sg_cpu_for(r->cpu, site->in[0].n * site->in[0].h, 2, backward_rows, &j);
    if (site->inputs == 2 && site->write[1] != SG_GRAD_NONE && site->write[1] != SG_GRAD_ADD)
        memset(io->grad_in[1], 0, sg_shape_count(site->in[1]) * sg_dtype_size(site->grad_type));
    return SG_OK;
}

const sg_kernel_def sg_cpu_resize = {
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .release = release,
};
