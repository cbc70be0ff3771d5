/*
 * Loss of regions. Shares are f32; their sums over pixels are f32 within a row buffer's pixels and
 * f64 from there on, within blocks that depend on the shape alone, and the blocks in order: the
 * same sums for any number of threads. The gradient is f32, rounded once when it is stored.
 */
#include <string.h>
#include "base/size.h"
#include "cpu/channels.h"
#include "cpu/class_rows.h"
#include "nn/op/loss.h"

enum { MOST_BLOCKS = 128 };

typedef struct {
    sg_cpu *cpu;
    double *sums; /* [MOST_BLOCKS][sg_region_sums], owned */
} region_kernel;

typedef struct {
    const sg_site *site;
    const sg_io *io;
    int64_t pixels, block;
    double *sums;
    int32_t bad[MOST_BLOCKS]; /* a label that is no class, or -1 */
} job;

/* Shares of some pixels as planes. */
static void load_shares(const job *j, int64_t first, int64_t pixels, float *plane)
{
    int64_t c = j->site->in[0].c;
    float buffer[SG_ROW], largest[SG_ROW], sum[SG_ROW];
    const float *logit = sg_row_load(j->io->in[0], j->site->in_type[0], (size_t)(first * c),
                                     (size_t)(pixels * c), buffer);
    sg_class_planes(logit, pixels, c, plane);
    sg_class_powers(plane, pixels, c, largest, sum);
    sg_class_shares(plane, pixels, c, sum);
}

/* Sum of a plane's values at valid pixels. */
SG_CLONES static float sum_valid(const float *restrict plane, const float *restrict valid,
                                 int64_t pixels)
{
    float sum = 0;
    for (int64_t i = 0; i < pixels; i++)
        sum += valid[i] != 0 ? plane[i] : 0;
    return sum;
}

static void add_row(const job *j, int64_t first, int64_t pixels, double *sums, int32_t *bad)
{
    int64_t c = j->site->in[0].c;
    const uint8_t *labels = j->io->labels + first;
    const float *weight = j->io->run->class_weight;
    float plane[SG_ROW], valid[SG_ROW];
    load_shares(j, first, pixels, plane);
    for (int64_t i = 0; i < pixels; i++) {
        uint8_t label = labels[i];
        valid[i] = label < c ? 1 : 0;
        if (label >= c) {
            *bad = label == SG_IGNORE_LABEL ? *bad : label;
            continue;
        }
        sums[label] += plane[label * pixels + i];
        sums[2 * c + label]++;
        sums[3 * c] += weight ? weight[label] : 1;
    }
    for (int64_t k = 0; k < c; k++)
        sums[c + k] += sum_valid(plane + k * pixels, valid, pixels);
}

/* Items: blocks. */
static void sum_blocks(void *context, int64_t begin, int64_t end)
{
    job *j = context;
    size_t count = sg_region_sums(j->site->in[0].c);
    int64_t most = sg_class_pixels(j->site->in[0].c);
    for (int64_t b = begin; b < end; b++) {
        int64_t last = sg_min64(j->pixels, (b + 1) * j->block);
        double *sums = j->sums + (size_t)b * count;
        memset(sums, 0, count * sizeof *sums);
        j->bad[b] = -1;
        for (int64_t i = b * j->block; i < last; i += most)
            add_row(j, i, sg_min64(most, last - i), sums, &j->bad[b]);
    }
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    const region_kernel *k = kernel;
    const int64_t c = site->in[0].c;
    const size_t count = sg_region_sums(c);
    float coefficient[2 * SG_MAX_CLASSES];
    double weight;
    job j = {.site = site, .io = io, .sums = k->sums};
    j.pixels = site->in[0].n * site->in[0].h * site->in[0].w;
    int64_t blocks = sg_channel_blocks(j.pixels, &j.block);
    SG_ASSERT(blocks <= MOST_BLOCKS);
    sg_cpu_for(k->cpu, blocks, 1, sum_blocks, &j);
    for (int64_t b = 0; b < blocks; b++) {
        if (j.bad[b] >= 0)
            return sg_loss_bad_label(j.bad[b], c);
        for (size_t i = 0; i < count && b > 0; i++)
            k->sums[i] += k->sums[(size_t)b * count + i];
    }
    double loss = sg_region_finish(site, io->run, k->sums, coefficient, &weight);
    if (io->saved)
        memcpy(io->saved, coefficient, 2 * (size_t)c * sizeof *coefficient);
    sg_store(io->out, site->out_type, 0, sg_loss_report(site->node, io->run, loss, weight));
    return SG_OK;
}

