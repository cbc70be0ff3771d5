#include "nn/tensor.h"

#include <stdbool.h>
#include <inttypes.h>
#include "base/size.h"

size_t sg_dtype_size(sg_dtype type)
{
    return type == SG_F32 ? 4 : 2;
}

const char *sg_dtype_name(sg_dtype type)
{
    return type == SG_F32 ? "f32" : "bf16";
}

size_t sg_shape_count(sg_shape shape)
{
    return (size_t)shape.n * (size_t)shape.h * (size_t)shape.w * (size_t)shape.c;
}

sg_err sg_shape_bytes(sg_shape shape, sg_dtype type, size_t *bytes)
{
    if (shape.n <= 0 || shape.h <= 0 || shape.w <= 0 || shape.c <= 0)
        return sg_fail(SG_EUSAGE,
                       "a tensor of %" PRId64 " x %" PRId64 " x %" PRId64 " x %" PRId64
                       " has no elements: make the tile larger",
                       shape.n, shape.h, shape.w, shape.c);
    size_t count;
    sg_err err = sg_size_mul3((size_t)shape.n, (size_t)shape.h, (size_t)shape.w, &count);
    if (!err)
        err = sg_size_mul3(count, (size_t)shape.c, sg_dtype_size(type), bytes);
    return err;
}

int sg_shape_equal(sg_shape a, sg_shape b)
{
    return a.n == b.n && a.h == b.h && a.w == b.w && a.c == b.c;
}
