/*
 * In cuDNN's place: convolutions as plain loops. SEGTILES_EMULATED_CUDNN says what is taken, so
 * that each of the ways of cuda/conv_plan.h gets its turn: "all", what is fused and gaps between
 * pixels included (the default), "dense" (no gaps), "plain" (nothing fused), "f32" (of operands
 * too; no gaps), or "none".
 */
#include <stdlib.h>
#include <string.h>
#include "base/size.h"
#include "cuda/cudnn_plan.h"

enum { WORKSPACE = 512 };

enum { MOST_PLANS = 4096 };

struct sg_cudnn_plan {
    sg_conv_request request;
    const sg_cudnn *cudnn;
};

struct sg_cudnn {
    sg_cuda *cuda;
    sg_cudnn_plan plan[MOST_PLANS];
    int plans;
};

sg_err sg_cudnn_open(sg_cuda *cuda, const char *chip, sg_cudnn **cudnn)
{
    sg_err err = sg_calloc(1, sizeof **cudnn, cudnn);
    if (!err)
        (*cudnn)->cuda = cuda;
    return err;
}

void sg_cudnn_close(sg_cudnn *cudnn)
{
    sg_free(cudnn);
}

void sg_cudnn_version(char *text, size_t size)
{
    strncpy(text, "no cuDNN", size);
}

static bool takes(const sg_conv_request *r)
{
    const char *what = getenv("SEGTILES_EMULATED_CUDNN");
    if (!what || strcmp(what, "all") == 0)
        return true;
    if (strcmp(what, "dense") == 0)
        return !sg_conv_request_has_gaps(r);
    if (strcmp(what, "none") == 0 || sg_conv_request_is_fused(r))
        return false;
    return strcmp(what, "plain") == 0 ||
           (r->type == SG_F32 && r->result_type == SG_F32 && !sg_conv_request_has_gaps(r));
}

sg_err sg_cudnn_plan_get(sg_cudnn *cudnn, const sg_conv_request *request, sg_cudnn_plan **plan)
{
    *plan = NULL;
    if (!takes(request))
        return sg_fail(SG_EUNSUPPORTED, "not taken");
    SG_ASSERT(cudnn->plans < MOST_PLANS);
    *plan = &cudnn->plan[cudnn->plans++];
    (*plan)->request = *request;
    (*plan)->cudnn = cudnn;
    return SG_OK;
}

size_t sg_cudnn_plan_workspace(const sg_cudnn_plan *plan)
{
    return WORKSPACE;
}

/* One product: offsets of the three numbers. */
typedef void (*product_fn)(void *context, size_t big, size_t small, size_t filter);

static int64_t or_dense(int64_t pitch, int64_t c)
{
    return pitch ? pitch : c;
}

static void each_channel(const sg_conv_geometry *g, size_t big, size_t small, size_t tap,
                         product_fn product, void *context)
{
    size_t depth = (size_t)(g->big.c / g->groups), width = (size_t)(g->small.c / g->groups);
    size_t taps = (size_t)(g->kernel_h * g->kernel_w);
    for (size_t k = 0; k < (size_t)g->small.c; k++)
        for (size_t i = 0; i < depth; i++)
            product(context, big + k / width * depth + i, small + k, (k * taps + tap) * depth + i);
}

static void each_product(const sg_conv_request *r, product_fn product, void *context)
{
    const sg_conv_geometry *g = &r->geometry;
    sg_shape b = g->big, s = g->small;
    int64_t big_pitch = or_dense(r->big_pitch, b.c), small_pitch = or_dense(r->small_pitch, s.c);
    for (int64_t pixel = 0; pixel < s.n * s.h * s.w; pixel++)
        for (int64_t tap = 0; tap < g->kernel_h * g->kernel_w; tap++) {
            int64_t x = pixel % s.w, y = pixel / s.w % s.h, n = pixel / s.w / s.h;
            int64_t row = y * g->stride_h - g->pad_h + tap / g->kernel_w * g->dilation_h;
            int64_t column = x * g->stride_w - g->pad_w + tap % g->kernel_w * g->dilation_w;
            if (row >= 0 && row < b.h && column >= 0 && column < b.w)
                each_channel(g, (size_t)(((n * b.h + row) * b.w + column) * big_pitch),
                             (size_t)(pixel * small_pitch), (size_t)tap, product, context);
        }
}

typedef struct {
    const sg_conv_request *request;
    const void *a, *b;
    double *sum;
} job;

static void add(void *context, size_t big, size_t small, size_t filter)
{
    const job *j = context;
    sg_dtype type = j->request->type;
    sg_conv_target target = j->request->target;
    size_t a = target == SG_CONV_BIG ? small : big, b = target == SG_CONV_FILTER ? small : filter;
    size_t to = target == SG_CONV_SMALL ? small : target == SG_CONV_BIG ? big : filter;
    j->sum[to] += (double)sg_load(j->a, type, a) * sg_load(j->b, type, b);
}

typedef struct {
    const sg_cudnn_plan *plan;
    sg_conv_tensors t;
} run_arguments;

static void run_now(const void *context)
{
    const run_arguments *run = context;
    const float *bias = run->t.bias;
    const void *added = run->t.added;
    const sg_conv_request *r = &run->plan->request;
    const sg_conv_geometry *g = &r->geometry;
    sg_shape shape = r->target == SG_CONV_SMALL ? g->small
                     : r->target == SG_CONV_BIG ? g->big
                                                : sg_conv_filter_shape(g);
    int64_t gaps = r->target == SG_CONV_SMALL ? r->small_pitch
                   : r->target == SG_CONV_BIG ? r->big_pitch
                                              : 0;
    size_t c = (size_t)shape.c, pitch = (size_t)or_dense(gaps, shape.c);
    job j = {r, run->t.a, run->t.b, NULL};
    memset(run->t.workspace, 0xff, WORKSPACE);
    SG_ASSERT((bias != NULL) == (r->bias != 0) && (added != NULL) == (r->added != 0));
    if (sg_calloc(sg_shape_count(shape) / c * pitch, sizeof *j.sum, &j.sum))
        abort();
    each_product(r, add, &j);
    for (size_t i = 0; i < sg_shape_count(shape); i++) {
        size_t at = i / c * pitch + i % c;
        float value = (float)(bias ? j.sum[at] + bias[i % c] : j.sum[at]);
        if (added)
            value += sg_load(added, r->type, i / c * (size_t)r->added + i % c);
        sg_store(run->t.result, r->result_type, at, r->relu && value < 0 ? 0 : value);
    }
    sg_free(j.sum);
}

sg_err sg_cudnn_plan_run(sg_cudnn_plan *plan, const sg_conv_tensors *tensors)
{
    const run_arguments run = {plan, *tensors};
    sg_emulated_give(plan->cudnn->cuda->stream, run_now, &run, sizeof run);
    return SG_OK;
}
