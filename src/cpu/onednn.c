#include "cpu/onednn.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>
#include "base/size.h"
#include "cpu/dnnl_api.h"

struct sg_onednn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    int threads;
};

struct sg_onednn_conv {
    sg_onednn *onednn; /* borrowed */
    sg_conv_pass pass;
    dnnl_primitive_t primitive;
    dnnl_primitive_t reorder; /* weights to or from the primitive's layout; NULL when it is OHWI */
    dnnl_memory_t in, out, bias, weights, plain_weights, scratch;
    void *reordered; /* owned: the weights in the primitive's layout */
    size_t scratch_bytes;
    char impl[64];
};

static sg_err failed(const char *what, dnnl_status_t status)
{
    return sg_fail(SG_EINTERNAL, "oneDNN: %s failed with status %d", what, (int)status);
}

sg_err sg_onednn_open(sg_onednn **onednn, int threads)
{
    sg_onednn *o = NULL;
    *onednn = NULL;
    sg_err err = sg_calloc(1, sizeof *o, &o);
    if (err)
        return err;
    o->threads = threads;
    dnnl_status_t status = dnnl_engine_create(&o->engine, dnnl_cpu, 0);
    if (!status)
        status = dnnl_stream_create(&o->stream, o->engine, dnnl_stream_default_flags);
    if (status) {
        sg_onednn_close(o);
        return failed("opening the CPU engine", status);
    }
    *onednn = o;
    return SG_OK;
}

void sg_onednn_close(sg_onednn *onednn)
{
    if (!onednn)
        return;
    if (onednn->stream)
        dnnl_stream_destroy(onednn->stream);
    if (onednn->engine)
        dnnl_engine_destroy(onednn->engine);
    sg_free(onednn);
}

void sg_onednn_version(char *text, size_t size)
{
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, size, "oneDNN %d.%d.%d", v->major, v->minor, v->patch);
}

/* oneDNN asks OpenMP how many threads there are, which is a setting of the calling thread. */
static void use_threads(const sg_onednn *onednn)
{
    if (omp_get_max_threads() != onednn->threads)
        omp_set_num_threads(onednn->threads);
}

static dnnl_data_type_t data_type(sg_dtype type)
{
    return type == SG_BF16 ? dnnl_bf16 : dnnl_f32;
}

/* ---- descriptors ---- */

typedef struct {
    sg_md in, out, bias, any_weights, plain_weights;
} descriptors;

static dnnl_status_t describe_tensor(sg_md *md, sg_shape s, sg_dtype type)
{
    const dnnl_dims_t dim = {s.n, s.c, s.h, s.w};
    const dnnl_dims_t strides = {s.h * s.w * s.c, 1, s.w * s.c, s.c};
    return sg_md_create(md, 4, dim, data_type(type), strides);
}

/* [groups][out / groups][in / groups][h][w] in oneDNN's order, OHWI in memory. */
static dnnl_status_t describe_weights(descriptors *d, const sg_onednn_spec *spec)
{
    const sg_window_attr *w = spec->window;
    int64_t groups = w->groups, o = spec->out.c / groups, i = spec->in.c / groups;
    int64_t kh = w->kernel_h, kw = w->kernel_w;
    const dnnl_dims_t dim = {groups, o, i, kh, kw};
    const dnnl_dims_t strides = {o * kh * kw * i, kh * kw * i, 1, kw * i, i};
    int skip = groups == 1; /* then there is no group dimension */
    dnnl_data_type_t type = spec->pass == SG_CONV_WEIGHTS ? dnnl_f32
                            : spec->pass == SG_CONV_DATA  ? data_type(spec->out_type)
                                                          : data_type(spec->in_type);
    dnnl_status_t status = sg_md_create(&d->any_weights, 5 - skip, dim + skip, type, NULL);
    if (!status)
        status = sg_md_create(&d->plain_weights, 5 - skip, dim + skip, dnnl_f32, strides + skip);
    return status;
}

static dnnl_status_t describe(descriptors *d, const sg_onednn_spec *spec)
{
    const dnnl_dims_t bias = {spec->out.c}, one = {1};
    dnnl_status_t status = describe_tensor(&d->in, spec->in, spec->in_type);
    if (!status)
        status = describe_tensor(&d->out, spec->out, spec->out_type);
    if (!status)
        status = sg_md_create(&d->bias, 1, bias, dnnl_f32, one);
    return status ? status : describe_weights(d, spec);
}

