/*
 * Softmax with cross-entropy. Pixels are f32; their losses are summed in f64 within blocks that
 * depend on the shape alone, and the blocks in order: the same sums for any number of threads. The
 * powers and logarithms of focal loss are f64, one of each a pixel. Smoothed labels and weights of
 * borders as in the reference.
 */
#include "base/size.h"
#include "cpu/channels.h"
#include "cpu/class_rows.h"
#include "nn/op/loss.h"

enum { MOST_BLOCKS = 128 };

typedef struct {
    double loss, weight;
    int32_t bad; /* a label that is no class, or -1 */
} block_sum;

typedef struct {
    const sg_site *site;
    const sg_io *io;
    int64_t pixels, block;
    block_sum sum[MOST_BLOCKS];
} job;

static float weight_of(const job *j, uint8_t label)
{
    return j->io->run->class_weight ? j->io->run->class_weight[label] : 1;
}

/* Logits of some pixels as planes, and where not NULL the rows themselves. */
static const float *load_planes(const job *j, int64_t first, int64_t pixels, float *buffer,
                                float *plane)
{
    int64_t c = j->site->in[0].c;
    const float *logit = sg_row_load(j->io->in[0], j->site->in_type[0], (size_t)(first * c),
                                     (size_t)(pixels * c), buffer);
    sg_class_planes(logit, pixels, c, plane);
    return logit;
}

static const sg_loss_attr *attr_of(const job *j)
{
    return &j->site->node->attr.loss;
}

/* The weight of a pixel in the sum of losses. */
static float pixel_weight(const job *j, int64_t pixel)
{
    float weight = weight_of(j, j->io->labels[pixel]);
    return attr_of(j)->border && j->io->border ? weight + j->io->border[pixel] : weight;
}

/* The sum over the other classes, in their order, of a pixel's column of planes. */
static float others(const float *plane, int64_t pixels, int64_t c, int64_t i, uint8_t label)
{
    float sum = 0;
    for (int64_t k = 0; k < c; k++)
        sum += k == label ? 0 : plane[k * pixels + i];
    return sum;
}

/* Weight of class k in the target of a pixel with smoothed labels. */
static double smooth_target(const job *j, uint8_t label, int64_t k)
{
    double spread = attr_of(j)->smoothing;
    double even = spread / (double)j->site->in[0].c * weight_of(j, (uint8_t)k);
    return even + (k == label ? (1 - spread) * weight_of(j, label) : 0);
}

/* whole: the logarithm of the sum of exp(logit). */
static double smooth_loss(const job *j, const float *logit, uint8_t label, double whole)
{
    double loss = 0;
    for (int64_t k = 0; k < j->site->in[0].c; k++)
        loss += smooth_target(j, label, k) * (whole - logit[k]);
    return loss;
}

/* Focal losses of pixels with labels, before their weights, from exp(logit - largest) and sums. */
static void focal_losses(const job *j, const float *plane, const float *sum, const uint8_t *labels,
                         int64_t pixels, float *loss)
{
    int64_t c = j->site->in[0].c;
    for (int64_t i = 0; i < pixels; i++) {
        loss[i] = 0;
        if (labels[i] >= c)
            continue;
        double own = (double)plane[labels[i] * pixels + i] / sum[i];
        double rest = (double)others(plane, pixels, c, i, labels[i]) / sum[i];
        loss[i] = (float)sg_focal_loss(attr_of(j)->gamma, own, rest);
    }
}

static void add_row(const job *j, int64_t first, int64_t pixels, block_sum *to)
{
    int64_t c = j->site->in[0].c;
    const uint8_t *labels = j->io->labels + first;
    float buffer[SG_ROW], plane[SG_ROW], largest[SG_ROW], sum[SG_ROW], focal[SG_ROW];
    const float *logit = load_planes(j, first, pixels, buffer, plane);
    const sg_loss_attr *attr = attr_of(j);
    sg_class_powers(plane, pixels, c, largest, sum);
    if (attr->gamma > 0)
        focal_losses(j, plane, sum, labels, pixels, focal);
    sg_row_log(sum, (size_t)pixels);
    for (int64_t i = 0; i < pixels; i++) {
        uint8_t label = labels[i];
        if (label == SG_IGNORE_LABEL)
            continue;
        if (label >= c) {
            to->bad = label;
            continue;
        }
        double weight = pixel_weight(j, first + i);
        if (attr->gamma > 0)
            to->loss += weight * focal[i];
        else if (attr->smoothing > 0)
            to->loss += smooth_loss(j, logit + i * c, label, (double)largest[i] + sum[i]);
        else
            to->loss += weight * ((double)(largest[i] - logit[i * c + label]) + sum[i]);
        to->weight += weight_of(j, label);
    }
}

