/*
 * Bilinear resize. Where outputs read is worked out once, on the host, by the reference's exact
 * fractions (sg_resize_position), and lies in tables on the GPU.
 *
 * Numerical contract. An output is the weighted sum of four pixels in f32 (top left, top right,
 * bottom left, bottom right), rounded once. Gradients are gathered by input pixel over the outputs
 * that read it, in row-major order, in f32, and stored or added; the gradient of a second input is
 * 0.
 */
#include "cuda/launch.cuh"

/* Along one axis, on the GPU: where each output reads, and which outputs [first, end) may read each
 * input. */
struct axis {
    const int *low, *high;  /* [out] */
    const float *weight;    /* [out], of high */
    const int *first, *end; /* [in] */
};

struct resizer {
    sg_cuda *cuda;
    void *memory; /* owned, device: the tables of both axes */
    axis rows, columns;
};

struct resize_args {
    const void *from;
    void *to;
    int from_type, to_type, write;
    axis rows, columns;
    uint32_t h, w, oh, ow, groups; /* c / N */
    uint32_t from_pitch, to_pitch;
    uint32_t items;
};

template <int N> __global__ void interpolate(resize_args a)
{
    uint32_t item = sg_item();
    if (item >= a.items)
        return;
    uint32_t pixel = item / a.groups, group = item % a.groups, x = pixel % a.ow;
    uint32_t row = pixel / a.ow, y = row % a.oh, n = row / a.oh;
    float down = a.rows.weight[y], right = a.columns.weight[x];
    const int ys[2] = {a.rows.low[y], a.rows.high[y]};
    const int xs[2] = {a.columns.low[x], a.columns.high[x]};
    const float weight[4] = {(1 - down) * (1 - right), (1 - down) * right, down * (1 - right),
                             down * right};
    sg_row<N> sum = {}, value;
    for (int k = 0; k < 4; k++) {
        size_t at = ((size_t)n * a.h + ys[k / 2]) * a.w + xs[k % 2];
        sg_read(a.from, a.from_type, at * a.from_pitch + group * N, &value);
        for (int i = 0; i < N; i++)
            sum.v[i] += weight[k] * value.v[i];
    }
    sg_write(a.to, a.to_type, sg_place<N>(item, a.groups, a.to_pitch), sum);
}

/* The weight with which output o reads input i. */
static __device__ float share(const axis &a, uint32_t o, int i)
{
    float weight = a.low[o] == i ? 1 - a.weight[o] : 0;
    return a.high[o] == i ? weight + a.weight[o] : weight;
}

template <int N> __global__ void gather(resize_args a)
{
    uint32_t item = sg_item();
    if (item >= a.items)
        return;
    uint32_t pixel = item / a.groups, group = item % a.groups, column = pixel % a.w;
    uint32_t line = pixel / a.w, row = line % a.h, n = line / a.h;
    sg_row<N> sum = {}, gradient;
    for (int y = a.rows.first[row]; y < a.rows.end[row]; y++) {
        float down = share(a.rows, (uint32_t)y, (int)row);
        for (int x = a.columns.first[column]; x < a.columns.end[column]; x++) {
            float weight = down * share(a.columns, (uint32_t)x, (int)column);
            size_t at = ((size_t)n * a.oh + y) * a.ow + x;
            sg_read(a.from, a.from_type, at * a.from_pitch + group * N, &gradient);
            for (int i = 0; i < N; i++)
                sum.v[i] += weight * gradient.v[i];
        }
    }
    sg_put_gradient(a.to, a.to_type, a.write, sg_place<N>(item, a.groups, a.to_pitch), sum);
}

/* ---- tables ---- */

static size_t table_bytes(int64_t in, int64_t out)
{
    return ((size_t)out * 3 + (size_t)in * 2) * 4;
}

/* The five tables one behind the other, on the host. Outputs read in order, so those that read an
 * input stand together. */
static void fill_tables(int32_t *table, int64_t in, int64_t out, int32_t corners)
{
    int32_t *low = table, *high = low + out, *first = high + 2 * out, *end = first + in;
    float *weight = (float *)(high + out);
    for (int64_t i = 0; i < in; i++)
        first[i] = end[i] = 0;
    for (int64_t o = 0; o < out; o++) {
        sg_lerp at = sg_resize_position(o, in, out, corners);
        const int64_t reads[2] = {at.low, at.high};
        low[o] = (int32_t)at.low;
        high[o] = (int32_t)at.high;
        weight[o] = at.weight;
        for (int k = 0; k < 2; k++) {
            if (end[reads[k]] == 0)
                first[reads[k]] = (int32_t)o;
            end[reads[k]] = (int32_t)o + 1;
        }
    }
}

