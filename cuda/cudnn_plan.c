/*
 * A convolution as a graph of cuDNN's backend API: tensors, the convolution, a bias and relu after
 * it where asked for; the engines that the heuristics propose, the first of which that holds our
 * contract and builds becomes the plan. No engine is timed: the choice must be the same in every
 * run, or results would not have the same bits.
 */
#include "cuda/cudnn_plan.h"

#include <cudnn.h>
#include <stdio.h>
#include <string.h>
#include "base/size.h"

/* The handle is given to graphs and plans as every cuDNN 9 takes it; newer ones call it deprecated.
 */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

enum { MOST_DESCRIPTORS = 24, MOST_CONFIGS = 24, ALIGNMENT = 16 };
enum { A = 1, B, RESULT, BIAS, SUM, BIASED }; /* unique ids of tensors; the last two are virtual */

static const int64_t most_workspace = (int64_t)1 << 30;

struct sg_cudnn {
    cudnnHandle_t handle;
};

struct sg_cudnn_plan {
    sg_cudnn *cudnn;                                  /* borrowed */
    cudnnBackendDescriptor_t owned[MOST_DESCRIPTORS]; /* what the plan is made of */
    int count;
    cudnnStatus_t status; /* of the first call that failed while it is made */
    cudnnBackendDescriptor_t plan;
    size_t workspace_bytes;
    cudnnBackendDescriptor_t pack; /* of the pointers of the last run; NULL at first */
    const void *pointer[4], *workspace;
};

/* ---- the library ---- */

static sg_err check(cudnnStatus_t status, const char *what)
{
    char text[256] = "";
    if (status == CUDNN_STATUS_SUCCESS)
        return SG_OK;
    cudnnGetLastErrorString(text, sizeof text);
    text[strcspn(text, "\n")] = 0;
    return sg_fail(SG_EINTERNAL, "cuDNN: %s: %s%s%s", what, cudnnGetErrorString(status),
                   text[0] ? ": " : "", text);
}

sg_err sg_cudnn_open(cudaStream_t stream, sg_cudnn **cudnn)
{
    sg_cudnn *made = NULL;
    *cudnn = NULL;
    sg_err err = sg_calloc(1, sizeof *made, &made);
    if (err)
        return err;
    err = check(cudnnCreate(&made->handle), "it cannot be opened");
    if (!err)
        err = check(cudnnSetStream(made->handle, stream), "it does not take the stream");
    if (err)
        sg_cudnn_close(made);
    else
        *cudnn = made;
    return err;
}

void sg_cudnn_close(sg_cudnn *cudnn)
{
    if (!cudnn)
        return;
    if (cudnn->handle)
        cudnnDestroy(cudnn->handle);
    sg_free(cudnn);
}

void sg_cudnn_version(char *text, size_t size)
{
    size_t v = cudnnGetVersion();
    snprintf(text, size, "cuDNN %zu.%zu.%zu", v / 10000, v / 100 % 100, v % 100);
}

/* ---- descriptors ---- */

static cudnnBackendDescriptor_t make(sg_cudnn_plan *p, cudnnBackendDescriptorType_t type)
{
    SG_ASSERT(p->count < MOST_DESCRIPTORS);
    cudnnBackendDescriptor_t made = NULL;
    if (p->status == CUDNN_STATUS_SUCCESS)
        p->status = cudnnBackendCreateDescriptor(type, &made);
    if (made)
        p->owned[p->count++] = made;
    return made;
}

static void set(sg_cudnn_plan *p, cudnnBackendDescriptor_t to, cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t count, const void *values)
{
    if (p->status == CUDNN_STATUS_SUCCESS)
        p->status = cudnnBackendSetAttribute(to, name, type, count, values);
}

static void set_part(sg_cudnn_plan *p, cudnnBackendDescriptor_t to,
                     cudnnBackendAttributeName_t name, cudnnBackendDescriptor_t part)
{
    set(p, to, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &part);
}

