/*
 * Shapes and number formats. Tensors are NHWC with channels innermost and no gaps. [local]
 */
#ifndef SG_NN_TENSOR_H
#define SG_NN_TENSOR_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

typedef enum { SG_F32, SG_BF16 } sg_dtype;

typedef struct {
    int64_t n, h, w, c; /* all > 0 */
} sg_shape;

size_t sg_dtype_size(sg_dtype type);      /* bytes */
const char *sg_dtype_name(sg_dtype type); /* "f32", "bf16" */
size_t sg_shape_count(sg_shape shape);    /* elements; the shape has passed sg_shape_bytes */
sg_err sg_shape_bytes(sg_shape shape, sg_dtype type, size_t *bytes);
int sg_shape_equal(sg_shape a, sg_shape b);

/* bf16 is the upper half of an f32, rounded to nearest even; NaN stays NaN. */
static inline float sg_bf16_to_f32(uint16_t bits)
{
    union {
        uint32_t u;
        float f;
    } v = {(uint32_t)bits << 16};
    return v.f;
}

static inline uint16_t sg_f32_to_bf16(float value)
{
    union {
        float f;
        uint32_t u;
    } v = {value};
    if ((v.u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)((v.u >> 16) | 0x40u);
    return (uint16_t)((v.u + 0x7fffu + ((v.u >> 16) & 1u)) >> 16);
}

/* One element of a tensor of either format, for reference arithmetic. */
static inline float sg_load(const void *tensor, sg_dtype type, size_t index)
{
    return type == SG_F32 ? ((const float *)tensor)[index]
                          : sg_bf16_to_f32(((const uint16_t *)tensor)[index]);
}

static inline void sg_store(void *tensor, sg_dtype type, size_t index, float value)
{
    if (type == SG_F32)
        ((float *)tensor)[index] = value;
    else
        ((uint16_t *)tensor)[index] = sg_f32_to_bf16(value);
}

#endif
