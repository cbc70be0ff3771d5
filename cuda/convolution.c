/*
 * Both convolutions with bias, a plain one's second input and activation. A transposed one is the
 * plain one seen from its output: see cudnn_plan.h.
 *
 * What cuDNN gets is made easy to take: padding is the same on both sides (else the tensor is
 * copied into a padded one), and channels of a tensor fill 16-byte words where groups allow it
 * (else zeros are appended), which is what the tensor cores' engines ask for. A tensor with gaps
 * between its pixels, among the channels of another, is read and written where it lies if the
 * engine takes that, and copied if not: the bits are the same.
 *
 * Numerical contract. As cudnn_plan.h's, for operands in the input's format: weights are rounded to
 * it, so is the gradient before an activation. Results that are not final (a bias or an activation
 * is still to come) are f32. Parameter gradients are f32. All results are overwritten.
 */
#include "base/size.h"
#include "cuda/conv_kernels.h"
#include "cuda/conv_plan.h"

typedef struct {
    sg_cuda *cuda;
    int32_t transposed;
    int32_t fused; /* the plan forward adds the bias and the second input and applies relu */
    int32_t forward_gaps, backward_gaps; /* the plans take tensors with gaps as they are */
    sg_dtype type;                       /* of operands: the input's */
    sg_conv_geometry geometry;
    sg_conv_view in, out; /* of the operator's input and output */
    sg_filter_view filter_view;
    void *filter; /* device, owned; NULL: the parameter itself */
    sg_conv_plan *forward, *to_input, *to_filter;
    size_t in_bytes, out_bytes, added_bytes, filter_bytes, workspace_bytes; /* of scratch */
} conv;

/* ---- shapes ---- */

static int64_t whole_words(int64_t channels, sg_dtype type)
{
    return sg_round_up(channels, 16 / (int64_t)sg_dtype_size(type));
}

static void set_geometry(conv *k, const sg_site *site)
{
    const sg_window_attr *w = &site->node->attr.window;
    sg_conv_view *big = k->transposed ? &k->out : &k->in;
    sg_conv_view *small = k->transposed ? &k->in : &k->out;
    bool even = w->pad.top == w->pad.bottom && w->pad.left == w->pad.right;
    k->in = (sg_conv_view){.real = site->in[0], .padded = site->in[0], .pitch = site->in_pitch[0]};
    k->out = (sg_conv_view){.real = site->out, .padded = site->out, .pitch = site->out_pitch};
    if (!even) {
        big->padded.h += w->pad.top + w->pad.bottom;
        big->padded.w += w->pad.left + w->pad.right;
        big->top = w->pad.top;
        big->left = w->pad.left;
    }
    if (w->groups == 1) {
        big->padded.c = whole_words(big->padded.c, k->type);
        small->padded.c = whole_words(small->padded.c, k->type);
    }
    k->geometry = (sg_conv_geometry){.big = big->padded,
                                     .small = small->padded,
                                     .kernel_h = w->kernel_h,
                                     .kernel_w = w->kernel_w,
                                     .stride_h = w->stride_h,
                                     .stride_w = w->stride_w,
                                     .dilation_h = w->dilation_h,
                                     .dilation_w = w->dilation_w,
                                     .pad_h = even ? w->pad.top : 0,
                                     .pad_w = even ? w->pad.left : 0,
                                     .groups = w->groups};
    k->filter_view = (sg_filter_view){.k = small->real.c,
                                      .taps = (int64_t)w->kernel_h * w->kernel_w,
                                      .c = big->real.c / w->groups,
                                      .padded_k = small->padded.c,
                                      .padded_c = big->padded.c / w->groups,
                                      .swapped = k->transposed};
}

static bool filter_is_whole(const conv *k)
{
    const sg_filter_view *v = &k->filter_view;
    return !v->swapped && v->k == v->padded_k && v->c == v->padded_c;
}

