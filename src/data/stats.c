/*
 * Moments per band. Bands of integers of at most 16 bits: sums and sums of squares of a strip
 * stay below 2^53, so they are exact in f64. Others: two passes over the strip in f64, in pixel
 * order.
 */
#include "data/stats.h"
#include "data/raster_private.h"

#include <math.h>
#include <string.h>

#include "base/size.h"

sg_moments sg_moments_join(sg_moments a, sg_moments b)
{
    if (a.count == 0)
        return b;
    if (b.count == 0)
        return a;
    double n = (double)(a.count + b.count), delta = b.mean - a.mean;
    double share = (double)b.count / n;
    return (sg_moments){
        .count = a.count + b.count,
        .mean = a.mean + delta * share,
        .m2 = a.m2 + b.m2 + delta * delta * (double)a.count * share,
        .least = fmin(a.least, b.least),
        .most = fmax(a.most, b.most),
    };
}

double sg_moments_std(sg_moments moments)
{
    if (moments.count < 1 || !(moments.m2 > 0.0) || moments.least == moments.most)
        return 1.0;
    return sqrt(moments.m2 / (double)moments.count);
}

int64_t sg_stats_blocks(const sg_raster_info *info)
{
    return sg_div_up(info->width, SG_STATS_BLOCK) * sg_div_up(info->height, SG_STATS_BLOCK);
}

static sg_window block_window(const sg_raster_info *info, int64_t index)
{
    int64_t across = sg_div_up(info->width, SG_STATS_BLOCK);
    sg_window block = {index % across * SG_STATS_BLOCK, index / across * SG_STATS_BLOCK,
                       SG_STATS_BLOCK, SG_STATS_BLOCK};
    return sg_window_intersect(block, (sg_window){0, 0, info->width, info->height});
}

static void range_of(const float *pixels, const uint8_t *valid, size_t count, int32_t bands,
                     sg_moments *moments)
{
    for (size_t i = 0; i < count; i++) {
        if (!valid[i])
            continue;
        for (int32_t b = 0; b < bands; b++) {
            double value = pixels[i * (size_t)bands + (size_t)b];
            if (value < moments[b].least)
                moments[b].least = value;
            if (value > moments[b].most)
                moments[b].most = value;
        }
    }
}

/* sum[bands] of the valid pixels; invalid ones are 0 and add nothing. */
static void add_up(const float *pixels, size_t count, int32_t bands, double *sum, double *squares)
{
    for (size_t i = 0; i < count; i++) {
        const float *pixel = pixels + i * (size_t)bands;
        for (int32_t b = 0; b < bands; b++) {
            double value = pixel[b];
            sum[b] += value;
            squares[b] += value * value;
        }
    }
}

/* The sum of squared deviations from whole numbers, rounded once. */
static double exact_m2(double sum, double squares, int64_t n)
{
    __int128 whole = (__int128)n * (int64_t)squares - (__int128)(int64_t)sum * (int64_t)sum;
    return (double)whole / (double)n;
}

static void deviations(const float *pixels, const uint8_t *valid, size_t count, int32_t bands,
                       sg_moments *moments)
{
    for (size_t i = 0; i < count; i++) {
        if (!valid[i])
            continue;
        for (int32_t b = 0; b < bands; b++) {
            double d = pixels[i * (size_t)bands + (size_t)b] - moments[b].mean;
            moments[b].m2 += d * d;
        }
    }
}

static void strip_moments(const float *pixels, const uint8_t *valid, size_t count, int32_t bands,
                          int exact, sg_moments *moments)
{
    double sum[SG_BANDS_MAX] = {0}, squares[SG_BANDS_MAX] = {0};
    int64_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += valid[i];
    memset(moments, 0, (size_t)bands * sizeof(*moments));
    if (n == 0)
        return;
    add_up(pixels, count, bands, sum, squares);
    for (int32_t b = 0; b < bands; b++) {
        moments[b] = (sg_moments){n, sum[b] / (double)n, 0.0, INFINITY, -INFINITY};
        if (exact)
            moments[b].m2 = exact_m2(sum[b], squares[b], n);
    }
    if (!exact)
        deviations(pixels, valid, count, bands, moments);
    range_of(pixels, valid, count, bands, moments);
}

