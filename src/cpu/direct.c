/*
 * Forward: blocks of PX output pixels by 16 channels stay in registers while the window runs by.
 * The pixels' inputs are reached through pointers, one per pixel and kernel row (or tap, at
 * borders), so that padding is a pointer to zeros and a block may span rows.
 */
#include "cpu/direct.h"

#include <string.h>
#include "base/size.h"

enum {
    PX = 6,         /* with two vectors of channels: 12 sums, 2 weights, 1 input in 16 registers */
    VECTOR = 8,     /* floats */
    BLOCK = 16,     /* output channels of a block */
    L2 = 192 << 10, /* bytes of input that a strip may take: it is read once per block */
};

sg_direct sg_direct_plain(const sg_window_attr *window, sg_shape in, sg_shape out)
{
    return (sg_direct){
        .n = in.n,
        .in_h = in.h,
        .in_w = in.w,
        .in_c = in.c,
        .out_h = out.h,
        .out_w = out.w,
        .out_c = out.c,
        .kernel_h = window->kernel_h,
        .kernel_w = window->kernel_w,
        .stride_h = window->stride_h,
        .stride_w = window->stride_w,
        .dilation_h = window->dilation_h,
        .dilation_w = window->dilation_w,
        .top = window->pad.top,
        .left = window->pad.left,
        .out_image = out.h * out.w * out.c,
        .out_row = out.w * out.c,
        .out_pixel = out.c,
    };
}

static int64_t taps_of(const sg_direct *d)
{
    return d->kernel_h * d->kernel_w * d->in_c;
}

static int64_t blocks_of(const sg_direct *d)
{
    return sg_div_up(d->out_c, BLOCK);
}

/* Channels that block b computes: the last one may do with one vector. */
static int64_t block_width(const sg_direct *d, int64_t b)
{
    return d->out_c - b * BLOCK <= VECTOR ? VECTOR : BLOCK;
}

static size_t block_offset(const sg_direct *d, int64_t b)
{
    return (size_t)(b * BLOCK * (taps_of(d) + 1));
}

/* Blocks of [bias][kernel row][kernel column][input channel] x channels, then zeros for padding. */
size_t sg_direct_packed_count(const sg_direct *d)
{
    return block_offset(d, blocks_of(d)) + (size_t)(d->kernel_w * d->in_c);
}

static void pack_row(float *row, const float *weights, int64_t stride, int64_t channels,
                     int64_t width)
{
    for (int64_t j = 0; j < width; j++)
        row[j] = j < channels ? weights[j * stride] : 0;
}

typedef struct {
    const sg_direct *d;
    const float *weights, *bias;
    const sg_direct_strides *strides;
    float *packed;
} pack_job;

static void pack_block(const pack_job *job, int64_t b)
{
    const sg_direct *d = job->d;
    const sg_direct_strides *s = job->strides;
    int64_t width = block_width(d, b), first = b * BLOCK;
    int64_t channels = sg_min64(width, d->out_c - first);
    float *row = job->packed + block_offset(d, b);
    pack_row(row, job->bias ? job->bias + first : row, 1, job->bias ? channels : 0, width);
    for (int64_t kh = 0; kh < d->kernel_h; kh++)
        for (int64_t kw = 0; kw < d->kernel_w; kw++) {
            const float *tap = job->weights + first * s->out + kh * s->row + kw * s->column;
            for (int64_t i = 0; i < d->in_c; i++, row += width)
                pack_row(row + width, tap + i * s->in, s->out, channels, width);
        }
}

static void pack_blocks(void *context, int64_t begin, int64_t end)
{
    for (int64_t b = begin; b < end; b++)
        pack_block(context, b);
}

void sg_direct_pack(const sg_cpu *cpu, const sg_direct *d, const float *weights,
                    const sg_direct_strides *strides, const float *bias, float *packed)
{
    pack_job job = {d, weights, bias, strides, packed};
    sg_cpu_for(cpu, blocks_of(d), 1, pack_blocks, &job);
    memset(packed + block_offset(d, blocks_of(d)), 0,
           (size_t)(d->kernel_w * d->in_c) * sizeof *packed);
}

/* ---- the inner block ---- */

#ifdef __x86_64__
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma")))
#define INLINE static inline __attribute__((always_inline))

