/*
 * Group normalisation with a fused activation.
 *
 * Numerical contract. Moments of channels are those of norm.cuh, image by image; chunks and the
 * channels of a group are merged in order in f64, so large means do not cancel. How pixels are cut
 * depends on an image's shape alone. Values are f32: z = (x - mean) * factor + shift, where mean is
 * rounded to f32 and what that loses is put into shift. The backward pass computes the same z
 * again. Outputs and gradients are overwritten.
 */
#include "cuda/norm.cuh"

#include <math.h>

enum { SCALE, SHIFT };

struct normaliser {
    sg_cuda *cuda;
    sg_sum_cut cut; /* of one image */
    uint32_t images, groups;
};

/* Pieces of scratch memory in one call. */
struct pieces {
    double *parts;      /* [images][chunks][2c] */
    double *totals;     /* [images][2c] */
    double *statistics; /* [2][images][groups] where they are not saved */
    sg_norm_coefficients k;
};

struct group_args {
    sg_sum_cut cut;
    sg_norm_coefficients k;
    const double *parts, *totals;
    double *mean, *inverse; /* [images][groups] */
    const float *scale, *shift;
    float *scale_gradient, *shift_gradient;
    double epsilon;
    uint32_t images, groups, width; /* width: channels of a group */
    uint32_t items;
};

/* ---- statistics ---- */

/* One block to a group of an image: thread t merges every SG_JOINERS-th chunk of all its channels
 * in order, thread 0 the threads. */
__global__ void merge_group(group_args a)
{
    uint32_t group = blockIdx.x, image = blockIdx.y, t = threadIdx.x;
    sg_moments all = {0, 0, 0};
    for (uint32_t b = t; b < a.cut.chunks; b += SG_JOINERS) {
        const double *from = a.parts + ((size_t)image * a.cut.chunks + b) * 2 * a.cut.c;
        uint32_t pixels = min(a.cut.chunk, a.cut.pixels - b * a.cut.chunk);
        for (uint32_t c = group * a.width; c < (group + 1) * a.width; c++) {
            sg_moments part = {(double)pixels, from[c], from[a.cut.c + c]};
            sg_merge(&all, part);
        }
    }
    if (!sg_join_moments(&all))
        return;
    a.mean[image * a.groups + group] = all.mean;
    a.inverse[image * a.groups + group] = 1 / sqrt(all.square / all.count + a.epsilon);
}

/* Items: channels of all images. */
__global__ void use_statistics(group_args a)
{
    uint32_t item = sg_item();
    if (item >= a.items)
        return;
    uint32_t c = item % a.cut.c, group = item / a.cut.c * a.groups + c / a.width;
    double mean = a.mean[group], inverse = a.inverse[group], factor = inverse * a.scale[c];
    float rounded = (float)mean;
    a.k.mean[item] = rounded;
    a.k.inverse[item] = (float)inverse;
    a.k.factor[item] = (float)factor;
    a.k.shift[item] = (float)(a.shift[c] - (mean - (double)rounded) * factor);
}

/* ---- gradients ---- */

/* Items: channels. */
__global__ void give_sums(group_args a)
{
    uint32_t c = sg_item();
    if (c >= a.items)
        return;
    double shift = 0, scale = 0;
    for (uint32_t image = 0; image < a.images; image++) {
        shift += a.totals[(size_t)image * 2 * a.cut.c + c];
        scale += a.totals[(size_t)image * 2 * a.cut.c + a.cut.c + c];
    }
    a.shift_gradient[c] = (float)shift;
    a.scale_gradient[c] = (float)scale;
}

/* Items: groups of all images. dx = inverse * (scale * dz - mean(scale * dz) - xhat * mean(scale *
 * dz * xhat)), means over the group, which are made of the channels' sums. */
__global__ void use_sums(group_args a)
{
    uint32_t item = sg_item();
    if (item >= a.items)
        return;
    uint32_t image = item / a.groups, first = item % a.groups * a.width;
    const double *sum = a.totals + (size_t)image * 2 * a.cut.c;
    double plain = 0, normal = 0, inverse = a.inverse[item];
    double each = (double)a.cut.pixels * a.width;
    for (uint32_t c = first; c < first + a.width; c++) {
        plain += sum[c] * a.scale[c];
        normal += sum[a.cut.c + c] * a.scale[c];
    }
    for (uint32_t c = first; c < first + a.width; c++) {
        a.k.centre[image * a.cut.c + c] = (float)(inverse * (plain / each));
        a.k.slope[image * a.cut.c + c] = (float)(inverse * inverse * (normal / each));
    }
}

/* ---- making ---- */

