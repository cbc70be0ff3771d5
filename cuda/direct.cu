/*
 * Convolutions by their definition, for what cuDNN does not take; slow.
 *
 * Numerical contract. Products and sums are f32 (fused multiply-add), in the order rows, columns,
 * channels of the filter; sums over pixels for the filter's gradient are f32 per thread, then f64,
 * threads in order. Each result is rounded once and overwritten.
 */
#include "cuda/conv_plan.h"
#include "cuda/launch.cuh"

enum { SUMMERS = 32 };

struct direct_args {
    const void *a, *b;
    void *result;
    int type, result_type;
    int n, h, w, c, oh, ow, k; /* big: n, h, w, c; small: n, oh, ow, k */
    int kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_h, pad_w;
    int depth, width; /* channels of a group: of big, of small */
    uint32_t items;
};

static __device__ size_t big_at(const direct_args &d, int n, int y, int x, int c)
{
    return (((size_t)n * d.h + y) * d.w + x) * d.c + c;
}

static __device__ size_t small_at(const direct_args &d, int n, int y, int x, int k)
{
    return (((size_t)n * d.oh + y) * d.ow + x) * d.k + k;
}

static __device__ size_t filter_at(const direct_args &d, int k, int ky, int kx, int i)
{
    return (((size_t)k * d.kernel_h + ky) * d.kernel_w + kx) * d.depth + i;
}

__global__ void to_small(direct_args d)
{
    uint32_t item = sg_item();
    if (item >= d.items)
        return;
    int k = (int)(item % d.k), pixel = (int)(item / d.k);
    int x = pixel % d.ow, y = pixel / d.ow % d.oh, n = pixel / d.ow / d.oh;
    int first = k / d.width * d.depth; /* channel of the group */
    float sum = 0;
    for (int ky = 0; ky < d.kernel_h; ky++) {
        int row = y * d.stride_h - d.pad_h + ky * d.dilation_h;
        for (int kx = 0; row >= 0 && row < d.h && kx < d.kernel_w; kx++) {
            int column = x * d.stride_w - d.pad_w + kx * d.dilation_w;
            if (column < 0 || column >= d.w)
                continue;
            size_t from = big_at(d, n, row, column, first), at = filter_at(d, k, ky, kx, 0);
            for (int i = 0; i < d.depth; i++)
                sum = fmaf(sg_get(d.a, d.type, from + i), sg_get(d.b, d.type, at + i), sum);
        }
    }
    sg_put(d.result, d.result_type, item, sum);
}

/* The small position that reads big position i by tap k, or -1. */
static __device__ int reader(int i, int k, int pad, int stride, int dilation, int outputs)
{
    int start = i + pad - k * dilation;
    return start < 0 || start % stride || start / stride >= outputs ? -1 : start / stride;
}

__global__ void to_big(direct_args d)
{
    uint32_t item = sg_item();
    if (item >= d.items)
        return;
    int c = (int)(item % d.c), pixel = (int)(item / d.c);
    int column = pixel % d.w, row = pixel / d.w % d.h, n = pixel / d.w / d.h;
    int group = c / d.depth;
    float sum = 0;
    for (int ky = 0; ky < d.kernel_h; ky++) {
        int y = reader(row, ky, d.pad_h, d.stride_h, d.dilation_h, d.oh);
        for (int kx = 0; y >= 0 && kx < d.kernel_w; kx++) {
            int x = reader(column, kx, d.pad_w, d.stride_w, d.dilation_w, d.ow);
            if (x < 0)
                continue;
            for (int k = group * d.width; k < (group + 1) * d.width; k++)
                sum = fmaf(sg_get(d.a, d.type, small_at(d, n, y, x, k)),
                           sg_get(d.b, d.type, filter_at(d, k, ky, kx, c % d.depth)), sum);
        }
    }
    sg_put(d.result, d.result_type, item, sum);
}

/* One block to an element of the filter. */
__global__ void to_filter(direct_args d)
{
    __shared__ double part[SUMMERS];
    int i = (int)(blockIdx.x % d.depth), tap = (int)(blockIdx.x / d.depth);
    int kx = tap % d.kernel_w, ky = tap / d.kernel_w % d.kernel_h;
    int k = tap / d.kernel_w / d.kernel_h;
    int c = k / d.width * d.depth + i;
    float sum = 0;
    for (int pixel = (int)threadIdx.x; pixel < d.n * d.oh * d.ow; pixel += SUMMERS) {
        int x = pixel % d.ow, y = pixel / d.ow % d.oh, n = pixel / d.ow / d.oh;
        int row = y * d.stride_h - d.pad_h + ky * d.dilation_h;
        int column = x * d.stride_w - d.pad_w + kx * d.dilation_w;
        if (row >= 0 && row < d.h && column >= 0 && column < d.w)
            sum = fmaf(sg_get(d.a, d.type, big_at(d, n, row, column, c)),
                       sg_get(d.b, d.type, (size_t)pixel * d.k + k), sum);
    }
    part[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x > 0)
        return;
    double all = part[0];
    for (int t = 1; t < SUMMERS; t++)
        all += part[t];
    sg_put(d.result, d.result_type, blockIdx.x, (float)all);
}

static direct_args args_of(const sg_conv_request *r, const void *a, const void *b, void *result)
{
    const sg_conv_geometry *g = &r->geometry;
    direct_args d = {a, b, result, r->type, r->result_type};
    d.n = (int)g->big.n;
    d.h = (int)g->big.h;
    d.w = (int)g->big.w;
    d.c = (int)g->big.c;
    d.oh = (int)g->small.h;
    d.ow = (int)g->small.w;
    d.k = (int)g->small.c;
    d.kernel_h = (int)g->kernel_h;
    d.kernel_w = (int)g->kernel_w;
    d.stride_h = (int)g->stride_h;
    d.stride_w = (int)g->stride_w;
    d.dilation_h = (int)g->dilation_h;
    d.dilation_w = (int)g->dilation_w;
    d.pad_h = (int)g->pad_h;
    d.pad_w = (int)g->pad_w;
    d.depth = (int)(g->big.c / g->groups);
    d.width = (int)(g->small.c / g->groups);
    return d;
}

sg_err sg_direct_run(sg_cuda *cuda, const sg_conv_request *request, const void *a, const void *b,
                     void *result)
{
    const sg_conv_geometry *g = &request->geometry;
    direct_args d = args_of(request, a, b, result);
    SG_ASSERT(!sg_conv_request_is_fused(request) && !sg_conv_request_has_gaps(request));
    if (request->target == SG_CONV_SMALL)
        return sg_launch_items(cuda, to_small, sg_shape_count(g->small), d);
    if (request->target == SG_CONV_BIG)
        return sg_launch_items(cuda, to_big, sg_shape_count(g->big), d);
    size_t elements = sg_shape_count(sg_conv_filter_shape(g));
    return sg_launch(cuda, to_filter, dim3((uint32_t)elements), dim3(SUMMERS), d);
}
