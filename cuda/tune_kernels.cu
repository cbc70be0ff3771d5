#include "cuda/launch.cuh"
#include "cuda/tune_kernels.h"

struct fill_args {
    void *memory;
    int type;
    uint32_t seed, items;
};

/* Mixing as in murmur's finalizer: neighbours have nothing in common. */
__global__ void fill(fill_args a)
{
    uint32_t i = sg_item(), bits = i ^ a.seed * 0x9e3779b9u;
    if (i >= a.items)
        return;
    bits = (bits ^ bits >> 16) * 0x85ebca6bu;
    bits = (bits ^ bits >> 13) * 0xc2b2ae35u;
    bits ^= bits >> 16;
    sg_put(a.memory, a.type, i, (float)(bits >> 8) * 0x1p-23f - 1);
}

sg_err sg_tune_fill(sg_cuda *cuda, void *memory, sg_dtype type, size_t count, uint32_t seed)
{
    fill_args a = {memory, type, seed};
    return sg_launch_items(cuda, fill, count, a);
}

struct differ_args {
    const void *a, *b;
    int type;
    uint32_t *differ;
    uint32_t items;
};

/* All who write write the same. */
__global__ void differ(differ_args a)
{
    uint32_t i = sg_item();
    if (i >= a.items)
        return;
    bool same =
        a.type == SG_F32
            ? static_cast<const uint32_t *>(a.a)[i] == static_cast<const uint32_t *>(a.b)[i]
            : static_cast<const uint16_t *>(a.a)[i] == static_cast<const uint16_t *>(a.b)[i];
    if (!same)
        *a.differ = 1;
}

sg_err sg_tune_differ(sg_cuda *cuda, const void *a, const void *b, sg_dtype type, size_t count,
                      uint32_t *differs)
{
    differ_args arguments = {a, b, type, differs};
    return sg_launch_items(cuda, differ, count, arguments);
}
