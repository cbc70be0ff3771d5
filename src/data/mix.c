#include "data/mix.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "base/size.h"

static const double AREA_LEAST = 0.1, AREA_MOST = 0.5, SIDES_MOST = 2;

enum { RECTANGLE = 0 }; /* counter of SG_STREAM_MIX; regions have those from 1 */

static int64_t between(double length, int64_t most)
{
    return sg_max64(1, sg_min64(llround(length), most));
}

sg_window sg_mix_rectangle(sg_draw draw, int64_t w, int64_t h)
{
    sg_random4 r = sg_random(draw.seed, SG_STREAM_MIX, draw.index, RECTANGLE);
    double area = AREA_LEAST + (AREA_MOST - AREA_LEAST) * (double)sg_uniform(r.v[0]);
    double sides = pow(SIDES_MOST, 2 * (double)sg_uniform(r.v[1]) - 1);
    sg_window part = {.w = between((double)w * sqrt(area * sides), w),
                      .h = between((double)h * sqrt(area / sides), h)};
    part.x = sg_below(r.v[2], (uint32_t)(w - part.w + 1));
    part.y = sg_below(r.v[3], (uint32_t)(h - part.h + 1));
    return part;
}

static void copy_pixels(const sg_image *from, const sg_image *to, int64_t at, int64_t count)
{
    memcpy(to->pixels + at * to->bands, from->pixels + at * to->bands,
           (size_t)(count * to->bands) * sizeof(float));
    memcpy(to->labels + at, from->labels + at, (size_t)count);
}

void sg_mix_copy(const sg_image *from, const sg_image *to, sg_window part)
{
    for (int64_t y = part.y; y < part.y + part.h; y++)
        copy_pixels(from, to, y * to->w + part.x, part.w);
}

/* Pixels of the class that belong to no region yet: those around `at` go onto the stack. */
static size_t push_around(const sg_image *image, uint8_t class, int64_t at, int32_t number,
                          int32_t *region, int32_t *stack, size_t height)
{
    int64_t x = at % image->w, y = at / image->w;
    for (int64_t row = sg_max64(y - 1, 0); row <= sg_min64(y + 1, image->h - 1); row++)
        for (int64_t column = sg_max64(x - 1, 0); column <= sg_min64(x + 1, image->w - 1);
             column++) {
            int64_t k = row * image->w + column;
            if (image->labels[k] != class || region[k] != 0)
                continue;
            region[k] = number;
            stack[height++] = (int32_t)k;
        }
    return height;
}

/* region[pixel]: the number of its region, from 1, or 0. Returns how many there are. Every pixel is
 * on the stack at most once. */
static int32_t number_regions(const sg_image *image, uint8_t class, int32_t *region, int32_t *stack)
{
    const int64_t count = image->w * image->h;
    int32_t regions = 0;
    memset(region, 0, (size_t)count * sizeof *region);
    for (int64_t i = 0; i < count; i++) {
        if (image->labels[i] != class || region[i] != 0)
            continue;
        size_t height = push_around(image, class, i, ++regions, region, stack, 0);
        while (height > 0) {
            int64_t at = stack[--height];
            height = push_around(image, class, at, regions, region, stack, height);
        }
    }
    return regions;
}

/* Make region[pixel] 1 where it is copied, else 0. Returns how many are. */
static size_t choose_regions(sg_draw draw, int32_t regions, size_t count, int32_t *region)
{
    sg_random4 r = sg_random(draw.seed, SG_STREAM_MIX, draw.index, RECTANGLE);
    int32_t certain = 1 + (int32_t)sg_below(r.v[0], (uint32_t)sg_max64(regions, 1));
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (region[i] == 0)
            continue;
        sg_random4 own = sg_random(draw.seed, SG_STREAM_MIX, draw.index, (uint32_t)region[i]);
        region[i] = region[i] == certain || own.v[0] >> 31;
        kept += (size_t)region[i];
    }
    return kept;
}

sg_err sg_mix_regions(sg_draw draw, uint8_t class, const sg_image *from, const sg_image *to,
                      sg_mix_room *room)
{
    const size_t count = (size_t)(from->w * from->h);
    SG_ASSERT(count <= INT32_MAX);
    sg_err err = sg_grow(&room->item, &room->capacity, 2 * count, sizeof *room->item);
    if (err)
        return err;
    int32_t *region = room->item;
    int32_t regions = number_regions(from, class, region, region + count);
    size_t kept = choose_regions(draw, regions, count, region);
    sg_window part = {0, 0, from->w, from->h};
    if (2 * kept > count)
        part = sg_mix_rectangle(draw, from->w, from->h);
    for (int64_t y = part.y; y < part.y + part.h; y++)
        for (int64_t x = part.x; x < part.x + part.w; x++)
            if (region[y * from->w + x])
                copy_pixels(from, to, y * from->w + x, 1);
    return SG_OK;
}