static bool is_staged(const conv *k)
{
    return k->type != SG_F32 || !filter_is_whole(k);
}

/* Whether something comes after the sums. */
static bool has_epilogue(const sg_site *site)
{
    return site->node->attr.window.bias || site->inputs > 1 || site->node->act != SG_ACT_NONE;
}

/* ---- plans ---- */

/* What comes after the sums can be asked for within the convolution. */
static bool can_fuse(const conv *k, const sg_site *site)
{
    int32_t act = site->node->act;
    return !k->transposed && sg_conv_is_whole(&k->out) && has_epilogue(site) &&
           (act == SG_ACT_NONE || act == SG_ACT_RELU) &&
           (site->inputs < 2 || site->in_type[1] == k->type);
}

static bool added_has_gaps(const sg_site *site)
{
    return site->inputs > 1 && site->in_pitch[1] != site->out.c;
}

/* The forward plan's result is the output as it is, or would be but for gaps. */
static bool is_final(const conv *k, const sg_site *site)
{
    return sg_conv_is_whole(&k->out) && (k->fused || !has_epilogue(site));
}

/* cuDNN gets the tensor itself. */
static bool is_direct(const sg_conv_view *view, int32_t gaps)
{
    return sg_conv_is_whole(view) && (gaps || !sg_conv_has_gaps(view));
}

/* For the gradient before an activation that is not there. */
static bool gradient_is_direct(const conv *k, const sg_site *site, int32_t gaps)
{
    return site->node->act == SG_ACT_NONE && site->grad_type == k->type && is_direct(&k->out, gaps);
}

static bool has_gaps(const conv *k, const sg_site *site)
{
    return added_has_gaps(site) || (sg_conv_is_whole(&k->in) && sg_conv_has_gaps(&k->in)) ||
           (sg_conv_is_whole(&k->out) && sg_conv_has_gaps(&k->out));
}

static sg_conv_request request_of(const conv *k, const sg_site *site, sg_conv_target target,
                                  sg_dtype result_type)
{
    return (sg_conv_request){.geometry = k->geometry,
                             .target = target,
                             .type = k->type,
                             .result_type = result_type,
                             .tf32 = k->cuda->tf32,
                             .steady = !site->training};
}

/* The operator's input, or its output or the gradient of that, is read or written with its gaps. */
static void ask_for_gaps(const conv *k, const sg_conv_view *view, sg_conv_request *request)
{
    bool big = (view == &k->in) != (k->transposed != 0);
    if (sg_conv_is_whole(view) && sg_conv_has_gaps(view))
        *(big ? &request->big_pitch : &request->small_pitch) = view->pitch;
}

static sg_err try_forward(conv *k, const sg_site *site, int32_t fused, int32_t gaps)
{
    k->fused = fused;
    k->forward_gaps = gaps;
    sg_conv_request request = request_of(k, site, k->transposed ? SG_CONV_BIG : SG_CONV_SMALL,
                                         is_final(k, site) ? site->out_type : SG_F32);
    if (fused) {
        request.bias = site->node->attr.window.bias;
        request.added = site->inputs < 2 ? 0 : gaps ? site->in_pitch[1] : site->out.c;
        request.relu = site->node->act == SG_ACT_RELU;
    }
    if (gaps) {
        ask_for_gaps(k, &k->in, &request);
        if (is_final(k, site))
            ask_for_gaps(k, &k->out, &request);
    }
    return sg_conv_plan_create(k->cuda, &request, &k->forward);
}

/* Everything within the convolution, and tensors as they are, where cuDNN has that. */
static sg_err plan_forward(conv *k, const sg_site *site)
{
    sg_err err = SG_EUNSUPPORTED;
    for (int32_t fused = can_fuse(k, site); err == SG_EUNSUPPORTED && fused >= 0; fused--)
        for (int32_t gaps = has_gaps(k, site); err == SG_EUNSUPPORTED && gaps >= 0; gaps--)
            err = try_forward(k, site, fused, gaps);
    return err;
}

