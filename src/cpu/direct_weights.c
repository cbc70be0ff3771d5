/*
 * Weight gradients. A chunk of pixels is packed: inputs as [unit][8 channels][row][column][8], zero
 * borders included, output gradients as [unit][4 channels][row][column][4]. A unit is some rows of
 * an image, small enough for the second-level cache. Then every weight gradient is a long sum over
 * contiguous memory: 3 vectors of inputs (8 channels at one tap each) times 4 output channels stay
 * in registers while the unit's pixels run by.
 *
 * The sums of units go to `groups` slots by unit number, and the slots are added in order at the
 * end: units and groups follow from the shapes, so the result does not depend on the threads.
 */
#include "cpu/direct.h"

#include <string.h>
#include "base/size.h"

enum {
    IN = 8,                    /* input channels of a vector */
    OUT = 4,                   /* output channels of a tile */
    VECTORS = 3,               /* (input channels, tap) pairs of a tile */
    TILE = VECTORS * OUT * IN, /* floats */
    UNIT_BYTES = 256 << 10,
    CHUNK_BYTES = 4 << 20,
    FEW_TILES = 400, /* whose slot stays in the second-level cache beside a unit */
    MOST_GROUPS = 64,
    ITEMS = 32, /* pieces of work in a chunk, about */
};

typedef struct {
    const sg_direct *d;
    const float *in, *grad_out;
    float *x, *y; /* the packed chunk */
    float *slots; /* [groups][tiles][TILE] */
    float *gradient;
    sg_direct_strides strides;
    int64_t rows;            /* of output in a unit */
    int64_t strips;          /* units of an image */
    int64_t x_rows, x_width; /* of a unit's input with its borders */
    int64_t in_blocks, out_blocks;
    int64_t x_floats, y_floats;    /* of a unit */
    int64_t units, chunk;          /* in all; in a chunk at most */
    int64_t first, count;          /* the chunk's units */
    int64_t triples, tiles;        /* tiles = out_blocks * triples */
    bool few;                      /* tiles: every group packs for itself */
    int64_t groups, share, shares; /* tiles of an item; items of a group */
} weights_job;

static int64_t x_extent(int64_t rows, int64_t stride, int64_t dilation, int64_t kernel)
{
    return (rows - 1) * stride + (kernel - 1) * dilation + 1;
}

static void size_unit(weights_job *j, int64_t rows)
{
    const sg_direct *d = j->d;
    j->strips = sg_div_up(d->out_h, rows);
    j->rows = sg_div_up(d->out_h, j->strips);
    j->x_rows = x_extent(j->rows, d->stride_h, d->dilation_h, d->kernel_h);
    j->x_width = x_extent(d->out_w, d->stride_w, d->dilation_w, d->kernel_w);
    j->x_floats = j->in_blocks * j->x_rows * j->x_width * IN;
    j->y_floats = j->out_blocks * j->rows * d->out_w * OUT;
}

static void plan(weights_job *j, const sg_direct *d)
{
    *j = (weights_job){.d = d};
    j->in_blocks = sg_div_up(d->in_c, IN);
    j->out_blocks = sg_div_up(d->out_c, OUT);
    size_unit(j, 1);
    int64_t row_floats =
        d->out_w * (j->in_blocks * IN * d->stride_h * d->stride_w + j->out_blocks * OUT);
    size_unit(j, sg_max64(1, sg_min64(d->out_h, UNIT_BYTES / (4 * row_floats))));
    j->units = d->n * j->strips;
    j->triples = sg_div_up(j->in_blocks * d->kernel_h * d->kernel_w, VECTORS);
    j->tiles = j->out_blocks * j->triples;
    j->few = j->tiles <= FEW_TILES;
    if (j->few) {
        j->groups = j->chunk = sg_min64(MOST_GROUPS, j->units);
        j->share = j->tiles;
        j->shares = 1;
        return;
    }
    j->chunk = sg_max64(1, CHUNK_BYTES / (4 * (j->x_floats + j->y_floats)));
    j->chunk = sg_min64(j->chunk, j->units);
    j->groups = 1;
    j->share = sg_div_up(j->tiles, ITEMS);
    j->shares = sg_div_up(j->tiles, j->share);
}

static size_t floats_of(const weights_job *j)
{
    return (size_t)(j->chunk * (j->x_floats + j->y_floats) + j->groups * j->tiles * TILE);
}

size_t sg_direct_weights_scratch(const sg_direct *d)
{
    weights_job j;
    plan(&j, d);
    return floats_of(&j) * sizeof(float);
}

/* ---- packing ---- */

static inline __attribute__((always_inline)) void
pack_pixel(float *to, int64_t distance, const float *from, int64_t channels, const int64_t width)
{
    int64_t i = 0;
    for (; i + width <= channels; i += width, to += distance)
        memcpy(to, from + i, (size_t)width * sizeof *to);
    if (i < channels) {
        memset(to, 0, (size_t)width * sizeof *to);
        memcpy(to, from + i, (size_t)(channels - i) * sizeof *to);
    }
}