/* A block is read in strips of whole rows, so that hundreds of bands need no more memory than few.
 * The height depends on width and bands alone: the moments do not depend on who computes them. */
enum { STRIP_FLOATS = 16 << 20 };

static int64_t strip_rows(sg_window block, int32_t bands)
{
    return sg_max64(1, sg_min64(block.h, STRIP_FLOATS / (block.w * bands)));
}

sg_err sg_stats_block(sg_raster *raster, int64_t index, sg_moments *moments)
{
    const sg_raster_info *info = sg_raster_get_info(raster);
    int32_t bands = sg_raster_bands(raster);
    SG_ASSERT(index >= 0 && index < sg_stats_blocks(info));
    sg_window block = block_window(info, index);
    int64_t rows = strip_rows(block, bands);
    size_t count = (size_t)(block.w * rows);
    sg_moments part[SG_BANDS_MAX];
    float *pixels = NULL;
    uint8_t *valid = NULL;
    sg_err err = sg_malloc(count, (size_t)bands * sizeof(float), &pixels);
    if (!err)
        err = sg_malloc(count, 1, &valid);
    memset(moments, 0, (size_t)bands * sizeof(*moments));
    for (int64_t y = 0; y < block.h && !err; y += rows) {
        sg_window strip = {block.x, block.y + y, block.w, sg_min64(rows, block.h - y)};
        err = sg_raster_read(raster, strip, pixels, valid);
        if (err)
            break;
        strip_moments(pixels, valid, (size_t)(strip.w * strip.h), bands, raster->small_integers,
                      part);
        for (int32_t b = 0; b < bands; b++)
            moments[b] = sg_moments_join(moments[b], part[b]);
    }
    sg_free(pixels);
    sg_free(valid);
    return err;
}

sg_err sg_stats_scene(sg_raster *raster, sg_moments *moments)
{
    int32_t bands = sg_raster_bands(raster);
    int64_t blocks = sg_stats_blocks(sg_raster_get_info(raster));
    sg_moments *block = NULL;
    sg_err err = sg_calloc((size_t)bands, sizeof(*block), &block);
    memset(moments, 0, (size_t)bands * sizeof(*moments));
    for (int64_t i = 0; i < blocks && !err; i++) {
        err = sg_stats_block(raster, i, block);
        for (int32_t b = 0; b < bands && !err; b++)
            moments[b] = sg_moments_join(moments[b], block[b]);
    }
    sg_free(block);
    return err;
}

void sg_normalize_factors(int32_t bands, const double *mean, const double *std, float *shift,
                          float *scale)
{
    for (int32_t b = 0; b < bands; b++) {
        shift[b] = (float)mean[b];
        scale[b] = (float)(1.0 / std[b]);
    }
}

/* Bands are few, so the factors are laid out several times in a row: the inner loop then runs over
 * a long flat stretch of floats. */
enum { STRETCH = 256, PATTERN_MAX = STRETCH > SG_BANDS_MAX ? STRETCH : SG_BANDS_MAX };

void sg_normalize_pixels(float *pixels, const uint8_t *valid, size_t count, int32_t bands,
                         const double *mean, const double *std)
{
    float shift[PATTERN_MAX], scale[PATTERN_MAX];
    size_t c = (size_t)bands, repeat = c < STRETCH ? STRETCH / c : 1, period = repeat * c;
    SG_ASSERT(bands >= 1 && bands <= SG_BANDS_MAX);
    sg_normalize_factors(bands, mean, std, shift, scale);
    for (size_t i = c; i < period; i++) {
        shift[i] = shift[i - c];
        scale[i] = scale[i - c];
    }
    for (size_t start = 0; start < count * c; start += period) {
        size_t left = count * c - start, length = left < period ? left : period;
        float *out = pixels + start;
        for (size_t i = 0; i < length; i++)
            out[i] = (out[i] - shift[i]) * scale[i];
    }
    for (size_t i = 0; valid && i < count; i++)
        if (!valid[i])
            memset(pixels + i * c, 0, c * sizeof(float));
}