static sg_err try_backward(conv *k, const sg_site *site, int32_t gaps)
{
    sg_conv_request filter = request_of(k, site, SG_CONV_FILTER, SG_F32);
    sg_conv_request input = request_of(k, site, k->transposed ? SG_CONV_SMALL : SG_CONV_BIG,
                                       sg_conv_is_whole(&k->in) ? site->grad_type : SG_F32);
    k->backward_gaps = gaps;
    if (gaps)
        ask_for_gaps(k, &k->in, &filter);
    if (gaps && gradient_is_direct(k, site, gaps)) {
        ask_for_gaps(k, &k->out, &filter);
        ask_for_gaps(k, &k->out, &input);
    }
    sg_err err = sg_conv_plan_create(k->cuda, &filter, &k->to_filter);
    if (!err && site->write[0] != SG_GRAD_NONE)
        err = sg_conv_plan_create(k->cuda, &input, &k->to_input);
    return err;
}

static sg_err plan_backward(conv *k, const sg_site *site)
{
    sg_err err = SG_EUNSUPPORTED;
    for (int32_t gaps = has_gaps(k, site); err == SG_EUNSUPPORTED && gaps >= 0; gaps--) {
        sg_conv_plan_close(k->to_filter);
        k->to_filter = NULL;
        err = try_backward(k, site, gaps);
    }
    return err;
}

/* The second input goes to cuDNN as a copy. */
static bool copies_added(const conv *k, const sg_site *site)
{
    return k->fused && !k->forward_gaps && added_has_gaps(site);
}

/* Scratch: the padded input and output (or gradient) as f32 or less, the filter's gradient, and
 * what a plan or the bias's sums need. */
static sg_err reserve(conv *k, const sg_site *site)
{
    const sg_conv_plan *plans[] = {k->forward, k->to_input, k->to_filter};
    sg_shape filter = sg_conv_filter_shape(&k->geometry);
    k->in_bytes = sg_cuda_piece(sg_shape_count(k->in.padded) * sizeof(float));
    k->out_bytes = sg_cuda_piece(sg_shape_count(k->out.padded) * sizeof(float));
    k->added_bytes = copies_added(k, site) ? k->out_bytes : 0;
    k->filter_bytes = site->training ? sg_cuda_piece(sg_shape_count(filter) * sizeof(float)) : 0;
    k->workspace_bytes = site->training ? sg_conv_bias_scratch(site) : 0;
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        size_t bytes = plans[i] ? sg_conv_plan_workspace(plans[i]) : 0;
        k->workspace_bytes = bytes > k->workspace_bytes ? bytes : k->workspace_bytes;
    }
    return sg_cuda_reserve(k->cuda, k->in_bytes + k->out_bytes + k->added_bytes + k->filter_bytes +
                                        k->workspace_bytes);
}

/* ---- life ---- */

static void release(void *kernel)
{
    conv *k = kernel;
    if (!k)
        return;
    sg_conv_plan_close(k->forward);
    sg_conv_plan_close(k->to_input);
    sg_conv_plan_close(k->to_filter);
    sg_cuda_free(k->cuda, k->filter);
    sg_free(k);
}

static sg_err make(conv *k, const sg_site *site)
{
    sg_err err = sg_cuda_use(k->cuda);
    size_t filter = sg_shape_count(sg_conv_filter_shape(&k->geometry));
    if (!err && is_staged(k))
        err = sg_cuda_alloc(k->cuda, filter * sg_dtype_size(k->type), &k->filter);
    if (!err)
        err = plan_forward(k, site);
    if (!err && site->training)
        err = plan_backward(k, site);
    return err ? err : reserve(k, site);
}