static void pack_x_row(const weights_job *j, int64_t slot, int64_t image, int64_t first, int64_t r)
{
    const sg_direct *d = j->d;
    int64_t y = first * d->stride_h - d->top + r, plane = j->x_rows * j->x_width * IN;
    float *to = j->x + slot * j->x_floats + r * j->x_width * IN;
    bool inside = y >= 0 && y < d->in_h;
    const float *row = j->in + (image * d->in_h + (inside ? y : 0)) * d->in_w * d->in_c;
    for (int64_t c = 0; c < j->x_width; c++, to += IN) {
        int64_t x = c - d->left;
        if (inside && x >= 0 && x < d->in_w)
            pack_pixel(to, plane, row + x * d->in_c, d->in_c, IN);
        else
            for (int64_t b = 0; b < j->in_blocks; b++)
                memset(to + b * plane, 0, IN * sizeof *to);
    }
}

static void pack_y_row(const weights_job *j, int64_t slot, int64_t image, int64_t first, int64_t r)
{
    const sg_direct *d = j->d;
    int64_t plane = j->rows * d->out_w * OUT;
    if (first + r >= d->out_h)
        return; /* never read */
    const float *row = j->grad_out + (image * d->out_h + first + r) * d->out_w * d->out_c;
    float *to = j->y + slot * j->y_floats + r * d->out_w * OUT;
    for (int64_t c = 0; c < d->out_w; c++, to += OUT)
        pack_pixel(to, plane, row + c * d->out_c, d->out_c, OUT);
}

/* Row r of a unit into its place: rows of input first, then of output gradients. */
static void pack_row(const weights_job *j, int64_t slot, int64_t unit, int64_t r)
{
    int64_t image = unit / j->strips, first = unit % j->strips * j->rows;
    if (r < j->x_rows)
        pack_x_row(j, slot, image, first, r);
    else
        pack_y_row(j, slot, image, first, r - j->x_rows);
}

/* Items: rows of the chunk's units. */
static void pack_rows(void *context, int64_t begin, int64_t end)
{
    const weights_job *j = context;
    int64_t rows = j->x_rows + j->rows;
    for (int64_t item = begin; item < end; item++)
        pack_row(j, item / rows, j->first + item / rows, item % rows);
}

/* ---- summing ---- */

#ifdef __x86_64__
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma")))

typedef struct {
    const float *x[VECTORS], *y;
    int64_t rows, columns;
    int64_t x_step, x_row, y_row; /* floats from pixel to pixel, row to row */
} sums;

/* tile[v][o][8] += sum over pixels of x[v][8] * y[o] */
AVX2 static void add_tile(const sums *s, float *tile)
{
    __m256 sum[VECTORS][OUT];
#pragma GCC unroll 3
    for (int v = 0; v < VECTORS; v++)
#pragma GCC unroll 4
        for (int o = 0; o < OUT; o++)
            sum[v][o] = _mm256_setzero_ps();
    for (int64_t r = 0; r < s->rows; r++) {
        const float *x0 = s->x[0] + r * s->x_row, *x1 = s->x[1] + r * s->x_row;
        const float *x2 = s->x[2] + r * s->x_row, *y = s->y + r * s->y_row;
        for (int64_t c = 0; c < s->columns; c++) {
            const __m256 x[VECTORS] = {_mm256_loadu_ps(x0), _mm256_loadu_ps(x1),
                                       _mm256_loadu_ps(x2)};
#pragma GCC unroll 4
            for (int o = 0; o < OUT; o++) {
                __m256 value = _mm256_broadcast_ss(y + o);
#pragma GCC unroll 3
                for (int v = 0; v < VECTORS; v++)
                    sum[v][o] = _mm256_fmadd_ps(value, x[v], sum[v][o]);
            }
            x0 += s->x_step;
            x1 += s->x_step;
            x2 += s->x_step;
            y += OUT;
        }
    }
#pragma GCC unroll 3
    for (int v = 0; v < VECTORS; v++)
#pragma GCC unroll 4
        for (int o = 0; o < OUT; o++) {
            float *to = tile + (v * OUT + o) * IN;
            _mm256_storeu_ps(to, _mm256_add_ps(_mm256_loadu_ps(to), sum[v][o]));
        }
}

/* Pair p is (block of input channels, kernel row, kernel column), the column running fastest; the
 * last triple repeats the last pair. */
static int64_t pair_offset(const weights_job *j, int64_t p)
{
    const sg_direct *d = j->d;
    p = sg_min64(p, j->in_blocks * d->kernel_h * d->kernel_w - 1);
    int64_t kw = p % d->kernel_w, kh = p / d->kernel_w % d->kernel_h;
    int64_t b = p / (d->kernel_w * d->kernel_h);
    return ((b * j->x_rows + kh * d->dilation_h) * j->x_width + kw * d->dilation_w) * IN;
}