static void finish(sg_cudnn_plan *p, cudnnBackendDescriptor_t made)
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
static cudnnBackendDescriptor_t tensor(sg_cudnn_plan *p, int64_t id, sg_shape s, sg_dtype type)
{
    cudnnBackendDescriptor_t made = make(p, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    const int64_t dims[] = {s.n, s.c, s.h, s.w};
    const int64_t strides[] = {s.h * s.w * s.c, 1, s.w * s.c, s.c};
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

static cudnnBackendDescriptor_t convolution(sg_cudnn_plan *p, const sg_conv_geometry *g)
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

static sg_shape operand_shape(const sg_conv_request *r, int64_t id)
{
    const sg_conv_geometry *g = &r->geometry;
    sg_shape filter = sg_conv_filter_shape(g);
    const sg_shape shapes[3][3] = {[SG_CONV_SMALL] = {g->big, filter, g->small},
                                   [SG_CONV_BIG] = {g->small, filter, g->big},
                                   [SG_CONV_FILTER] = {g->big, g->small, filter}};
    return shapes[r->target][id - A];
}

/* The convolution of tensors A and B into `result`. */
static cudnnBackendDescriptor_t operation(sg_cudnn_plan *p, const sg_conv_request *r,
                                          cudnnBackendDescriptor_t result)
{
    const operation_names *n = &names[r->target];
    const float alpha = 1, beta = 0;
    cudnnBackendDescriptor_t a = tensor(p, A, operand_shape(r, A), r->type);
    cudnnBackendDescriptor_t b = tensor(p, B, operand_shape(r, B), r->type);
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
static cudnnBackendDescriptor_t pointwise(sg_cudnn_plan *p, cudnnPointwiseMode_t mode,
                                          cudnnBackendDescriptor_t from,
                                          cudnnBackendDescriptor_t with,
                                          cudnnBackendDescriptor_t to)
{
    const cudnnDataType_t type = CUDNN_DATA_FLOAT;
    cudnnBackendDescriptor_t what = make(p, CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    set(p, what, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1, &mode);
    set(p, what, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1, &type);
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

/* Operations from the convolution to the result; sums between them are f32 and stay on the chip. */
static int operations(sg_cudnn_plan *p, const sg_conv_request *r, cudnnBackendDescriptor_t *op)
{
    sg_shape shape = operand_shape(r, RESULT);
    int count = 0;
    cudnnBackendDescriptor_t result = tensor(p, RESULT, shape, r->result_type);
    cudnnBackendDescriptor_t at =
        r->bias || r->relu ? tensor(p, SUM, shape, SG_F32) : result; /* what is made so far */
    op[count++] = operation(p, r, at);
    if (r->bias) {
        cudnnBackendDescriptor_t bias = tensor(p, BIAS, (sg_shape){1, 1, 1, shape.c}, SG_F32);
        cudnnBackendDescriptor_t to = r->relu ? tensor(p, BIASED, shape, SG_F32) : result;
        op[count++] = pointwise(p, CUDNN_POINTWISE_ADD, at, bias, to);
        at = to;
    }
    if (r->relu)
        op[count++] = pointwise(p, CUDNN_POINTWISE_RELU_FWD, at, NULL, result);
    return count;
}

static cudnnBackendDescriptor_t make_graph(sg_cudnn_plan *p, const sg_conv_request *r)
{
    cudnnBackendDescriptor_t op[3];
    int count = operations(p, r, op);
    cudnnBackendDescriptor_t graph = make(p, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    set(p, graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1, &p->cudnn->handle);
    set(p, graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, count, op);
    finish(p, graph);
    return graph;
}

/* ---- choosing an engine ---- */

static bool note_allowed(cudnnBackendNumericalNote_t note, const sg_conv_request *r)
{
    bool exact = r->type == SG_F32 && !r->tf32;
    switch (note) {
    case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
    case CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION:
    case CUDNN_NUMERICAL_NOTE_FFT:
    case CUDNN_NUMERICAL_NOTE_WINOGRAD:
    case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4:
    case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6:
    case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13:
        return false;
    case CUDNN_NUMERICAL_NOTE_TENSOR_CORE: /* f32 on tensor cores is tf32 */
    case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:
        return !exact;
    default:
        return true;
    }
}

/* Whether the configuration's engine holds the contract. */
static bool engine_allowed(cudnnBackendDescriptor_t config, const sg_conv_request *r)
{
    cudnnBackendNumericalNote_t note[CUDNN_NUMERICAL_NOTE_TYPE_COUNT];
    cudnnBackendDescriptor_t engine = NULL;
    int64_t count = 0;
    if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine))
        return false;
    bool allowed =
        cudnnBackendGetAttribute(config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                                 1, &count, &engine) == CUDNN_STATUS_SUCCESS &&
        cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                 CUDNN_TYPE_NUMERICAL_NOTE, CUDNN_NUMERICAL_NOTE_TYPE_COUNT, &count,
                                 note) == CUDNN_STATUS_SUCCESS;
    for (int64_t i = 0; allowed && i < count; i++)
        allowed = note_allowed(note[i], r);
    cudnnBackendDestroyDescriptor(engine);
    return allowed;
}

/* A plan from a configuration, in p->plan; false when it does not build or wants too much. */
static bool build_plan(sg_cudnn_plan *p, cudnnBackendDescriptor_t config)
{
    int64_t bytes = 0, count = 0;
    cudnnBackendDescriptor_t plan = NULL;
    if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &plan))
        return false;
    bool built =
        cudnnBackendSetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, 1,
                                 &p->cudnn->handle) == CUDNN_STATUS_SUCCESS &&
        cudnnBackendSetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG,
                                 CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                                 &config) == CUDNN_STATUS_SUCCESS &&
        cudnnBackendFinalize(plan) == CUDNN_STATUS_SUCCESS &&
        cudnnBackendGetAttribute(plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64,
                                 1, &count, &bytes) == CUDNN_STATUS_SUCCESS &&
        bytes <= most_workspace;
    if (!built) {
        cudnnBackendDestroyDescriptor(plan);
        return false;
    }
    p->plan = plan;
    p->workspace_bytes = (size_t)bytes;
    return true;
}

