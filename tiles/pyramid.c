#include "tiles/pyramid.h"

#include <string.h>
#include "base/size.h"

void sg_pyramid_make(sg_pyramid *pyramid, int64_t width, int64_t height, int64_t block,
                     bool overviews)
{
    SG_ASSERT(width > 0 && height > 0 && block > 0);
    *pyramid = (sg_pyramid){.block = block};
    for (;;) {
        sg_level *level = &pyramid->level[pyramid->levels++];
        *level = (sg_level){width, height, sg_div_up(width, block), sg_div_up(height, block),
                            pyramid->blocks};
        pyramid->blocks += level->across * level->down;
        if (!overviews || (width <= block && height <= block) || pyramid->levels == SG_LEVELS_MAX)
            return;
        width = sg_div_up(width, 2);
        height = sg_div_up(height, 2);
    }
}

int32_t sg_pyramid_direct(const sg_pyramid *pyramid)
{
    int32_t k = 0;
    while (k + 1 < pyramid->levels && (int64_t)2 << k <= pyramid->block)
        k++;
    return k;
}

/* A cell: pixels of one band, `stride` apart in a row, rows `row` apart. */
typedef struct {
    int64_t w, h;
    int64_t stride, row; /* elements */
} cell;

static uint8_t majority(const uint8_t *pixel, const cell *c, uint8_t nodata)
{
    uint32_t count[256];
    uint32_t most = 0;
    int winner = nodata, least = 256, highest = -1;
    memset(count, 0, sizeof count);
    for (int64_t y = 0; y < c->h; y++)
        for (int64_t x = 0; x < c->w; x++) {
            uint8_t value = pixel[y * c->row + x * c->stride];
            count[value]++;
            least = value < least ? value : least;
            highest = value > highest ? value : highest;
        }
    for (int value = least; value <= highest; value++)
        if (value != nodata && count[value] > most) {
            most = count[value];
            winner = value;
        }
    return (uint8_t)winner;
}

/* Small cells, without counting: the first of those that occur most often, from the smallest. */
static uint8_t majority_of_four(const uint8_t v[4], uint8_t nodata)
{
    uint8_t winner = nodata;
    int most = 0;
    for (int i = 0; i < 4; i++) {
        int count = (v[0] == v[i]) + (v[1] == v[i]) + (v[2] == v[i]) + (v[3] == v[i]);
        bool wins = v[i] != nodata && (count > most || (count == most && v[i] < winner));
        winner = wins ? v[i] : winner;
        most = wins ? count : most;
    }
    return winner;
}

static float mean(const float *pixel, const cell *c, float nodata)
{
    double sum = 0;
    int64_t count = 0;
    for (int64_t y = 0; y < c->h; y++)
        for (int64_t x = 0; x < c->w; x++) {
            float value = pixel[y * c->row + x * c->stride];
            sum += value == nodata ? 0 : (double)value;
            count += value != nodata;
        }
    return count > 0 ? (float)(sum / (double)count) : nodata;
}

static uint8_t mean_of_bytes(const uint8_t *pixel, const cell *c, uint8_t nodata)
{
    uint64_t sum = 0, count = 0;
    for (int64_t y = 0; y < c->h; y++)
        for (int64_t x = 0; x < c->w; x++) {
            uint8_t value = pixel[y * c->row + x * c->stride];
            sum += value == nodata ? 0 : value;
            count += value != nodata;
        }
    return count > 0 ? (uint8_t)((2 * sum + count) / (2 * count)) : nodata;
}

static uint8_t reduce_bytes(const uint8_t *at, const cell *c, uint8_t nodata)
{
    if (c->w != 2 || c->h != 2)
        return majority(at, c, nodata);
    const uint8_t four[4] = {at[0], at[c->stride], at[c->row], at[c->row + c->stride]};
    return majority_of_four(four, nodata);
}

void sg_reduce(const sg_reduction *how, int32_t k, const void *pixels, int64_t w, int64_t h,
               void *out)
{
    int64_t side = (int64_t)1 << k, bands = how->bands, at = 0;
    for (int64_t y = 0; y < h; y += side)
        for (int64_t x = 0; x < w; x += side)
            for (int64_t b = 0; b < bands; b++, at++) {
                cell c = {sg_min64(side, w - x), sg_min64(side, h - y), bands, w * bands};
                int64_t first = (y * w + x) * bands + b;
                if (how->is_float)
                    ((float *)out)[at] =
                        mean((const float *)pixels + first, &c, (float)how->nodata);
                else if (how->amounts)
                    ((uint8_t *)out)[at] =
                        mean_of_bytes((const uint8_t *)pixels + first, &c, (uint8_t)how->nodata);
                else
                    ((uint8_t *)out)[at] =
                        reduce_bytes((const uint8_t *)pixels + first, &c, (uint8_t)how->nodata);
            }
}