static size_t cut_scratch(const normaliser *n, uint8_t *memory, pieces *p)
{
    size_t c = n->cut.c, images = n->images, all = images * c;
    size_t parts = sg_cuda_piece(2 * all * n->cut.chunks * sizeof(double));
    size_t totals = sg_cuda_piece(2 * all * sizeof(double));
    size_t statistics = sg_cuda_piece(2 * images * n->groups * sizeof(double));
    if (p) {
        float *f = (float *)(memory + parts + totals + statistics);
        sg_norm_coefficients k = {f, f + all, f + 2 * all, f + 3 * all, f + 4 * all, f + 5 * all};
        p->parts = (double *)memory;
        p->totals = (double *)(memory + parts);
        p->statistics = (double *)(memory + parts + totals);
        p->k = k;
    }
    return parts + totals + statistics + 6 * all * sizeof(float);
}

static void release(void *kernel)
{
    sg_free(kernel);
}

static sg_err prepare(sg_backend *backend, const sg_site *site, void **kernel)
{
    normaliser *n = NULL;
    sg_shape image = site->out;
    sg_err err = sg_calloc(1, sizeof *n, &n);
    if (err)
        return err;
    image.n = 1;
    n->cuda = sg_cuda_of(backend);
    n->cut = sg_sum_cut_of(image);
    n->images = (uint32_t)site->out.n;
    n->groups = (uint32_t)site->node->attr.group_norm.groups;
    err = sg_cuda_reserve(n->cuda, cut_scratch(n, NULL, NULL));
    if (err)
        release(n);
    else
        *kernel = n;
    return err;
}

/* ---- forward ---- */

static group_args group_args_of(const normaliser *n, const sg_site *site, const sg_io *io,
                                const pieces *p)
{
    group_args a = {};
    a.cut = n->cut;
    a.k = p->k;
    a.parts = p->parts;
    a.totals = p->totals;
    a.mean = site->training ? (double *)io->saved : p->statistics;
    a.inverse = a.mean + (size_t)n->images * n->groups;
    a.scale = io->param[SCALE];
    a.shift = io->param[SHIFT];
    a.scale_gradient = io->param_grad[SCALE];
    a.shift_gradient = io->param_grad[SHIFT];
    a.epsilon = site->node->attr.group_norm.epsilon;
    a.images = n->images;
    a.groups = n->groups;
    a.width = n->cut.c / n->groups;
    return a;
}

static dim3 blocks_of(const normaliser *n)
{
    dim3 blocks = sg_sum_blocks(n->cut);
    blocks.z = n->images;
    return blocks;
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    const normaliser *n = (const normaliser *)kernel;
    bool wide = sg_is_wide(site->out.c);
    pieces p;
    cut_scratch(n, (uint8_t *)n->cuda->scratch, &p);
    sg_norm_args a = sg_norm_args_of(n->cut, p.k, p.parts, site, io);
    group_args g = group_args_of(n, site, io, &p);
    sg_err err = SG_OK;
    if (!io->again)
        err = sg_launch(n->cuda, wide ? sg_sum_moments<8> : sg_sum_moments<1>, blocks_of(n),
                        dim3(SG_THREADS), a);
    if (!err && !io->again)
        err = sg_launch(n->cuda, merge_group, dim3(n->groups, n->images), dim3(SG_JOINERS), g);
    if (!err)
        err = sg_launch_items(n->cuda, use_statistics, (size_t)n->images * n->cut.c, g);
    a.to = io->out;
    a.to_type = site->out_type;
    return err ? err
               : sg_launch_rows(n->cuda, sg_normalise<8>, sg_normalise<1>, wide,
                                sg_shape_count(site->out), a);
}

/* ---- backward ---- */

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    const normaliser *n = (const normaliser *)kernel;
    bool wide = sg_is_wide(site->out.c);
    pieces p;
    cut_scratch(n, (uint8_t *)n->cuda->scratch, &p);
    sg_norm_args a = sg_norm_args_of(n->cut, p.k, p.parts, site, io);
    group_args g = group_args_of(n, site, io, &p);
    sg_err err = sg_launch_items(n->cuda, use_statistics, (size_t)n->images * n->cut.c, g);
    if (!err)
        err = sg_launch(n->cuda, wide ? sg_sum_gradients<8> : sg_sum_gradients<1>, blocks_of(n),
                        dim3(SG_THREADS), a);
    if (!err)
        err = sg_launch(n->cuda, sg_join_chunks, dim3(2 * n->cut.c, n->images), dim3(SG_JOINERS),
                        p.parts, n->cut.chunks, p.totals);
    if (!err)
        err = sg_launch_items(n->cuda, give_sums, n->cut.c, g);
    if (err || site->write[0] == SG_GRAD_NONE)
        return err;
    err = sg_launch_items(n->cuda, use_sums, (size_t)n->images * n->groups, g);
    a.to = io->grad_in[0];
    a.to_type = site->grad_type;
    return err ? err
               : sg_launch_rows(n->cuda, sg_input_gradient<8>, sg_input_gradient<1>, wide,
                                sg_shape_count(site->out), a);
}

extern "C" const sg_kernel_def sg_cuda_group_norm = {prepare,  NULL,    forward,
                                                     backward, release, SG_PITCHED_OUT};