/* The engines of one mode of the heuristics, best first, until one will do. */
static bool try_mode(sg_cudnn_plan *p, const sg_conv_request *r, cudnnBackendDescriptor_t graph,
                     cudnnBackendHeurMode_t mode)
{
    cudnnBackendDescriptor_t config[MOST_CONFIGS] = {0}, heuristics = NULL;
    int64_t count = 0;
    int made = 0;
    bool found = false;
    while (made < MOST_CONFIGS &&
           !cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &config[made]))
        made++;
    if (!cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, &heuristics) &&
        !cudnnBackendSetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH,
                                  CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &graph) &&
        !cudnnBackendSetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1,
                                  &mode) &&
        !cudnnBackendFinalize(heuristics) &&
        !cudnnBackendGetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                  CUDNN_TYPE_BACKEND_DESCRIPTOR, made, &count, config))
        for (int64_t i = 0; !found && i < count && i < made; i++)
            found = engine_allowed(config[i], r) && build_plan(p, config[i]);
    for (int i = 0; i < made; i++)
        cudnnBackendDestroyDescriptor(config[i]);
    if (heuristics)
        cudnnBackendDestroyDescriptor(heuristics);
    return found;
}

/* A graph that cuDNN does not take is no failure; a library that does not work is. */
static sg_err refusal(cudnnStatus_t status)
{
    int category = CUDNN_STATUS_CATEGORY((int)status);
    if (status == CUDNN_STATUS_SUCCESS || category == CUDNN_STATUS_BAD_PARAM ||
        category == CUDNN_STATUS_NOT_SUPPORTED)
        return sg_fail(SG_EUNSUPPORTED, "cuDNN has no engine for this convolution");
    return check(status, "a convolution cannot be described");
}

sg_err sg_cudnn_plan_create(sg_cudnn *cudnn, const sg_conv_request *request, sg_cudnn_plan **plan)
{
    sg_cudnn_plan *p = NULL;
    *plan = NULL;
    sg_err err = sg_calloc(1, sizeof *p, &p);
    if (err)
        return err;
    p->cudnn = cudnn;
    cudnnBackendDescriptor_t graph = make_graph(p, request);
    bool found = p->status == CUDNN_STATUS_SUCCESS &&
                 (try_mode(p, request, graph, CUDNN_HEUR_MODE_A) ||
                  try_mode(p, request, graph, CUDNN_HEUR_MODE_FALLBACK));
    if (!found) {
        err = refusal(p->status);
        sg_cudnn_plan_close(p);
        return err;
    }
    *plan = p;
    return SG_OK;
}

void sg_cudnn_plan_close(sg_cudnn_plan *p)
{
    if (!p)
        return;
    if (p->pack)
        cudnnBackendDestroyDescriptor(p->pack);
    if (p->plan)
        cudnnBackendDestroyDescriptor(p->plan);
    while (p->count > 0)
        cudnnBackendDestroyDescriptor(p->owned[--p->count]);
    sg_free(p);
}

size_t sg_cudnn_plan_workspace(const sg_cudnn_plan *p)
{
    return p->workspace_bytes;
}

/* ---- running ---- */

/* Pointers are the same in most runs: the pack is made anew only when they are not. */
static bool is_packed(const sg_cudnn_plan *p, const void *const *pointer, const void *workspace)
{
    return p->pack && p->workspace == workspace &&
           memcmp(p->pointer, pointer, sizeof p->pointer) == 0;
}

static sg_err repack(sg_cudnn_plan *p, const void *const *pointer, void *workspace)
{
    static const int64_t ids[] = {A, B, RESULT, BIAS};
    const int64_t count = pointer[3] ? 4 : 3;
    if (p->pack)
        cudnnBackendDestroyDescriptor(p->pack);
    p->pack = NULL;
    cudnnStatus_t status =
        cudnnBackendCreateDescriptor(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR, &p->pack);
    if (!status)
        status = cudnnBackendSetAttribute(p->pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS,
                                          CUDNN_TYPE_INT64, count, ids);
    if (!status)
        status = cudnnBackendSetAttribute(p->pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS,
                                          CUDNN_TYPE_VOID_PTR, count, pointer);
    if (!status)
        status = cudnnBackendSetAttribute(p->pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE,
                                          CUDNN_TYPE_VOID_PTR, 1, &workspace);
    if (!status)
        status = cudnnBackendFinalize(p->pack);
    memcpy(p->pointer, pointer, sizeof p->pointer);
    p->workspace = workspace;
    if (status && p->pack) {
        cudnnBackendDestroyDescriptor(p->pack);
        p->pack = NULL;
    }
    return check(status, "pointers cannot be given to a convolution");
}

sg_err sg_cudnn_plan_run(sg_cudnn_plan *p, const void *a, const void *b, const float *bias,
                         void *result, void *workspace)
{
    const void *const pointer[] = {a, b, result, bias};
    sg_err err = is_packed(p, pointer, workspace) ? SG_OK : repack(p, pointer, workspace);
    return err ? err
               : check(cudnnBackendExecute(p->cudnn->handle, p->plan, p->pack),
                       "a convolution failed");
}
