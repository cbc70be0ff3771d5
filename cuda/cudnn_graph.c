/* Describing a convolution: tensors, the convolution, then a bias, a sum and relu where asked for.
 */
#include "cuda/cudnn_graph.h"

/* The handle is given as every cuDNN 9 takes it; newer ones call that deprecated. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

enum { ALIGNMENT = 16 };
enum { SUM = SG_CUDNN_ADDED + 1, BIASED, TOTAL }; /* ids of tensors that stay on the chip */

/* ---- descriptors ---- */

static cudnnBackendDescriptor_t make(sg_cudnn_graph *p, cudnnBackendDescriptorType_t type)
{
    SG_ASSERT(p->parts < SG_CUDNN_PARTS);
    cudnnBackendDescriptor_t made = NULL;
    if (p->status == CUDNN_STATUS_SUCCESS)
        p->status = cudnnBackendCreateDescriptor(type, &made);
    if (made)
        p->part[p->parts++] = made;
    return made;
}

static void set(sg_cudnn_graph *p, cudnnBackendDescriptor_t to, cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t count, const void *values)
{
    if (p->status == CUDNN_STATUS_SUCCESS)
        p->status = cudnnBackendSetAttribute(to, name, type, count, values);
}

static void set_part(sg_cudnn_graph *p, cudnnBackendDescriptor_t to,
                     cudnnBackendAttributeName_t name, cudnnBackendDescriptor_t part)
{
    set(p, to, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &part);
}

static void finish(sg_cudnn_graph *p, cudnnBackendDescriptor_t made)
{
    if (p->status == CUDNN_STATUS_SUCCESS)
        p->status = cudnnBackendFinalize(made);
}

/* ---- the graph ---- */

static cudnnDataType_t type_of(sg_dtype type)
{
    return type == SG_F32 ? CUDNN_DATA_FLOAT : CUDNN_DATA_BFLOAT16;
}

/* cuDNN names dimensions n, c, h, w; the strides say that c lies innermost. A filter's n is its
 * output channel. */