static sg_err prepare(sg_backend *backend, const sg_site *site, int32_t transposed, void **kernel)
{
    conv *k = NULL;
    sg_err err = sg_calloc(1, sizeof *k, &k);
    if (err)
        return err;
    k->cuda = sg_cuda_of(backend);
    k->transposed = transposed;
    k->type = site->in_type[0];
    set_geometry(k, site);
    err = make(k, site);
    if (err)
        release(k);
    else
        *kernel = k;
    return err;
}

static sg_err prepare_plain(sg_backend *backend, const sg_site *site, void **kernel)
{
    return prepare(backend, site, 0, kernel);
}

static sg_err prepare_transposed(sg_backend *backend, const sg_site *site, void **kernel)
{
    return prepare(backend, site, 1, kernel);
}

static sg_err refresh(void *kernel, const sg_site *site, const sg_io *io)
{
    conv *k = kernel;
    return k->filter
               ? sg_conv_stage_filter(k->cuda, &k->filter_view, io->param[0], k->filter, k->type)
               : SG_OK;
}

/* ---- running ---- */

typedef struct {
    uint8_t *in, *out, *added, *filter, *workspace;
} pieces;

static pieces pieces_of(const conv *k)
{
    uint8_t *at = k->cuda->scratch;
    pieces p = {.in = at, .out = at + k->in_bytes};
    p.added = at + k->in_bytes + k->out_bytes;
    p.filter = p.added + k->added_bytes;
    p.workspace = p.filter + k->filter_bytes;
    return p;
}

static const void *filter_of(const conv *k, const sg_io *io)
{
    return k->filter ? k->filter : io->param[0];
}

/* The input as cuDNN gets it. */
static sg_err stage_input(const conv *k, const sg_io *io, const pieces *p, int32_t gaps,
                          const void **in)
{
    bool direct = is_direct(&k->in, gaps);
    *in = direct ? io->in[0] : p->in;
    return direct ? SG_OK : sg_conv_stage(k->cuda, &k->in, io->in[0], k->type, p->in, k->type);
}

/* The output from what the plan made elsewhere. */
static sg_err finish(const conv *k, const sg_site *site, const sg_io *io, const void *made)
{
    const float *bias = site->node->attr.window.bias ? io->param[1] : NULL;
    return is_final(k, site)
               ? sg_conv_crop(k->cuda, &k->out, made, site->out_type, io->out, site->out_type)
               : sg_conv_finish(k->cuda, &k->out, made, bias, site, io);
}

static sg_err stage_added(const conv *k, const sg_site *site, const sg_io *io, const pieces *p,
                          const void **added)
{
    const sg_conv_view view = {site->out, site->out, 0, 0, site->in_pitch[1]};
    *added = copies_added(k, site) ? p->added : io->in[1];
    return *added == io->in[1]
               ? SG_OK
               : sg_conv_stage(k->cuda, &view, io->in[1], k->type, p->added, k->type);
}

static sg_err run_forward(const conv *k, const sg_site *site, const sg_io *io, const void *in,
                          void *made)
{
    pieces p = pieces_of(k);
    sg_err err = SG_OK;
    sg_conv_tensors t = {.a = in, .b = filter_of(k, io), .result = made, .workspace = p.workspace};
    if (k->fused && site->node->attr.window.bias)
        t.bias = io->param[1];
    if (k->fused && site->inputs > 1)
        err = stage_added(k, site, io, &p, &t.added);
    return err ? err : sg_conv_plan_run(k->forward, &t);
}

static sg_err forward(void *kernel, const sg_site *site, const sg_io *io)
{
    const conv *k = kernel;
    pieces p = pieces_of(k);
    bool final = is_final(k, site) && is_direct(&k->out, k->forward_gaps);
    /* f32 sums that fill the output can be finished in place */
    bool in_place = final || (is_direct(&k->out, 0) && site->out_type == SG_F32);
    void *made = in_place ? io->out : p.out;
    const void *in;
    sg_err err = stage_input(k, io, &p, k->forward_gaps, &in);
    if (!err)
        err = run_forward(k, site, io, in, made);
    return err || final ? err : finish(k, site, io, made);
}

