#include "cpu/norm_pass.h"

#include <string.h>
#include "base/size.h"

enum { WIDTH = 256 /* channels of a patch */, PATCH = SG_NORM_PATCH };

typedef struct {
    int64_t pixel, c;
    int64_t pixels, channels;
} patch;

/* Where a pass leaves its sums; pixels before `begin` are not in them. */
typedef struct {
    double *first, *second; /* [c] */
    int64_t begin;
} totals;

typedef void (*patch_fn)(const sg_norm_pass *pass, const patch *p, const totals *to);

/* Cut pixels [begin, end) into patches, whole pixels where the channels fit. */
static void each_patch(const sg_norm_pass *pass, int64_t begin, int64_t end, const totals *to,
                       patch_fn fn)
{
    int64_t c = pass->site->out.c, width = sg_min64(c, WIDTH), most = sg_min64(64, PATCH / width);
    for (int64_t i = begin; i < end; i += most)
        for (int64_t k = 0; k < c; k += width) {
            patch p = {i, k, sg_min64(most, end - i), sg_min64(width, c - k)};
            fn(pass, &p, to);
        }
}

/* As each_patch, into sums that start at 0. */
static void each_patch_summed(const sg_norm_pass *pass, int64_t begin, int64_t end, double *first,
                              double *second, patch_fn fn)
{
    const totals to = {first, second, begin};
    size_t bytes = (size_t)pass->site->out.c * sizeof *first;
    memset(first, 0, bytes);
    memset(second, 0, bytes);
    each_patch(pass, begin, end, &to, fn);
}

/* The patch of a tensor as f32 rows `*stride` apart: in place for f32. */
static const float *load_patch(const sg_norm_pass *pass, const patch *p, const void *tensor,
                               sg_dtype type, float *buffer, int64_t *stride)
{
    int64_t c = pass->site->out.c, first = p->pixel * c + p->c;
    *stride = type == SG_F32 ? c : p->channels;
    if (type == SG_F32)
        return (const float *)tensor + first;
    for (int64_t i = 0; i < p->pixels; i++)
        sg_row_load(tensor, type, (size_t)(first + i * c), (size_t)p->channels,
                    buffer + i * p->channels);
    return buffer;
}

/* Where to compute a patch of a tensor: in place for f32. */
static float *patch_target(const sg_norm_pass *pass, const patch *p, void *tensor, sg_dtype type,
                           float *buffer, int64_t *stride)
{
    int64_t c = pass->site->out.c;
    *stride = type == SG_F32 ? c : p->channels;
    return type == SG_F32 ? (float *)tensor + p->pixel * c + p->c : buffer;
}

/* A patch computed there is in the tensor after this. */
static void store_patch(const sg_norm_pass *pass, const patch *p, const float *from, void *tensor,
                        sg_dtype type)
{
    int64_t c = pass->site->out.c;
    for (int64_t i = 0; type != SG_F32 && i < p->pixels; i++)
        sg_row_store(tensor, type, (size_t)((p->pixel + i) * c + p->c), (size_t)p->channels,
                     from + i * p->channels);
}

static sg_norm_rows rows_of(const patch *p)
{
    return (sg_norm_rows){.pixels = p->pixels, .channels = p->channels, .first = p->c};
}

/* ---- values ---- */

static void add_moments(const sg_norm_pass *pass, const patch *p, const totals *to)
{
    float buffer[PATCH], mean[WIDTH], square[WIDTH];
    sg_norm_rows r = rows_of(p);
    r.x = load_patch(pass, p, pass->io->in[0], pass->site->in_type[0], buffer, &r.stride);
    sg_norm_moments(&r, mean, square);
    sg_norm_merge(to->first + p->c, to->second + p->c, (double)(p->pixel - to->begin), mean, square,
                  (double)p->pixels, p->channels);
}

void sg_norm_pass_moments(const sg_norm_pass *pass, int64_t begin, int64_t end, double *mean,
                          double *square)
{
    each_patch_summed(pass, begin, end, mean, square, add_moments);
}

static void forward_patch(const sg_norm_pass *pass, const patch *p, const totals *to)
{
    const sg_site *site = pass->site;
    float in[PATCH], out[PATCH];
    int32_t act = site->node->act;
    sg_norm_rows r = rows_of(p);
    r.x = load_patch(pass, p, pass->io->in[0], site->in_type[0], in, &r.stride);
    r.out = patch_target(pass, p, pass->io->out, site->out_type, out, &r.out_stride);
    sg_norm_values(&r, pass->k, act == SG_ACT_RELU);
    for (int64_t i = 0; act != SG_ACT_RELU && act != SG_ACT_NONE && i < p->pixels; i++)
        sg_row_act(act, r.out + i * r.out_stride, (size_t)p->channels);
    store_patch(pass, p, r.out, pass->io->out, site->out_type);
}

