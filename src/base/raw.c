#include "base/raw.h"

#include "base/walk.h"

void sg_raw_plain(sg_raw_image *image, int32_t n, const float *values, size_t count)
{
    for (int32_t i = 0; i < n; i++)
        image[i] = (sg_raw_image){.values = values + (size_t)i * count};
}

bool sg_raw_is_plain(const sg_raw_image *image)
{
    return image->type == SG_RAW_F32 && image->turn == 0 && !image->valid && !image->shift;
}

static float value_at(const sg_raw_image *image, size_t i)
{
    switch (image->type) {
    case SG_RAW_U8:
        return ((const uint8_t *)image->values)[i];
    case SG_RAW_U16:
        return ((const uint16_t *)image->values)[i];
    case SG_RAW_I16:
        return ((const int16_t *)image->values)[i];
    default:
        return ((const float *)image->values)[i];
    }
}

static void take_pixel(const sg_raw_image *image, size_t pixel, int32_t bands, float *out)
{
    bool valid = !image->valid || image->valid[pixel];
    for (int32_t b = 0; b < bands; b++) {
        float value = value_at(image, pixel * (size_t)bands + (size_t)b);
        if (image->shift)
            value = (value - image->shift[b]) * image->scale[b];
        out[b] = valid ? value : 0;
    }
}

void sg_raw_to_f32(const sg_raw_image *image, int64_t h, int64_t w, int32_t bands, float *out)
{
    bool transposed = (image->turn & 4) != 0;
    sg_walk walk = sg_walk_of(transposed ? w : h, transposed ? h : w, image->turn);
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++, out += bands)
            take_pixel(image, (size_t)(walk.start + y * walk.down + x * walk.across), bands, out);
}