bool sg_direct_available(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

/* The inputs of PX pixels at one step of the window: `run` contiguous floats each. */
typedef struct {
    const float *x[PX];
} step;

typedef struct {
    float *out[PX];
    int64_t pixels;   /* of PX that are real */
    int64_t channels; /* of the block that are real */
    bool relu;
} target;

AVX2 INLINE void store_block(const target *t, __m256 (*sum)[2], const int vectors)
{
    float tile[PX][BLOCK];
    if (t->pixels == PX && t->channels == vectors * VECTOR) {
#pragma GCC unroll 6
        for (int i = 0; i < PX; i++)
#pragma GCC unroll 2
            for (int v = 0; v < vectors; v++)
                _mm256_storeu_ps(t->out[i] + v * VECTOR, sum[i][v]);
        return;
    }
#pragma GCC unroll 6
    for (int i = 0; i < PX; i++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
            _mm256_storeu_ps(tile[i] + v * VECTOR, sum[i][v]);
    for (int64_t i = 0; i < t->pixels; i++)
        memcpy(t->out[i], tile[i], (size_t)t->channels * sizeof(float));
}

/* NaN passes through max(0, x) in this order of operands. */
AVX2 INLINE void block(const step *steps, int64_t count, int64_t run, const float *w,
                       const target *t, const int vectors)
{
    __m256 sum[PX][2];
#pragma GCC unroll 6
    for (int i = 0; i < PX; i++)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; v++)
            sum[i][v] = _mm256_loadu_ps(w + v * VECTOR);
    w += vectors * VECTOR;
    for (int64_t s = 0; s < count; s++) {
        const float *x0 = steps[s].x[0], *x1 = steps[s].x[1], *x2 = steps[s].x[2];
        const float *x3 = steps[s].x[3], *x4 = steps[s].x[4], *x5 = steps[s].x[5];
        for (int64_t k = 0; k < run; k++) {
            const float *const x[PX] = {x0, x1, x2, x3, x4, x5};
            __m256 weight[2];
#pragma GCC unroll 2
            for (int v = 0; v < vectors; v++)
                weight[v] = _mm256_loadu_ps(w + v * VECTOR);
            w += vectors * VECTOR;
#pragma GCC unroll 6
            for (int i = 0; i < PX; i++) {
                __m256 value = _mm256_broadcast_ss(x[i] + k);
#pragma GCC unroll 2
                for (int v = 0; v < vectors; v++)
                    sum[i][v] = _mm256_fmadd_ps(value, weight[v], sum[i][v]);
            }
        }
    }
    if (t->relu) {
#pragma GCC unroll 6
        for (int i = 0; i < PX; i++)
#pragma GCC unroll 2
            for (int v = 0; v < vectors; v++)
                sum[i][v] = _mm256_max_ps(_mm256_setzero_ps(), sum[i][v]);
    }
    store_block(t, sum, vectors);
}

AVX2 static void block16(const step *steps, int64_t count, int64_t run, const float *w,
                         const target *t)
{
    block(steps, count, run, w, t, 2);
}

AVX2 static void block8(const step *steps, int64_t count, int64_t run, const float *w,
                        const target *t)
{
    block(steps, count, run, w, t, 1);
}

/* ---- walking over the pixels ---- */

typedef struct {
    const sg_direct *d;
    const float *in, *packed, *zeros;
    float *out;
    bool relu;
    int64_t strip_rows, strips; /* of an image */
    int64_t chunk, chunks;      /* blocks of channels of an item; items per strip */
} forward_job;

/* The output pixels of a block. */
typedef struct {
    int64_t y, x; /* the first */
    int64_t left; /* in the strip, from the first on */
} place;

static void advance(place *p, int64_t by, int64_t width)
{
    p->left -= by;
    for (p->x += by; p->x >= width; p->x -= width)
        p->y++;
}

/* All PX windows lie in one row and inside it. Kernel rows are contiguous unless dilated: then the
 * run is a tap. Returns the number of steps. */
static int64_t steps_inside(const forward_job *job, const float *image, const place *p, step *steps)
{
    const sg_direct *d = job->d;
    int64_t columns = d->dilation_w == 1 ? 1 : d->kernel_w, count = 0;
    int64_t x = p->x * d->stride_w - d->left;
    for (int64_t kh = 0; kh < d->kernel_h; kh++) {
        int64_t y = p->y * d->stride_h - d->top + kh * d->dilation_h;
        bool inside = y >= 0 && y < d->in_h;
        for (int64_t kw = 0; kw < columns; kw++, count++) {
            const float *first =
                inside ? image + (y * d->in_w + x + kw * d->dilation_w) * d->in_c : job->zeros;
            int64_t distance = inside ? d->stride_w * d->in_c : 0;
            for (int i = 0; i < PX; i++)
                steps[count].x[i] = first + i * distance;
        }
    }
    return count;
}

/* One tap a step, for pixel i of the block, which stands at p. */
static void steps_of_pixel(const forward_job *job, const float *image, const place *p, int i,
                           step *steps)
{
    const sg_direct *d = job->d;
    for (int64_t kh = 0; kh < d->kernel_h; kh++) {
        int64_t y = p->y * d->stride_h - d->top + kh * d->dilation_h;
        for (int64_t kw = 0; kw < d->kernel_w; kw++, steps++) {
            int64_t x = p->x * d->stride_w - d->left + kw * d->dilation_w;
            bool inside = y >= 0 && y < d->in_h && x >= 0 && x < d->in_w;
            steps->x[i] = inside ? image + (y * d->in_w + x) * d->in_c : job->zeros;
        }
    }
}

static bool is_inside(const sg_direct *d, const place *p)
{
    int64_t least = p->x * d->stride_w - d->left;
    int64_t most = least + (PX - 1) * d->stride_w + (d->kernel_w - 1) * d->dilation_w;
    return p->left >= PX && p->x + PX <= d->out_w && least >= 0 && most < d->in_w;
}

/* The block at p: its steps and where its results go. Returns the run's length. */
static int64_t gather(const forward_job *job, const float *image, float *out, const place *p,
                      step *steps, int64_t *count, target *t)
{
    const sg_direct *d = job->d;
    t->pixels = sg_min64(PX, p->left);
    if (is_inside(d, p)) {
        for (int i = 0; i < PX; i++)
            t->out[i] = out + p->y * d->out_row + (p->x + i) * d->out_pixel;
        *count = steps_inside(job, image, p, steps);
        return d->dilation_w == 1 ? d->kernel_w * d->in_c : d->in_c;
    }
    place at = *p;
    for (int i = 0; i < PX; i++) { /* pixels past the end repeat the last one */
        steps_of_pixel(job, image, &at, i, steps);
        t->out[i] = out + at.y * d->out_row + at.x * d->out_pixel;
        if (at.left > 1)
            advance(&at, 1, d->out_w);
    }
    *count = d->kernel_h * d->kernel_w;
    return d->in_c;
}

static void strip_block(const forward_job *job, int64_t image, int64_t row, int64_t rows, int64_t b)
{
    const sg_direct *d = job->d;
    const float *in = job->in + image * d->in_h * d->in_w * d->in_c;
    const float *w = job->packed + block_offset(d, b);
    float *out = job->out + image * d->out_image + b * BLOCK;
    int64_t width = block_width(d, b), count;
    step steps[SG_DIRECT_TAPS];
    target t = {.relu = job->relu, .channels = sg_min64(width, d->out_c - b * BLOCK)};
    for (place p = {row, 0, rows * d->out_w}; p.left > 0; advance(&p, PX, d->out_w)) {
        int64_t run = gather(job, in, out, &p, steps, &count, &t);
        if (width == BLOCK)
            block16(steps, count, run, w, &t);
        else
            block8(steps, count, run, w, &t);
    }
}

static void forward_items(void *context, int64_t begin, int64_t end)
{
    const forward_job *job = context;
    const sg_direct *d = job->d;
    for (int64_t item = begin; item < end; item++) {
        int64_t strip = item / job->chunks, first = item % job->chunks * job->chunk;
        int64_t image = strip / job->strips, row = strip % job->strips * job->strip_rows;
        int64_t rows = sg_min64(job->strip_rows, d->out_h - row);
        for (int64_t b = first; b < sg_min64(first + job->chunk, blocks_of(d)); b++)
            strip_block(job, image, row, rows, b);
    }
}

/* How the work is cut changes only who computes what, never a result. */
static void cut(forward_job *job, int threads)
{
    const sg_direct *d = job->d;
    int64_t row_bytes = d->in_w * d->in_c * (int64_t)sizeof(float) * d->stride_h;
    int64_t enough = 4 * (int64_t)threads;
    job->strip_rows = sg_max64(1, sg_min64(d->out_h, L2 / row_bytes));
    job->strips = sg_div_up(d->out_h, job->strip_rows);
    job->strip_rows = sg_div_up(d->out_h, job->strips);
    job->chunks = sg_min64(blocks_of(d), sg_div_up(enough, d->n * job->strips));
    job->chunk = sg_div_up(blocks_of(d), job->chunks);
    job->chunks = sg_div_up(blocks_of(d), job->chunk);
}

void sg_direct_forward(const sg_cpu *cpu, const sg_direct *d, const float *in, const float *packed,
                       bool relu, float *out)
{
    forward_job job = {.d = d, .in = in, .packed = packed, .out = out, .relu = relu};
    job.zeros = packed + block_offset(d, blocks_of(d));
    cut(&job, cpu->threads);
    sg_cpu_for(cpu, d->n * job.strips * job.chunks, 1, forward_items, &job);
}

#else

bool sg_direct_available(void)
{
    return false;
}

void sg_direct_forward(const sg_cpu *cpu, const sg_direct *d, const float *in, const float *packed,
                       bool relu, float *out)
{
    SG_ASSERT(!"only called where sg_direct_available says so");
}

#endif