void sg_norm_pass_merge(const sg_norm_blocks *blocks, int64_t begin, int64_t end)
{
    int64_t count = blocks->c, block = blocks->block;
    double *mean = blocks->partial, *square = mean + count;
    for (int64_t b = 1; b < blocks->blocks; b++) {
        const double *other = mean + b * 2 * count;
        double had = (double)(b * block);
        double added = (double)(sg_min64(blocks->pixels, (b + 1) * block) - b * block);
        double part = added / (had + added), both = had * part;
        for (int64_t c = begin; c < end; c++) {
            double distance = other[c] - mean[c];
            mean[c] += distance * part;
            square[c] += other[count + c] + distance * distance * both;
        }
    }
}

void sg_norm_pass_values(const sg_norm_pass *pass, int64_t begin, int64_t end)
{
    each_patch(pass, begin, end, NULL, forward_patch);
}

/* ---- gradients ---- */

/* The gradient before an activation other than relu, rows of p->channels. Slopes of leaky relu and
 * silu follow from z; those of the others from the rounded output. */
static void unfuse(const sg_norm_pass *pass, const patch *p, const sg_norm_rows *r, float *dz)
{
    const sg_site *site = pass->site;
    int32_t act = site->node->act;
    float value[PATCH];
    int64_t stride = p->channels;
    const float *y = value;
    sg_norm_rows z = *r;
    z.out = value;
    z.out_stride = p->channels;
    if (act == SG_ACT_LEAKY || act == SG_ACT_SILU)
        sg_norm_values(&z, pass->k, false);
    else
        y = load_patch(pass, p, pass->io->out, site->out_type, value, &stride);
    for (int64_t i = 0; i < p->pixels; i++)
        sg_row_act_gradient(act, y + i * stride, r->up + i * r->up_stride, dz + i * p->channels,
                            (size_t)p->channels);
}

/* Buffers of a patch's rows; those of f32 tensors are not used. */
typedef struct {
    float in[PATCH], up[PATCH], dz[PATCH];
} buffers;

/* x and the gradient of a patch. Relu is left to the loops that follow: returns whether they must
 * apply it. */
static bool load_gradient(const sg_norm_pass *pass, const patch *p, buffers *b, sg_norm_rows *r)
{
    const sg_site *site = pass->site;
    int32_t act = site->node->act;
    *r = rows_of(p);
    r->x = load_patch(pass, p, pass->io->in[0], site->in_type[0], b->in, &r->stride);
    r->up = load_patch(pass, p, pass->io->grad_out, site->grad_type, b->up, &r->up_stride);
    if (act == SG_ACT_NONE || act == SG_ACT_RELU)
        return act == SG_ACT_RELU;
    unfuse(pass, p, r, b->dz);
    r->up = b->dz;
    r->up_stride = p->channels;
    return false;
}

static void sum_patch(const sg_norm_pass *pass, const patch *p, const totals *to)
{
    buffers b;
    sg_norm_rows r;
    bool relu = load_gradient(pass, p, &b, &r);
    sg_norm_sums(&r, pass->k, relu, to->first + p->c, to->second + p->c);
}

void sg_norm_pass_sums(const sg_norm_pass *pass, int64_t begin, int64_t end, double *sum,
                       double *sum_normal)
{
    each_patch_summed(pass, begin, end, sum, sum_normal, sum_patch);
}

static void backward_patch(const sg_norm_pass *pass, const patch *p, const totals *to)
{
    sg_dtype type = pass->site->grad_type;
    buffers b;
    float out[PATCH];
    sg_norm_rows r;
    bool relu = load_gradient(pass, p, &b, &r);
    r.out = patch_target(pass, p, pass->io->grad_in[0], type, out, &r.out_stride);
    sg_norm_input(&r, pass->k, relu);
    store_patch(pass, p, r.out, pass->io->grad_in[0], type);
}

void sg_norm_pass_input(const sg_norm_pass *pass, int64_t begin, int64_t end)
{
    each_patch(pass, begin, end, NULL, backward_patch);
}
