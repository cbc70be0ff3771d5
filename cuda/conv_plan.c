#include "cuda/conv_plan.h"

#include "base/log.h"
#include "base/size.h"

typedef enum { BY_CUDNN, WIDENED, DIRECT } way;

struct sg_conv_plan {
    sg_cuda *cuda;
    sg_conv_request request;
    way way;
    sg_cudnn_plan *cudnn; /* borrowed from the library; NULL when DIRECT */
};

static sg_shape shape_a(const sg_conv_request *r)
{
    return r->target == SG_CONV_BIG ? r->geometry.small : r->geometry.big;
}

static sg_shape shape_b(const sg_conv_request *r)
{
    return r->target == SG_CONV_FILTER ? r->geometry.small : sg_conv_filter_shape(&r->geometry);
}

static sg_shape shape_of_result(const sg_conv_request *r)
{
    return r->target == SG_CONV_SMALL ? r->geometry.small
           : r->target == SG_CONV_BIG ? r->geometry.big
                                      : sg_conv_filter_shape(&r->geometry);
}

static size_t copy_bytes(sg_shape shape)
{
    return sg_cuda_piece(sg_shape_count(shape) * sizeof(float));
}

static sg_conv_request widened(const sg_conv_request *request)
{
    sg_conv_request wide = *request;
    wide.type = wide.result_type = SG_F32;
    wide.tf32 = 1;
    return wide;
}

static sg_err choose(sg_conv_plan *p)
{
    sg_cudnn *cudnn = p->cuda->cudnn;
    sg_err err = sg_cudnn_plan_get(cudnn, &p->request, &p->cudnn);
    bool more = sg_conv_request_is_fused(&p->request) || sg_conv_request_has_gaps(&p->request);
    if (err != SG_EUNSUPPORTED || more)
        return err;
    if (p->request.type == SG_BF16) {
        sg_conv_request wide = widened(&p->request);
        p->way = WIDENED;
        err = sg_cudnn_plan_get(cudnn, &wide, &p->cudnn);
    }
    if (err == SG_EUNSUPPORTED) {
        p->way = DIRECT;
        err = SG_OK;
    }
    return err;
}

/* What is slower than it could be is told to who wants to know. */
static void tell(const sg_conv_plan *p)
{
    static const char *const what[] = {[SG_CONV_SMALL] = "",
                                       [SG_CONV_BIG] = " backward",
                                       [SG_CONV_FILTER] = " gradient of the filter"};
    const sg_conv_geometry *g = &p->request.geometry;
    if (p->way != BY_CUDNN)
        sg_verbose("convolution%s, %d x %d, %d to %d channels, %s: %s", what[p->request.target],
                   (int)g->kernel_h, (int)g->kernel_w, (int)g->big.c, (int)g->small.c,
                   sg_dtype_name(p->request.type), sg_conv_plan_way(p));
}

sg_err sg_conv_plan_create(sg_cuda *cuda, const sg_conv_request *request, sg_conv_plan **plan)
{
    sg_conv_plan *p = NULL;
    *plan = NULL;
    sg_err err = sg_calloc(1, sizeof *p, &p);
    if (err)
        return err;
    p->cuda = cuda;
    p->request = *request;
    err = choose(p);
    if (err) {
        sg_conv_plan_close(p);
        return err;
    }
    tell(p);
    *plan = p;
    return SG_OK;
}

void sg_conv_plan_close(sg_conv_plan *p)
{
    sg_free(p);
}

const char *sg_conv_plan_way(const sg_conv_plan *p)
{
    return p->way == BY_CUDNN ? "cuDNN" : p->way == WIDENED ? "cuDNN in f32" : "our own kernels";
}

static size_t copies(const sg_conv_request *r)
{
    size_t result = r->result_type == SG_F32 ? 0 : copy_bytes(shape_of_result(r));
    return copy_bytes(shape_a(r)) + copy_bytes(shape_b(r)) + result;
}

size_t sg_conv_plan_workspace(const sg_conv_plan *p)
{
    if (p->way == DIRECT)
        return 0;
    return sg_cudnn_plan_workspace(p->cudnn) + (p->way == WIDENED ? copies(&p->request) : 0);
}

/* Nothing is fused there. */
static sg_err run_widened(sg_conv_plan *p, const sg_conv_tensors *t)
{
    const sg_conv_request *r = &p->request;
    sg_shape sa = shape_a(r), sb = shape_b(r), sr = shape_of_result(r);
    uint8_t *a = t->workspace, *b = a + copy_bytes(sa), *result = b + copy_bytes(sb);
    bool copied = r->result_type != SG_F32;
    const sg_conv_tensors wide = {
        a, b, NULL, NULL, copied ? (void *)result : t->result, a + copies(r)};
    sg_err err = sg_cuda_convert(p->cuda, a, SG_F32, t->a, r->type, sg_shape_count(sa));
    if (!err)
        err = sg_cuda_convert(p->cuda, b, SG_F32, t->b, r->type, sg_shape_count(sb));
    if (!err)
        err = sg_cudnn_plan_run(p->cudnn, &wide);
    if (!err && copied)
        err =
            sg_cuda_convert(p->cuda, t->result, r->result_type, result, SG_F32, sg_shape_count(sr));
    return err;
}

sg_err sg_conv_plan_run(sg_conv_plan *p, const sg_conv_tensors *tensors)
{
    if (p->way == DIRECT)
        return sg_direct_run(p->cuda, &p->request, tensors->a, tensors->b, tensors->result);
    sg_err err = sg_cuda_use(p->cuda);
    if (err)
        return err;
    return p->way == WIDENED ? run_widened(p, tensors) : sg_cudnn_plan_run(p->cudnn, tensors);
}
