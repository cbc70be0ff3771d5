#include "cpu/channels.h"

#include <string.h>
#include "base/size.h"
#include "cpu/rows.h"

enum { BLOCKS = 128, LANES = 16, RUN = 64 /* pixels summed in f32 */ };

int64_t sg_channel_blocks(int64_t pixels, int64_t *block)
{
    *block = sg_max64(RUN, sg_div_up(pixels, BLOCKS));
    return sg_div_up(pixels, *block);
}

SG_CLONES void sg_channel_add(const float *rows, int64_t pixels, int64_t c, float *sum)
{
    int64_t j = 0;
    for (; j + LANES <= c; j += LANES) {
        float lane[LANES];
        for (int64_t k = 0; k < LANES; k++)
            lane[k] = sum[j + k];
        for (int64_t i = 0; i < pixels; i++)
            for (int64_t k = 0; k < LANES; k++)
                lane[k] += rows[i * c + j + k];
        for (int64_t k = 0; k < LANES; k++)
            sum[j + k] = lane[k];
    }
    for (int64_t i = 0; i < pixels; i++)
        for (int64_t k = j; k < c; k++)
            sum[k] += rows[i * c + k];
}

size_t sg_channel_sums_scratch(sg_shape shape)
{
    int64_t block, blocks = sg_channel_blocks(shape.n * shape.h * shape.w, &block);
    return (size_t)(blocks * shape.c) * sizeof(double);
}

typedef struct {
    const void *tensor;
    sg_dtype type;
    int64_t pixels, block, c;
    double *partial; /* [blocks][c] */
} sum_job;

/* Channels [first, first + count) of pixels [from, to). */
static void sum_part(const sum_job *job, int64_t from, int64_t to, int64_t first, int64_t count,
                     double *sum)
{
    float buffer[SG_ROW], run[SG_ROW];
    memset(run, 0, (size_t)count * sizeof *run);
    for (int64_t i = from; i < to; i++) {
        const float *row = sg_row_load(job->tensor, job->type, (size_t)(i * job->c + first),
                                       (size_t)count, buffer);
        sg_row_add(run, row, (size_t)count);
    }
    for (int64_t j = 0; j < count; j++)
        sum[first + j] += run[j];
}

/* Whole pixels at once, where several fit a row buffer. */
static void sum_whole(const sum_job *job, int64_t from, int64_t to, double *sum)
{
    int64_t most = sg_min64(RUN, SG_ROW / job->c);
    for (int64_t i = from; i < to; i += most) {
        float buffer[SG_ROW], run[SG_ROW] = {0};
        int64_t pixels = sg_min64(most, to - i);
        const float *rows = sg_row_load(job->tensor, job->type, (size_t)(i * job->c),
                                        (size_t)(pixels * job->c), buffer);
        sg_channel_add(rows, pixels, job->c, run);
        for (int64_t j = 0; j < job->c; j++)
            sum[j] += run[j];
    }
}

static void sum_blocks(void *context, int64_t begin, int64_t end)
{
    const sum_job *job = context;
    for (int64_t b = begin; b < end; b++) {
        double *sum = job->partial + b * job->c;
        int64_t from = b * job->block, to = sg_min64(job->pixels, from + job->block);
        memset(sum, 0, (size_t)job->c * sizeof *sum);
        if (job->c * 4 <= SG_ROW) {
            sum_whole(job, from, to, sum);
            continue;
        }
        for (int64_t i = from; i < to; i += RUN)
            for (int64_t j = 0; j < job->c; j += SG_ROW)
                sum_part(job, i, sg_min64(to, i + RUN), j, sg_min64(SG_ROW, job->c - j), sum);
    }
}

void sg_channel_sums(const sg_cpu *cpu, const void *tensor, sg_dtype type, sg_shape shape,
                     void *scratch, float *sum)
{
    sum_job job = {tensor, type, shape.n * shape.h * shape.w, 0, shape.c, scratch};
    int64_t blocks = sg_channel_blocks(job.pixels, &job.block);
    sg_cpu_for(cpu, blocks, 1, sum_blocks, &job);
    for (int64_t j = 0; j < shape.c; j++) {
        double total = 0;
        for (int64_t b = 0; b < blocks; b++)
            total += job.partial[b * shape.c + j];
        sum[j] = (float)total;
    }
}