/* The gradient before the activation as cuDNN gets it. */
static sg_err stage_gradient(const conv *k, const sg_site *site, const sg_io *io, const pieces *p,
                             const void **gradient)
{
    bool as_is = gradient_is_direct(k, site, k->backward_gaps);
    *gradient = as_is ? io->grad_out : p->out;
    return as_is ? SG_OK : sg_conv_stage_gradient(k->cuda, &k->out, site, io, p->out, k->type);
}

static sg_err filter_gradient(const conv *k, const sg_io *io, const pieces *p, const void *in,
                              const void *gradient)
{
    bool whole = filter_is_whole(k);
    const void *big = k->transposed ? gradient : in, *small = k->transposed ? in : gradient;
    void *to = whole ? (void *)io->param_grad[0] : p->filter;
    const sg_conv_tensors t = {.a = big, .b = small, .result = to, .workspace = p->workspace};
    sg_err err = sg_conv_plan_run(k->to_filter, &t);
    if (!err && !whole)
        err = sg_conv_give_filter(k->cuda, &k->filter_view, to, io->param_grad[0]);
    return err;
}

/* The padded input is not needed any more by then: its piece takes the sums. A gradient that is not
 * added has no gaps, whatever the input's value has. */
static sg_err input_gradient(const conv *k, const sg_site *site, const sg_io *io, const pieces *p,
                             const void *gradient)
{
    bool whole = sg_conv_is_whole(&k->in);
    void *to = whole ? io->grad_in[0] : p->in;
    sg_conv_view dense = k->in;
    dense.pitch = dense.real.c;
    const sg_conv_tensors t = {
        .a = gradient, .b = filter_of(k, io), .result = to, .workspace = p->workspace};
    sg_err err = sg_conv_plan_run(k->to_input, &t);
    if (!err && !whole)
        err = sg_conv_crop(k->cuda, &dense, to, SG_F32, io->grad_in[0], site->grad_type);
    return err;
}

/* The second input's is that before the activation. */
static sg_err added_gradient(const conv *k, const sg_site *site, const sg_io *io)
{
    const sg_conv_view view = {.real = site->out, .padded = site->out, .pitch = site->out_pitch};
    if (site->inputs < 2 || site->write[1] == SG_GRAD_NONE)
        return SG_OK;
    return sg_conv_stage_gradient(k->cuda, &view, site, io, io->grad_in[1], site->grad_type);
}

static sg_err backward(void *kernel, const sg_site *site, const sg_io *io)
{
    const conv *k = kernel;
    pieces p = pieces_of(k);
    const void *in, *gradient;
    sg_err err = SG_OK;
    if (site->node->attr.window.bias)
        err = sg_conv_bias_gradient(k->cuda, site, io, p.workspace);
    if (!err)
        err = stage_input(k, io, &p, k->backward_gaps, &in);
    if (!err)
        err = stage_gradient(k, site, io, &p, &gradient);
    if (!err)
        err = filter_gradient(k, io, &p, in, gradient);
    if (!err && site->write[0] != SG_GRAD_NONE)
        err = input_gradient(k, site, io, &p, gradient);
    return err ? err : added_gradient(k, site, io);
}

const sg_kernel_def sg_cuda_conv = {
    .prepare = prepare_plain,
    .refresh = refresh,
    .forward = forward,
    .backward = backward,
    .release = release,
    .can = SG_PITCHED_IN | SG_PITCHED_OUT | SG_ADDS_INPUT,
};

const sg_kernel_def sg_cuda_conv_transpose = {
    .prepare = prepare_transposed,
    .refresh = refresh,
    .forward = forward,
    .backward = backward,
    .release = release,
    .can = SG_PITCHED_IN | SG_PITCHED_OUT,
};