static void unit_tile(const weights_job *j, int64_t slot, int64_t unit, int64_t tile, float *sum)
{
    const sg_direct *d = j->d;
    int64_t first = unit % j->strips * j->rows;
    const float *x = j->x + slot * j->x_floats;
    const float *y = j->y + slot * j->y_floats;
    sums s = {.y = y + tile / j->triples * j->rows * d->out_w * OUT,
              .rows = sg_min64(j->rows, d->out_h - first),
              .columns = d->out_w,
              .x_step = d->stride_w * IN,
              .x_row = d->stride_h * j->x_width * IN,
              .y_row = d->out_w * OUT};
    for (int v = 0; v < VECTORS; v++)
        s.x[v] = x + pair_offset(j, tile % j->triples * VECTORS + v);
    add_tile(&s, sum);
}

#else

static void unit_tile(const weights_job *j, int64_t slot, int64_t unit, int64_t tile, float *sum)
{
    SG_ASSERT(!"only called where sg_direct_available says so");
}

#endif

/* Items: groups, where tiles are few. */
static void sum_groups(void *context, int64_t begin, int64_t end)
{
    const weights_job *j = context;
    for (int64_t group = begin; group < end; group++) {
        float *sum = j->slots + group * j->tiles * TILE;
        memset(sum, 0, (size_t)(j->tiles * TILE) * sizeof *sum);
        for (int64_t unit = group; unit < j->units; unit += j->groups) {
            for (int64_t r = 0; r < j->x_rows + j->rows; r++)
                pack_row(j, group, unit, r);
            for (int64_t tile = 0; tile < j->tiles; tile++)
                unit_tile(j, group, unit, tile, sum + tile * TILE);
        }
    }
}

/* Items: shares of the tiles. Units outer, so that a unit stays in the cache. */
static void sum_shares(void *context, int64_t begin, int64_t end)
{
    const weights_job *j = context;
    for (int64_t item = begin; item < end; item++) {
        int64_t from = item * j->share, to = sg_min64(j->tiles, from + j->share);
        for (int64_t slot = 0; slot < j->count; slot++)
            for (int64_t tile = from; tile < to; tile++)
                unit_tile(j, slot, j->first + slot, tile, j->slots + tile * TILE);
    }
}

static void sum_chunks(const sg_cpu *cpu, weights_job *j)
{
    memset(j->slots, 0, (size_t)(j->tiles * TILE) * sizeof(float));
    for (; j->first < j->units; j->first += j->count) {
        j->count = sg_min64(j->chunk, j->units - j->first);
        sg_cpu_for(cpu, j->count * (j->x_rows + j->rows), 4, pack_rows, j);
        sg_cpu_for(cpu, j->shares, 1, sum_shares, j);
    }
}

/* ---- the result ---- */

static void put_vector(const weights_job *j, int64_t pair, int64_t channel, const float *sum)
{
    const sg_direct *d = j->d;
    const sg_direct_strides *s = &j->strides;
    int64_t kw = pair % d->kernel_w, kh = pair / d->kernel_w % d->kernel_h;
    int64_t first = pair / (d->kernel_w * d->kernel_h) * IN;
    float *to = j->gradient + channel * s->out + kh * s->row + kw * s->column + first * s->in;
    for (int64_t i = 0; i < sg_min64(IN, d->in_c - first); i++)
        to[i * s->in] = sum[i];
}

static void put_tiles(void *context, int64_t begin, int64_t end)
{
    const weights_job *j = context;
    const sg_direct *d = j->d;
    int64_t pairs = j->in_blocks * d->kernel_h * d->kernel_w;
    for (int64_t tile = begin; tile < end; tile++) {
        float *sum = j->slots + tile * TILE;
        for (int64_t g = 1; g < j->groups; g++)
            for (int64_t i = 0; i < TILE; i++)
                sum[i] += sum[g * j->tiles * TILE + i];
        for (int64_t v = 0; v < VECTORS * OUT; v++) {
            int64_t pair = tile % j->triples * VECTORS + v / OUT;
            int64_t channel = tile / j->triples * OUT + v % OUT;
            if (pair < pairs && channel < d->out_c)
                put_vector(j, pair, channel, sum + v * IN);
        }
    }
}

void sg_direct_weights(const sg_cpu *cpu, const sg_direct *d, const float *in,
                       const float *grad_out, void *scratch, float *gradient,
                       const sg_direct_strides *strides)
{
    weights_job j;
    plan(&j, d);
    j.in = in;
    j.grad_out = grad_out;
    j.gradient = gradient;
    j.strides = *strides;
    j.x = scratch;
    j.y = j.x + j.chunk * j.x_floats;
    j.slots = j.y + j.chunk * j.y_floats;
    if (j.few)
        sg_cpu_for(cpu, j.groups, 1, sum_groups, &j);
    else
        sum_chunks(cpu, &j);
    sg_cpu_for(cpu, j.tiles, 64, put_tiles, &j);
}