static axis axis_at(const int32_t *table, int64_t in, int64_t out)
{
    axis a;
    a.low = table;
    a.high = table + out;
    a.weight = (const float *)(table + 2 * out);
    a.first = table + 3 * out;
    a.end = a.first + in;
    return a;
}

static sg_err make_tables(resizer *r, const sg_site *site)
{
    int64_t h = site->in[0].h, w = site->in[0].w, oh = site->out.h, ow = site->out.w;
    int32_t corners = site->node->attr.resize.align_corners;
    size_t rows = table_bytes(h, oh), bytes = rows + table_bytes(w, ow);
    uint8_t *host = NULL;
    sg_err err = sg_malloc(bytes, 1, &host);
    if (!err)
        err = sg_cuda_alloc(r->cuda, bytes, &r->memory);
    if (!err) {
        fill_tables((int32_t *)host, h, oh, corners);
        fill_tables((int32_t *)(host + rows), w, ow, corners);
        err = sg_cuda_upload(r->cuda, r->memory, host, bytes);
    }
    sg_free(host);
    r->rows = axis_at((const int32_t *)r->memory, h, oh);
    r->columns = axis_at((const int32_t *)((uint8_t *)r->memory + rows), w, ow);
    return err;
}

static void release(void *kernel)
{
    resizer *r = (resizer *)kernel;
    if (!r)
        return;
    sg_cuda_free(r->cuda, r->memory);
    sg_free(r);
}

static sg_err prepare(sg_backend *backend, const sg_site *site, void **kernel)
{
    resizer *r = NULL;
    sg_err err = sg_calloc(1, sizeof *r, &r);
    if (err)
        return err;
    r->cuda = sg_cuda_of(backend);
    err = make_tables(r, site);
    if (err)
        release(r);
    else
        *kernel = r;
    return err;
}

/* ---- calls ---- */

static resize_args args_of(const resizer *r, const sg_site *site)
{
    resize_args a = {};
    a.rows = r->rows;
    a.columns = r->columns;
    a.h = (uint32_t)site->in[0].h;
    a.w = (uint32_t)site->in[0].w;
    a.oh = (uint32_t)site->out.h;
    a.ow = (uint32_t)site->out.w;
    a.groups = (uint32_t)(sg_is_wide(site->out.c) ? site->out.c / 8 : site->out.c);
    return a;
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    const resizer *r = (const resizer *)kernel;
    resize_args a = args_of(r, site);
    a.from = io->in[0];
    a.from_type = site->in_type[0];
    a.from_pitch = (uint32_t)site->in_pitch[0];
    a.to = io->out;
    a.to_type = site->out_type;
    a.to_pitch = (uint32_t)site->out_pitch;
    return sg_launch_rows(r->cuda, interpolate<8>, interpolate<1>, sg_is_wide(site->out.c),
                          sg_shape_count(site->out), a);
}

/* Gradients that are stored have no gaps. */
static sg_err clear(const resizer *r, const sg_site *site, const sg_io *io)
{
    size_t bytes = sg_shape_count(site->in[1]) * sg_dtype_size(site->grad_type);
    if (site->inputs < 2 || site->write[1] == SG_GRAD_NONE || site->write[1] == SG_GRAD_ADD)
        return SG_OK;
    return sg_cuda_check(cudaMemsetAsync(io->grad_in[1], 0, bytes, r->cuda->stream),
                         "memory cannot be cleared");
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    const resizer *r = (const resizer *)kernel;
    resize_args a = args_of(r, site);
    sg_err err = clear(r, site, io);
    if (err || site->write[0] == SG_GRAD_NONE)
        return err;
    a.from = io->grad_out;
    a.from_type = site->grad_type;
    a.from_pitch = (uint32_t)site->out_pitch;
    a.to = io->grad_in[0];
    a.to_type = site->grad_type;
    a.to_pitch = (uint32_t)site->grad_pitch[0];
    a.write = site->write[0];
    return sg_launch_rows(r->cuda, gather<8>, gather<1>, sg_is_wide(site->out.c),
                          sg_shape_count(site->in[0]), a);
}

extern "C" const sg_kernel_def sg_cuda_resize = {prepare,  NULL,    forward,
                                                 backward, release, SG_PITCHED_IN | SG_PITCHED_OUT};
