/* Two passes of a row of weights, over the pixels and in the same way over their validity. */
#include "data/blur.h"

#include <math.h>
#include <string.h>

#include "base/size.h"

typedef struct {
    int64_t radius;
    float weight[6 * SG_BLUR_SIGMA_MAX + 1];
} kernel;

static kernel make_kernel(double sigma)
{
    kernel k = {.radius = (int64_t)ceil(3 * sigma)};
    double sum = 0;
    for (int64_t t = -k.radius; t <= k.radius; t++)
        sum += exp(-.5 * (double)(t * t) / (sigma * sigma));
    for (int64_t t = -k.radius; t <= k.radius; t++)
        k.weight[t + k.radius] = (float)(exp(-.5 * (double)(t * t) / (sigma * sigma)) / sum);
    return k;
}

/* out[i] = sum of weight[t] in[i + t] over what there is, of n items of `size` values. */
static void convolve(const kernel *k, const float *in, float *out, int64_t n, int64_t size)
{
    memset(out, 0, sizeof(float) * (size_t)(n * size));
    for (int64_t t = -k->radius; t <= k->radius; t++) {
        const float weight = k->weight[t + k->radius];
        int64_t first = t < 0 ? -t : 0, end = t > 0 ? n - t : n;
        const float *from = in + (first + t) * size;
        float *to = out + first * size;
        for (int64_t i = 0; i < (end - first) * size; i++)
            to[i] += weight * from[i];
    }
}

/* Along the rows into room, and along the columns back. */
static void convolve_both(const kernel *k, float *image, float *room, int64_t h, int64_t w,
                          int64_t bands)
{
    for (int64_t y = 0; y < h; y++)
        convolve(k, image + y * w * bands, room + y * w * bands, w, bands);
    convolve(k, room, image, h, w * bands);
}

sg_err sg_blur(const sg_image *image, double sigma, sg_blur_room *room)
{
    const size_t count = (size_t)(image->w * image->h), bands = (size_t)image->bands;
    SG_ASSERT(sigma <= SG_BLUR_SIGMA_MAX);
    if (!(sigma > 1e-3)) /* no neighbour would weigh anything */
        return SG_OK;
    sg_err err = sg_grow(&room->item, &room->capacity, count * (bands + 1), sizeof(float));
    if (err)
        return err;
    const kernel k = make_kernel(sigma);
    float *share = room->item, *values = room->item + count;
    for (size_t i = 0; i < count; i++)
        share[i] = image->valid[i] ? 1 : 0;
    convolve_both(&k, share, values, image->h, image->w, 1);
    convolve_both(&k, image->pixels, values, image->h, image->w, image->bands);
    for (size_t i = 0; i < count; i++)
        for (size_t b = 0; b < bands; b++)
            image->pixels[i * bands + b] =
                image->valid[i] ? image->pixels[i * bands + b] / share[i] : 0;
    return SG_OK;
}
