/*
 * Softmax with cross-entropy. Pixels are f32; their losses are summed in f64 within blocks that
 * depend on the shape alone, and the blocks in order: the same sums for any number of threads.
 */
#include "base/size.h"
#include "cpu/channels.h"
#include "cpu/class_rows.h"

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

static void add_row(const job *j, int64_t first, int64_t pixels, block_sum *to)
{
    int64_t c = j->site->in[0].c;
    const uint8_t *labels = j->io->labels + first;
    float buffer[SG_ROW], plane[SG_ROW], largest[SG_ROW], sum[SG_ROW];
    const float *logit = load_planes(j, first, pixels, buffer, plane);
    sg_class_powers(plane, pixels, c, largest, sum);
    sg_row_log(sum, (size_t)pixels);
    for (int64_t i = 0; i < pixels; i++) {
        uint8_t label = labels[i];
        if (label == SG_IGNORE_LABEL)
            continue;
        if (label >= c) {
            to->bad = label;
            continue;
        }
        double weight = weight_of(j, label);
        to->loss += weight * ((double)(largest[i] - logit[i * c + label]) + sum[i]);
        to->weight += weight;
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
        return sg_fail(SG_EINPUT, "label %d in the training data, but the network has %d classes",
                       (int)total.bad, (int)site->in[0].c);
    io->run->loss_sum = total.loss;
    io->run->weight_sum = total.weight;
    sg_store(io->out, site->out_type, 0, (float)total.loss);
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

/* loss_scale * weight * (softmax - onehot), 0 where there is no label. */
static void gradient_row(const job *j, int64_t first, int64_t pixels)
{
    int64_t c = j->site->in[0].c;
    const uint8_t *labels = j->io->labels + first;
    float buffer[SG_ROW], plane[SG_ROW], largest[SG_ROW], sum[SG_ROW], factor[SG_ROW];
    int32_t label[SG_ROW];
    load_planes(j, first, pixels, buffer, plane);
    sg_class_powers(plane, pixels, c, largest, sum);
    sg_class_shares(plane, pixels, c, sum);
    for (int64_t i = 0; i < pixels; i++) {
        label[i] = labels[i];
        factor[i] = labels[i] < c ? j->io->run->loss_scale * weight_of(j, labels[i]) : 0;
    }
    for (int64_t k = 0; k < c; k++)
        gradient_plane(plane + k * pixels, factor, label, (int32_t)k, pixels);
    sg_class_rows(plane, pixels, c, buffer);
    sg_row_put(j->io->grad_in[0], j->site->grad_type, j->site->write[0], (size_t)(first * c),
               (size_t)(pixels * c), buffer);
}

static void gradient_pixels(void *context, int64_t begin, int64_t end)
{
    const job *j = context;
    int64_t most = sg_class_pixels(j->site->in[0].c);
    for (int64_t i = begin; i < end; i += most)
        gradient_row(j, i, sg_min64(most, end - i));
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    job j = {.site = site, .io = io};
    j.pixels = site->in[0].n * site->in[0].h * site->in[0].w;
    if (site->write[0] != SG_GRAD_NONE)
        sg_cpu_for(kernel, j.pixels, 4096, gradient_pixels, &j);
    return SG_OK;
}

const sg_kernel_def sg_cpu_softmax_loss = {
    .prepare = sg_cpu_prepare_plain,
    .forward = forward,
    .backward = backward,
    .release = sg_cpu_release_plain,
};