static void forget(descriptors *d)
{
    sg_md_destroy(&d->in);
    sg_md_destroy(&d->out);
    sg_md_destroy(&d->bias);
    sg_md_destroy(&d->any_weights);
    sg_md_destroy(&d->plain_weights);
}

static sg_conv_desc make_desc(const descriptors *d, const sg_onednn_spec *spec)
{
    const sg_window_attr *w = spec->window;
    return (sg_conv_desc){
        .pass = spec->pass,
        .transpose = spec->transpose,
        .inference = spec->inference,
        .src = sg_md_borrow(&d->in),
        .weights = sg_md_borrow(&d->any_weights),
        .bias = spec->bias && spec->pass == SG_CONV_FORWARD ? sg_md_borrow(&d->bias) : NULL,
        .dst = sg_md_borrow(&d->out),
        .strides = {w->stride_h, w->stride_w},
        .dilates = {w->dilation_h - 1, w->dilation_w - 1},
        .pad_left = {w->pad.top, w->pad.left},
        .pad_right = {w->pad.bottom, w->pad.right},
    };
}

/* ---- choosing an implementation ---- */

static bool accept_any(const char *impl)
{
    return true;
}

/* Matrix multiplication libraries cut a long sum into pieces by the whole problem's size, so a
 * pixel's result could depend on the tile's. The direct kernels sum in a fixed order. */
static bool accept_exact(const char *impl)
{
    return !strstr(impl, "gemm") && strncmp(impl, "ref", 3);
}

static dnnl_status_t append_act(dnnl_primitive_attr_t attr, int32_t act)
{
    static const struct {
        dnnl_alg_kind_t kind;
        float alpha, beta;
    } eltwise[SG_ACT_COUNT] = {
        [SG_ACT_RELU] = {dnnl_eltwise_relu, 0, 0},
        [SG_ACT_RELU6] = {dnnl_eltwise_clip, 0, 6},
        [SG_ACT_LEAKY] = {dnnl_eltwise_relu, .01f, 0},
        [SG_ACT_SILU] = {dnnl_eltwise_swish, 1, 0},
        [SG_ACT_SIGMOID] = {dnnl_eltwise_logistic, 0, 0},
    };
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t status = dnnl_post_ops_create(&ops);
    if (!status)
        status = sg_post_eltwise(ops, eltwise[act].kind, eltwise[act].alpha, eltwise[act].beta);
    if (!status)
        status = dnnl_primitive_attr_set_post_ops(attr, ops);
    if (ops)
        dnnl_post_ops_destroy(ops);
    return status;
}

static dnnl_status_t make_attr(const sg_onednn_spec *spec, dnnl_primitive_attr_t *attr)
{
    dnnl_status_t status = dnnl_primitive_attr_create(attr);
    if (!status)
        status = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (!status && spec->pass == SG_CONV_FORWARD && spec->act != SG_ACT_NONE)
        status = append_act(*attr, spec->act);
    return status;
}

/* Backward descriptors want that of the forward pass as a hint. */
static dnnl_status_t make_hint(sg_onednn *onednn, const sg_onednn_spec *spec,
                               dnnl_primitive_desc_t *hint)
{
    sg_onednn_spec forward = *spec;
    descriptors d = {0};
    forward.pass = SG_CONV_FORWARD;
    forward.bias = false;
    dnnl_status_t status = describe(&d, &forward);
    if (!status) {
        sg_conv_desc desc = make_desc(&d, &forward);
        status = sg_conv_pd_create(hint, onednn->engine, &desc, NULL, NULL, accept_any);
    }
    forget(&d);
    return status;
}

static dnnl_status_t choose(sg_onednn *onednn, const sg_onednn_spec *spec, const descriptors *d,
                            dnnl_primitive_desc_t *pd)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t hint = NULL;
    sg_conv_desc desc = make_desc(d, spec);
    sg_accept_impl accept =
        spec->inference && spec->pass == SG_CONV_FORWARD ? accept_exact : accept_any;
    dnnl_status_t status = make_attr(spec, &attr);
    if (!status && spec->pass != SG_CONV_FORWARD)
        status = make_hint(onednn, spec, &hint);
    if (!status)
        status = sg_conv_pd_create(pd, onednn->engine, &desc, attr, hint, accept);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    if (hint)
        dnnl_primitive_desc_destroy(hint);
    return status;
}

