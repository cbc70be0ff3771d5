#include "tiles/blend.h"

#include <string.h>
#include "base/size.h"
#include "tiles/pipeline.h"

sg_err sg_blend_open(sg_blend *blend, const sg_grid *grid, int32_t classes)
{
    *blend = (sg_blend){.grid = grid, .classes = (size_t)classes};
    sg_err err = sg_malloc((size_t)grid->tile_w, sizeof(float), &blend->across);
    if (err == SG_OK)
        err = sg_malloc((size_t)grid->tile_h, sizeof(float), &blend->down);
    return err;
}

void sg_blend_close(sg_blend *blend)
{
    sg_free(blend->across);
    sg_free(blend->down);
    *blend = (sg_blend){0};
}

void sg_blend_begin(const sg_blend *blend, const sg_blend_chunk *chunk)
{
    size_t pixels = (size_t)(chunk->core.w * chunk->core.h);
    memset(chunk->known, SG_NO_CLASS, pixels);
    memset(chunk->probabilities, 0, pixels * blend->classes * sizeof(float));
}

/* One row of a core: from, to: (width, classes). */
static void add_row(const sg_blend *blend, int64_t width, float down, const uint8_t *valid,
                    const float *from, uint8_t *known, float *to)
{
    size_t classes = blend->classes;
    for (int64_t x = 0; x < width; x++, from += classes, to += classes) {
        float weight = down * blend->across[x];
        if (!valid[x])
            continue;
        known[x] = 0;
        for (size_t c = 0; c < classes; c++)
            to[c] += weight * from[c];
    }
}

void sg_blend_add(const sg_blend *blend, const sg_blend_chunk *chunk, const sg_tile *tile,
                  const uint8_t *valid, const float *probabilities)
{
    sg_window input = tile->input, core = tile->core;
    sg_overlap x = sg_grid_overlap_x(blend->grid), y = sg_grid_overlap_y(blend->grid);
    sg_overlap_weights(&x, input.x, core.x, core.w, blend->across);
    sg_overlap_weights(&y, input.y, core.y, core.h, blend->down);
    for (int64_t row = 0; row < core.h; row++) {
        int64_t from = (core.y + row - input.y) * input.w + core.x - input.x;
        int64_t to = (core.y + row - chunk->core.y) * chunk->core.w + core.x - chunk->core.x;
        add_row(blend, core.w, blend->down[row], valid + from,
                probabilities + (size_t)from * blend->classes, chunk->known + to,
                chunk->probabilities + (size_t)to * blend->classes);
    }
}

void sg_blend_end(const sg_blend *blend, const sg_blend_chunk *chunk)
{
    size_t pixels = (size_t)(chunk->core.w * chunk->core.h), classes = blend->classes;
    float *p = chunk->probabilities;
    for (size_t i = 0; i < pixels; i++, p += classes) {
        if (chunk->known[i] == SG_NO_CLASS) {
            for (size_t c = 0; c < classes; c++)
                p[c] = SG_NO_PROBABILITY;
            continue;
        }
        size_t best = 0;
        for (size_t c = 1; c < classes; c++)
            if (p[c] > p[best])
                best = c;
        chunk->known[i] = (uint8_t)best;
    }
}
