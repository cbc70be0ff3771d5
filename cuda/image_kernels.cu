/*
 * One thread to an element of the tensor, so that writes lie side by side.
 *
 * Numerical contract. The bits of base/raw.c: (value - shift) * scale in f32, two roundings, of
 * which nothing can be fused; then rounded to the tensor's format. Pixels that are not valid are
 * zeros. The images behind the n-th are not touched.
 */
#include "cuda/image_kernels.h"
#include "cuda/launch.cuh"

struct place_args {
    const uint8_t *slot; /* sg_image_place [n] first */
    void *tensor;
    int type;
    uint32_t w, c, area; /* area: h * w */
    uint32_t items;
};

static __device__ float raw_value(const void *values, int type, size_t i)
{
    if (type == SG_RAW_U8)
        return (float)((const uint8_t *)values)[i];
    if (type == SG_RAW_U16)
        return (float)((const uint16_t *)values)[i];
    if (type == SG_RAW_I16)
        return (float)((const int16_t *)values)[i];
    return ((const float *)values)[i];
}

__global__ void place_images(place_args a)
{
    uint32_t item = sg_item();
    if (item >= a.items)
        return;
    uint32_t pixel = item / a.c, band = item % a.c, inside = pixel % a.area;
    const sg_image_place p = ((const sg_image_place *)a.slot)[pixel / a.area];
    size_t from = (size_t)(p.start + inside / a.w * p.down + inside % a.w * p.across);
    float value = raw_value(a.slot + p.values, p.type, from * a.c + band);
    if (p.factors != SG_NO_PIECE) {
        const float *shift = (const float *)(a.slot + p.factors), *scale = shift + a.c;
        value = (value - shift[band]) * scale[band];
    }
    if (p.valid != SG_NO_PIECE && !a.slot[p.valid + from])
        value = 0;
    sg_put(a.tensor, a.type, item, value);
}

sg_err sg_cuda_place_images(sg_cuda *cuda, const void *slot, int32_t n, sg_shape shape,
                            void *tensor, sg_dtype type)
{
    place_args a = {(const uint8_t *)slot, tensor, type};
    a.w = (uint32_t)shape.w;
    a.c = (uint32_t)shape.c;
    a.area = (uint32_t)(shape.h * shape.w);
    return sg_launch_items(cuda, place_images, (size_t)n * a.area * a.c, a);
}