/* ---- memory ---- */

static int weights_query(sg_conv_pass pass)
{
    return pass == SG_CONV_WEIGHTS ? dnnl_query_diff_weights_md : dnnl_query_weights_md;
}

static dnnl_status_t make_reorder(sg_onednn_conv *c, sg_md_ref from, sg_md_ref to)
{
    dnnl_primitive_desc_t pd = NULL;
    dnnl_engine_t engine = c->onednn->engine;
    dnnl_status_t status = dnnl_reorder_primitive_desc_create(&pd, from, engine, to, engine, NULL);
    if (!status)
        status = dnnl_primitive_create(&c->reorder, pd);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    return status;
}

/* The primitive's weights: the caller's OHWI where it takes that, else a reordered copy. */
static dnnl_status_t make_weights(sg_onednn_conv *c, dnnl_primitive_desc_t pd, sg_md_ref plain)
{
    dnnl_engine_t engine = c->onednn->engine;
    sg_md_ref wanted = dnnl_primitive_desc_query_md(pd, weights_query(c->pass), 0);
    dnnl_status_t status = dnnl_memory_create(&c->plain_weights, plain, engine, NULL);
    if (status || dnnl_memory_desc_equal(wanted, plain))
        return status;
    if (sg_calloc(dnnl_memory_desc_get_size(wanted), 1, &c->reordered))
        return dnnl_out_of_memory;
    status = dnnl_memory_create(&c->weights, wanted, engine, c->reordered);
    if (status)
        return status;
    return c->pass == SG_CONV_WEIGHTS ? make_reorder(c, wanted, plain)
                                      : make_reorder(c, plain, wanted);
}

static dnnl_status_t make_memory(sg_onednn_conv *c, dnnl_primitive_desc_t pd, const descriptors *d)
{
    dnnl_engine_t engine = c->onednn->engine;
    sg_md_ref scratch = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    c->scratch_bytes = dnnl_memory_desc_get_size(scratch);
    dnnl_status_t status = dnnl_memory_create(&c->in, sg_md_borrow(&d->in), engine, NULL);
    if (!status)
        status = dnnl_memory_create(&c->out, sg_md_borrow(&d->out), engine, NULL);
    if (!status)
        status = dnnl_memory_create(&c->bias, sg_md_borrow(&d->bias), engine, NULL);
    if (!status)
        status = dnnl_memory_create(&c->scratch, scratch, engine, NULL);
    return status ? status : make_weights(c, pd, sg_md_borrow(&d->plain_weights));
}

sg_err sg_onednn_conv_create(sg_onednn *onednn, const sg_onednn_spec *spec, sg_onednn_conv **conv)
{
    sg_onednn_conv *c = NULL;
    dnnl_primitive_desc_t pd = NULL;
    descriptors d = {0};
    *conv = NULL;
    use_threads(onednn);
    sg_err err = sg_calloc(1, sizeof *c, &c);
    if (err)
        return err;
    c->onednn = onednn;
    c->pass = spec->pass;
    dnnl_status_t status = describe(&d, spec);
    if (!status)
        status = choose(onednn, spec, &d, &pd);
    if (!status)
        status = make_memory(c, pd, &d);
    if (!status)
        status = dnnl_primitive_create(&c->primitive, pd);
    if (!status)
        snprintf(c->impl, sizeof c->impl, "%s", sg_pd_impl(pd));
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    forget(&d);
    if (status) {
        sg_onednn_conv_close(c);
        return status == dnnl_out_of_memory
                   ? SG_ENOMEM
                   : sg_fail(SG_EUNSUPPORTED, "oneDNN has no kernel for a convolution (status %d)",
                             (int)status);
    }
    *conv = c;
    return SG_OK;
}

static void drop_memory(dnnl_memory_t memory)
{
    if (memory)
        dnnl_memory_destroy(memory);
}

