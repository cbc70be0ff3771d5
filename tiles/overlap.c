#include "tiles/overlap.h"

#include <math.h>
#include "base/size.h"

static const double half_pi = 1.57079632679489661923;

int64_t sg_overlap_tiles(const sg_overlap *along)
{
    return 1 + sg_div_up(along->padded - along->tile, along->step);
}

int64_t sg_overlap_origin(const sg_overlap *along, int64_t tile)
{
    return sg_min64(tile * along->step, along->padded - along->tile);
}

void sg_overlap_covering(const sg_overlap *along, int64_t from, int64_t to, int64_t *first,
                         int64_t *last)
{
    int64_t end = sg_overlap_tiles(along) - 1;
    *first = from < along->tile ? 0 : sg_min64((from - along->tile) / along->step + 1, end);
    *last = sg_overlap_origin(along, end) < to ? end : (to - 1) / along->step;
}

/* Of the pixel that is `at` pixels into a tile. */
static double window(const sg_overlap *along, int64_t at)
{
    int64_t overlap = along->tile - along->step, edge = sg_min64(at, along->tile - 1 - at);
    if (edge >= overlap)
        return 1;
    double rise = sin(half_pi * ((double)edge + 0.5) / (double)overlap);
    return rise * rise;
}

void sg_overlap_weights(const sg_overlap *along, int64_t origin, int64_t from, int64_t count,
                        float *weight)
{
    for (int64_t i = 0; i < count; i++) {
        int64_t pixel = from + i, first, last;
        double sum = 0;
        sg_overlap_covering(along, pixel, pixel + 1, &first, &last);
        for (int64_t tile = first; tile <= last; tile++)
            sum += window(along, pixel - sg_overlap_origin(along, tile));
        weight[i] = (float)(window(along, pixel - origin) / sum);
    }
}