/* Items: blocks. */
static void sum_blocks(void *context, int64_t begin, int64_t end)
{
    job *j = context;
    int64_t most = sg_class_pixels(j->site->in[0].c);
    for (int64_t b = begin; b < end; b++) {
        int64_t last = sg_min64(j->pixels, (b + 1) * j->block);
        j->sum[b] = (block_sum){0, 0, -1};
        for (int64_t i = b * j->block; i < last; i += most)
            add_row(j, i, sg_min64(most, last - i), &j->sum[b]);
    }
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    job j = {.site = site, .io = io};
    j.pixels = site->in[0].n * site->in[0].h * site->in[0].w;
    int64_t blocks = sg_channel_blocks(j.pixels, &j.block);
    SG_ASSERT(blocks <= MOST_BLOCKS);
    sg_cpu_for(kernel, blocks, 1, sum_blocks, &j);
    block_sum total = {0, 0, -1};
    for (int64_t b = 0; b < blocks; b++) {
        total.loss += j.sum[b].loss;
        total.weight += j.sum[b].weight;
        total.bad = j.sum[b].bad >= 0 ? j.sum[b].bad : total.bad;
    }
    if (total.bad >= 0)
        return sg_loss_bad_label(total.bad, site->in[0].c);
    sg_store(io->out, site->out_type, 0,
             sg_loss_report(site->node, io->run, total.loss, total.weight));
    return SG_OK;
}

/* row = factor * (plane - onehot) of class k; factor is 0 where there is no label. */
SG_CLONES static void gradient_plane(float *restrict plane, const float *restrict factor,
                                     const int32_t *restrict label, int32_t k, int64_t pixels)
{
    for (int64_t i = 0; i < pixels; i++) {
        float share = plane[i] - (label[i] == k ? 1.0f : 0.0f);
        plane[i] = factor[i] != 0 ? factor[i] * share : 0;
    }
}

/* row = factor * (sum of the target * plane - target), where labels are smoothed. */
static void smooth_planes(const job *j, float *plane, const float *factor, const uint8_t *labels,
                          int64_t pixels)
{
    int64_t c = j->site->in[0].c;
    for (int64_t i = 0; i < pixels; i++) {
        double whole = 0;
        for (int64_t k = 0; k < c && labels[i] < c; k++)
            whole += smooth_target(j, labels[i], k);
        for (int64_t k = 0; k < c; k++) {
            double target = labels[i] < c ? smooth_target(j, labels[i], k) : 0;
            float *at = &plane[k * pixels + i];
            *at = labels[i] < c ? (float)(factor[i] * (whole * *at - target)) : 0;
        }
    }
}

/* What (softmax - onehot) is multiplied by. */
static float factor_of(const job *j, const float *plane, int64_t pixels, int64_t i, int64_t first)
{
    const sg_loss_attr *attr = attr_of(j);
    uint8_t label = j->io->labels[first + i];
    float scale = j->io->run->loss_scale * attr->weight;
    int64_t c = j->site->in[0].c;
    if (label >= c)
        return 0;
    if (attr->smoothing > 0)
        return scale;
    if (attr->gamma > 0)
        scale *= (float)sg_focal_slope(attr->gamma, plane[label * pixels + i],
                                       others(plane, pixels, c, i, label));
    return scale * pixel_weight(j, first + i);
}

/* loss_scale * weight * (softmax - onehot), 0 where there is no label. */
static void gradient_row(const void *context, int64_t first, int64_t pixels)
{
    const job *j = context;
    int64_t c = j->site->in[0].c;
    const uint8_t *labels = j->io->labels + first;
    float buffer[SG_ROW], plane[SG_ROW], largest[SG_ROW], sum[SG_ROW], factor[SG_ROW];
    int32_t label[SG_ROW];
    load_planes(j, first, pixels, buffer, plane);
    sg_class_powers(plane, pixels, c, largest, sum);
    sg_class_shares(plane, pixels, c, sum);
    for (int64_t i = 0; i < pixels; i++) {
        label[i] = labels[i];
        factor[i] = factor_of(j, plane, pixels, i, first);
    }
    if (attr_of(j)->smoothing > 0)
        smooth_planes(j, plane, factor, labels, pixels);
    for (int64_t k = 0; k < c && attr_of(j)->smoothing <= 0; k++)
        gradient_plane(plane + k * pixels, factor, label, (int32_t)k, pixels);
    sg_class_rows(plane, pixels, c, buffer);
    sg_row_put(j->io->grad_in[0], j->site->grad_type, j->site->write[0], (size_t)(first * c),
               (size_t)(pixels * c), buffer);
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    job j = {.site = site, .io = io};
    j.pixels = site->in[0].n * site->in[0].h * site->in[0].w;
    if (site->write[0] != SG_GRAD_NONE)
        sg_class_for(kernel, j.pixels, site->in[0].c, gradient_row, &j);
    return SG_OK;
}

const sg_kernel_def sg_cpu_softmax_loss = {
    .prepare = sg_cpu_prepare_plain,
    .forward = forward,
    .backward = backward,
    .release = sg_cpu_release_plain,
};