static cudnnBackendDescriptor_t pitched(sg_cudnn_graph *p, int64_t id, sg_shape s, sg_dtype type,
                                        int64_t pitch)
{
    cudnnBackendDescriptor_t made = make(p, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    const int64_t dims[] = {s.n, s.c, s.h, s.w};
    const int64_t strides[] = {s.h * s.w * pitch, 1, s.w * pitch, pitch};
    const int64_t alignment = ALIGNMENT;
    const bool is_virtual = id >= SUM;
    const cudnnDataType_t data = type_of(type);
    set(p, made, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &id);
    set(p, made, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &data);
    set(p, made, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, dims);
    set(p, made, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, strides);
    set(p, made, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
    set(p, made, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, &is_virtual);
    finish(p, made);
    return made;
}

static cudnnBackendDescriptor_t tensor(sg_cudnn_graph *p, int64_t id, sg_shape s, sg_dtype type)
{
    return pitched(p, id, s, type, s.c);
}

static cudnnBackendDescriptor_t convolution(sg_cudnn_graph *p, const sg_conv_geometry *g)
{
    cudnnBackendDescriptor_t made = make(p, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    const cudnnDataType_t sums = CUDNN_DATA_FLOAT;
    const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    const int64_t dims = 2, pad[] = {g->pad_h, g->pad_w}, stride[] = {g->stride_h, g->stride_w},
                  dilation[] = {g->dilation_h, g->dilation_w};
    set(p, made, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &dims);
    set(p, made, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &sums);
    set(p, made, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
    set(p, made, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, pad);
    set(p, made, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, pad);
    set(p, made, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, stride);
    set(p, made, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, dilation);
    finish(p, made);
    return made;
}

/* How cuDNN calls the parts of the three operations: where a, b and the result go. */
typedef struct {
    cudnnBackendDescriptorType_t type;
    cudnnBackendAttributeName_t a, b, result, convolution, alpha, beta;
} operation_names;

static const operation_names names[] = {
    [SG_CONV_SMALL] = {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                       CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
    [SG_CONV_BIG] = {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
    [SG_CONV_FILTER] = {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
                        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
                        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA},
};

sg_shape sg_cudnn_operand(const sg_conv_request *r, int64_t id)
{
    const sg_conv_geometry *g = &r->geometry;
    sg_shape filter = sg_conv_filter_shape(g);
    const sg_shape shapes[3][3] = {[SG_CONV_SMALL] = {g->big, filter, g->small},
                                   [SG_CONV_BIG] = {g->small, filter, g->big},
                                   [SG_CONV_FILTER] = {g->big, g->small, filter}};
    return shapes[r->target][id - SG_CUDNN_A];
}

int64_t sg_cudnn_pitch(const sg_conv_request *r, int64_t id)
{
    const int64_t pitches[3][3] = {[SG_CONV_SMALL] = {r->big_pitch, 0, r->small_pitch},
                                   [SG_CONV_BIG] = {r->small_pitch, 0, r->big_pitch},
                                   [SG_CONV_FILTER] = {r->big_pitch, r->small_pitch, 0}};
    int64_t pitch = pitches[r->target][id - SG_CUDNN_A];
    return pitch ? pitch : sg_cudnn_operand(r, id).c;
}

static cudnnBackendDescriptor_t operand(sg_cudnn_graph *p, const sg_conv_request *r, int64_t id,
                                        sg_dtype type)
{
    return pitched(p, id, sg_cudnn_operand(r, id), type, sg_cudnn_pitch(r, id));
}

/* The convolution of tensors A and B into `result`. */
static cudnnBackendDescriptor_t operation(sg_cudnn_graph *p, const sg_conv_request *r,
                                          cudnnBackendDescriptor_t result)
{
    const operation_names *n = &names[r->target];
    const float alpha = 1, beta = 0;
    cudnnBackendDescriptor_t a = operand(p, r, SG_CUDNN_A, r->type);
    cudnnBackendDescriptor_t b = operand(p, r, SG_CUDNN_B, r->type);
    cudnnBackendDescriptor_t how = convolution(p, &r->geometry), made = make(p, n->type);
    set_part(p, made, n->a, a);
    set_part(p, made, n->b, b);
    set_part(p, made, n->result, result);
    set_part(p, made, n->convolution, how);
    set(p, made, n->alpha, CUDNN_TYPE_FLOAT, 1, &alpha);
    set(p, made, n->beta, CUDNN_TYPE_FLOAT, 1, &beta);
    finish(p, made);
    return made;
}

/* to = mode(from), or mode(from, with). */
static cudnnBackendDescriptor_t pointwise(sg_cudnn_graph *p, cudnnPointwiseMode_t mode,
                                          cudnnBackendDescriptor_t from,
                                          cudnnBackendDescriptor_t with,
                                          cudnnBackendDescriptor_t to)
{
    const cudnnDataType_t type = CUDNN_DATA_FLOAT;
    const cudnnNanPropagation_t nan = CUDNN_PROPAGATE_NAN;
    cudnnBackendDescriptor_t what = make(p, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    set(p, what, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
    set(p, what, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &type);
    if (mode == CUDNN_POINTWISE_RELU_FWD) /* left alone, cuDNN may make NaN a 0 */
        set(p, what, CUDNN_ATTR_POINTWISE_NAN_PROPAGATION, CUDNN_TYPE_NAN_PROPOGATION, 1, &nan);
    finish(p, what);
    cudnnBackendDescriptor_t made = make(p, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    set_part(p, made, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, what);
    set_part(p, made, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, from);
    if (with)
        set_part(p, made, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, with);
    set_part(p, made, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, to);
    finish(p, made);
    return made;
}

/*
 * Operations from the convolution to the result; sums between them are f32 and stay on the chip. A
 * result of another format than the operands' goes through an identity: cuDNN's engines for that
 * are those that fuse, and without something to fuse it does not propose them.
 */
static int operations(sg_cudnn_graph *p, const sg_conv_request *r, cudnnBackendDescriptor_t *op)
{
    sg_shape shape = sg_cudnn_operand(r, SG_CUDNN_RESULT);
    bool fused = sg_conv_request_is_fused(r), mixed = r->type != r->result_type && !fused;
    int count = 0;
    cudnnBackendDescriptor_t result = operand(p, r, SG_CUDNN_RESULT, r->result_type);
    cudnnBackendDescriptor_t at = result; /* what is made so far */
    if (fused || mixed)
        at = tensor(p, SUM, shape, SG_F32);
    op[count++] = operation(p, r, at);
    if (mixed)
        op[count++] = pointwise(p, CUDNN_POINTWISE_IDENTITY, at, NULL, result);
    if (r->bias) {
        cudnnBackendDescriptor_t bias =
            tensor(p, SG_CUDNN_BIAS, (sg_shape){1, 1, 1, shape.c}, SG_F32);
        bool last = !r->added && !r->relu;
        cudnnBackendDescriptor_t to = last ? result : tensor(p, BIASED, shape, SG_F32);
        op[count++] = pointwise(p, CUDNN_POINTWISE_ADD, at, bias, to);
        at = to;
    }
    if (r->added) {
        cudnnBackendDescriptor_t added = pitched(p, SG_CUDNN_ADDED, shape, r->type, r->added);
        cudnnBackendDescriptor_t to = r->relu ? tensor(p, TOTAL, shape, SG_F32) : result;
        op[count++] = pointwise(p, CUDNN_POINTWISE_ADD, at, added, to);
        at = to;
    }
    if (r->relu)
        op[count++] = pointwise(p, CUDNN_POINTWISE_RELU_FWD, at, NULL, result);
    return count;
}

void sg_cudnn_graph_make(cudnnHandle_t handle, const sg_conv_request *r, sg_cudnn_graph *p)
{
    cudnnBackendDescriptor_t op[4];
    *p = (sg_cudnn_graph){.status = CUDNN_STATUS_SUCCESS};
    int count = operations(p, r, op);
    cudnnBackendDescriptor_t graph = make(p, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    if (handle)
        set(p, graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &handle);
    set(p, graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, op);
    finish(p, graph);
    p->graph = graph;
}

void sg_cudnn_graph_clear(sg_cudnn_graph *p)
{
    while (p->parts > 0)
        cudnnBackendDestroyDescriptor(p->part[--p->parts]);
}
