/* Crops at any angle and size, by going through the crop and looking into the scene. */
#include "data/placement.h"

#include <math.h>
#include <string.h>

#include "data/classes.h"

void sg_placement_half(const sg_placement *p, int64_t w, int64_t h, double half[2])
{
    double across = .5 * (double)(w - 1), down = .5 * (double)(h - 1);
    half[0] = across * fabs(p->along) + down * fabs(p->aside);
    half[1] = across * fabs(p->aside) + down * fabs(p->along);
}

/* From the neighbour before the first position to the one behind the last, and one pixel more on
 * either side for rounding. */
static void reach_along(double middle, double half, int64_t *start, int64_t *length)
{
    *start = (int64_t)floor(middle - half - .5) - 1;
    *length = (int64_t)floor(middle + half - .5) + 3 - *start;
}

sg_window sg_placement_window(const sg_placement *p, int64_t w, int64_t h)
{
    double half[2];
    sg_window window;
    sg_placement_half(p, w, h, half);
    reach_along(p->x, half[0], &window.x, &window.w);
    reach_along(p->y, half[1], &window.y, &window.h);
    return window;
}

/* The pixel at (x, y) of an image, -1 outside or where it is invalid. */
static inline int64_t find_valid(const sg_image *image, int64_t x, int64_t y)
{
    int64_t at = y * image->w + x;
    return x >= 0 && y >= 0 && x < image->w && y < image->h && image->valid[at] ? at : -1;
}

/* Add weight times a pixel, where there is one; returns the weight that was added. */
static inline float add_pixel(const sg_image *from, int64_t at, float weight, float *pixel)
{
    if (at < 0)
        return 0;
    const float *values = from->pixels + at * from->bands;
    for (int32_t b = 0; b < from->bands; b++)
        pixel[b] += weight * values[b];
    return weight;
}

/* The value at (x, y), the middle of the first pixel being (.5, .5); pixel is 0 before. */
static void interpolate(const sg_image *from, double x, double y, float *pixel)
{
    double left = floor(x - .5), top = floor(y - .5);
    int64_t column = (int64_t)left, row = (int64_t)top;
    float right_share = (float)(x - .5 - left), low_share = (float)(y - .5 - top), sum = 0;
    for (int i = 0; i < 4; i++) {
        float across = i & 1 ? right_share : 1 - right_share;
        float down = i & 2 ? low_share : 1 - low_share;
        int64_t at = find_valid(from, column + (i & 1), row + (i >> 1));
        sum += add_pixel(from, at, across * down, pixel);
    }
    if (sum == 1) /* all four, as a rule */
        return;
    for (int32_t b = 0; b < from->bands; b++)
        pixel[b] /= sum;
}

void sg_placement_take(const sg_placement *p, const sg_image *from, sg_window at,
                       const sg_image *crop)
{
    memset(crop->pixels, 0, sizeof(float) * (size_t)(crop->w * crop->h * crop->bands));
    for (int64_t row = 0; row < crop->h; row++) {
        double down = (double)row + .5 - .5 * (double)crop->h;
        for (int64_t column = 0; column < crop->w; column++) {
            double across = (double)column + .5 - .5 * (double)crop->w;
            double x = p->x - (double)at.x + across * p->along - down * p->aside;
            double y = p->y - (double)at.y + across * p->aside + down * p->along;
            int64_t to = row * crop->w + column;
            int64_t nearest = find_valid(from, (int64_t)floor(x), (int64_t)floor(y));
            crop->valid[to] = nearest >= 0;
            crop->labels[to] = nearest >= 0 ? from->labels[nearest] : SG_NO_CLASS;
            if (nearest >= 0)
                interpolate(from, x, y, crop->pixels + to * crop->bands);
        }
    }
}