/* mean += share * (all + own where the label is k) */
SG_CLONES static void add_mean(float *restrict mean, const float *restrict share,
                               const int32_t *restrict label, int32_t k, const float *slope,
                               int64_t pixels)
{
    const float own = slope[0], all = slope[1];
    for (int64_t i = 0; i < pixels; i++)
        mean[i] += share[i] * (all + (label[i] == k ? own : 0));
}

/* share = scale * share * (slope - mean), 0 where there is no label. */
SG_CLONES static void gradient_plane(float *restrict share, const float *restrict mean,
                                     const int32_t *restrict label, int32_t k, const float *slope,
                                     int64_t pixels)
{
    const float own = slope[0], all = slope[1], scale = slope[2];
    for (int64_t i = 0; i < pixels; i++) {
        float difference = all + (label[i] == k ? own : 0) - mean[i];
        share[i] = label[i] >= 0 ? scale * share[i] * difference : 0;
    }
}

static void gradient_row(const void *context, int64_t first, int64_t pixels)
{
    const job *j = context;
    int64_t c = j->site->in[0].c;
    const float *own = j->io->saved, *all = own + c;
    const float scale = j->io->run->loss_scale * j->site->node->attr.loss.weight;
    float plane[SG_ROW], buffer[SG_ROW], mean[SG_ROW] = {0};
    int32_t label[SG_ROW];
    load_shares(j, first, pixels, plane);
    for (int64_t i = 0; i < pixels; i++)
        label[i] = j->io->labels[first + i] < c ? j->io->labels[first + i] : -1;
    for (int64_t k = 0; k < c; k++)
        add_mean(mean, plane + k * pixels, label, (int32_t)k, (const float[]){own[k], all[k]},
                 pixels);
    for (int64_t k = 0; k < c; k++)
        gradient_plane(plane + k * pixels, mean, label, (int32_t)k,
                       (const float[]){own[k], all[k], scale}, pixels);
    sg_class_rows(plane, pixels, c, buffer);
    sg_row_put(j->io->grad_in[0], j->site->grad_type, j->site->write[0], (size_t)(first * c),
               (size_t)(pixels * c), buffer);
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    const region_kernel *k = kernel;
    job j = {.site = site, .io = io};
    j.pixels = site->in[0].n * site->in[0].h * site->in[0].w;
    if (site->write[0] != SG_GRAD_NONE)
        sg_class_for(k->cpu, j.pixels, site->in[0].c, gradient_row, &j);
    return SG_OK;
}

static void release(void *kernel)
{
    region_kernel *k = kernel;
    if (k)
        sg_free(k->sums);
    sg_free(k);
}

static sg_err prepare(sg_backend *backend, const sg_site *site, void **kernel)
{
    region_kernel *k = NULL;
    sg_err err = sg_calloc(1, sizeof *k, &k);
    if (err)
        return err;
    k->cpu = (sg_cpu *)backend;
    err = sg_calloc(MOST_BLOCKS * sg_region_sums(site->in[0].c), sizeof *k->sums, &k->sums);
    if (err)
        release(k);
    else
        *kernel = k;
    return err;
}

const sg_kernel_def sg_cpu_region_loss = {
    .prepare = prepare, .forward = forward, .backward = backward, .release = release};