void sg_onednn_conv_close(sg_onednn_conv *conv)
{
    if (!conv)
        return;
    if (conv->primitive)
        dnnl_primitive_destroy(conv->primitive);
    if (conv->reorder)
        dnnl_primitive_destroy(conv->reorder);
    drop_memory(conv->in);
    drop_memory(conv->out);
    drop_memory(conv->bias);
    drop_memory(conv->weights);
    drop_memory(conv->plain_weights);
    drop_memory(conv->scratch);
    sg_free(conv->reordered);
    sg_free(conv);
}

const char *sg_onednn_conv_impl(const sg_onednn_conv *conv)
{
    return conv->impl;
}

size_t sg_onednn_conv_scratch(const sg_onednn_conv *conv)
{
    return conv->scratch_bytes;
}

/* ---- running ---- */

static dnnl_status_t run_reorder(sg_onednn_conv *c, dnnl_memory_t from, dnnl_memory_t to)
{
    const dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    dnnl_status_t status = dnnl_primitive_execute(c->reorder, c->onednn->stream, 2, args);
    return status ? status : dnnl_stream_wait(c->onednn->stream);
}

sg_err sg_onednn_weights(sg_onednn_conv *conv, const float *weights)
{
    use_threads(conv->onednn);
    dnnl_status_t status = dnnl_memory_set_data_handle(conv->plain_weights, (void *)weights);
    if (!status && conv->reorder)
        status = run_reorder(conv, conv->plain_weights, conv->weights);
    return status ? failed("reordering weights", status) : SG_OK;
}

static dnnl_status_t point(sg_onednn_conv *c, void *scratch, void *in, const float *bias, void *out)
{
    dnnl_status_t status = dnnl_memory_set_data_handle(c->in, in);
    if (!status)
        status = dnnl_memory_set_data_handle(c->out, out);
    if (!status)
        status = dnnl_memory_set_data_handle(c->bias, (void *)bias);
    if (!status)
        status = dnnl_memory_set_data_handle(c->scratch, scratch);
    return status;
}

sg_err sg_onednn_run(sg_onednn_conv *conv, void *scratch, void *in, const float *bias, void *out,
                     float *weights)
{
    static const int names[][3] = {
        [SG_CONV_FORWARD] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST},
        [SG_CONV_DATA] = {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DIFF_DST},
        [SG_CONV_WEIGHTS] = {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, DNNL_ARG_DIFF_DST},
    };
    sg_onednn_conv *c = conv;
    const int *name = names[c->pass];
    const dnnl_exec_arg_t args[] = {
        {name[0], c->in},         {name[1], c->reorder ? c->weights : c->plain_weights},
        {name[2], c->out},        {DNNL_ARG_SCRATCHPAD, c->scratch},
        {DNNL_ARG_BIAS, c->bias},
    };
    use_threads(c->onednn);
    dnnl_status_t status = point(c, scratch, in, bias, out);
    if (!status && c->pass == SG_CONV_WEIGHTS)
        status = dnnl_memory_set_data_handle(c->plain_weights, weights);
    if (!status)
        status = dnnl_primitive_execute(c->primitive, c->onednn->stream, bias ? 5 : 4, args);
    if (!status)
        status = dnnl_stream_wait(c->onednn->stream);
    if (!status && c->pass == SG_CONV_WEIGHTS && c->reorder)
        status = run_reorder(c, c->weights, c->plain_weights);
    return status ? failed(c->impl, status) : SG_OK;
}

bool sg_onednn_is_wide(void)
{
    int isa = (int)dnnl_get_effective_cpu_isa(), wide = dnnl_cpu_isa_avx512_core;
    return (isa & wide) == wide;
}

bool sg_onednn_supports_bf16(sg_onednn *onednn)
{
    const sg_window_attr window = {3, 3, 1, 1, 1, 1, {1, 1, 1, 1}, 1, 16, 0, 0, 0, 0};
    const sg_shape shape = {1, 8, 8, 16};
    for (int pass = SG_CONV_FORWARD; pass <= SG_CONV_WEIGHTS; pass++) {
        const sg_onednn_spec spec = {
            (sg_conv_pass)pass, false, true, &window, shape, shape, SG_BF16, SG_BF16, false,
            SG_ACT_NONE};
        sg_onednn_conv *conv = NULL;
        bool fast = !sg_onednn_conv_create(onednn, &spec, &conv) && strncmp(conv->impl, "ref", 3);
        sg_onednn_conv_close(conv);
        if (!fast)
            return false;
    }
    return true;
}
