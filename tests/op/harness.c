#include "op/harness.h"

#include <string.h>
#include "base/size.h"
#include "nn/op.h"

/*
 * Device memory lies in the middle of a larger piece; the bytes around it are checked. Poison is
 * 0xff in every byte: NaN in f32, bf16 and f64, and no plausible index. Where pixels lie apart, so
 * are the bytes between them: LEAD channels before those of the tensor, TAIL behind.
 */
enum { GUARD = 256, GUARD_BYTE = 0x5a, POISON_BYTE = 0xff };
enum { LEAD = 8, TAIL = 16 };

typedef struct {
    void *memory;   /* device, GUARD + bytes + GUARD */
    uint8_t *image; /* host: what was written to it last */
    size_t bytes;
    size_t lead, own, pitch; /* bytes before a pixel's channels, of them, of a pixel in all */
} buffer;

/* Whether a byte is one of the tensor's, and where byte i of the tensor lies. */
static bool is_own(const buffer *b, size_t byte)
{
    size_t in_pixel = (byte - GUARD) % b->pitch;
    return byte >= GUARD && byte < GUARD + b->bytes && in_pixel >= b->lead &&
           in_pixel < b->lead + b->own;
}

static size_t place_of(const buffer *b, size_t byte)
{
    return GUARD + byte / b->own * b->pitch + b->lead + byte % b->own;
}

static size_t own_bytes(const buffer *b)
{
    return b->bytes / b->pitch * b->own;
}

/* One case being run: the buffers, and the call's pointers into them. */
typedef struct {
    sg_backend *backend;
    const op_problem *problem;
    const op_options *options;
    sg_site site;
    sg_io io;
    sg_run run;
    buffer in[SG_MAX_INPUTS], grad_in[SG_MAX_INPUTS];
    buffer param[SG_MAX_PARAMS], param_grad[SG_MAX_PARAMS];
    buffer out, grad_out, saved, labels, class_weight, border;
} bench;

static void *inside(const buffer *b)
{
    return b->memory ? (uint8_t *)b->memory + GUARD + b->lead : NULL;
}

static sg_err write_image(bench *t, buffer *b)
{
    return t->backend->upload(t->backend, b->memory, b->image, b->bytes + 2 * GUARD);
}

static sg_err poison(bench *t, buffer *b)
{
    for (size_t i = 0; i < own_bytes(b); i += b->own)
        memset(b->image + place_of(b, i), POISON_BYTE, b->own);
    return write_image(t, b);
}

/* lead, own and pitch are set. */
static sg_err make_pixels(bench *t, buffer *b, size_t bytes)
{
    b->bytes = bytes;
    sg_err err = sg_malloc(bytes + 2 * GUARD, 1, &b->image);
    if (!err)
        err = t->backend->alloc(t->backend, bytes + 2 * GUARD, &b->memory);
    if (err)
        return err;
    memset(b->image, GUARD_BYTE, bytes + 2 * GUARD);
    return poison(t, b);
}

static sg_err make_buffer(bench *t, buffer *b, size_t bytes)
{
    b->own = b->pitch = bytes;
    return make_pixels(t, b, bytes);
}

static sg_err make_tensor(bench *t, buffer *b, sg_shape shape, int64_t pitch, sg_dtype type)
{
    size_t size = sg_dtype_size(type), pixels = sg_shape_count(shape) / (size_t)shape.c;
    b->own = (size_t)shape.c * size;
    b->pitch = (size_t)pitch * size;
    b->lead = pitch == shape.c ? 0 : LEAD * size;
    return make_pixels(t, b, pixels * b->pitch);
}

static sg_err fill(bench *t, buffer *b, sg_dtype type, const float *values)
{
    size_t size = sg_dtype_size(type);
    for (size_t i = 0; i < own_bytes(b) / size; i++)
        sg_store(b->image + place_of(b, i * size), type, 0, values[i]);
    return write_image(t, b);
}

static sg_err fill_bytes(bench *t, buffer *b, const void *bytes)
{
    memcpy(b->image + GUARD, bytes, b->bytes);
    return write_image(t, b);
}

static void close_buffer(bench *t, buffer *b)
{
    if (b->memory)
        t->backend->free(t->backend, b->memory);
    sg_free(b->image);
    *b = (buffer){0};
}

/* Guards are whole and, where constant, so are the contents. */
static sg_err check_buffer(bench *t, const buffer *b, const char *what, int k, bool constant)
{
    size_t bytes = b->bytes + 2 * GUARD;
    uint8_t *now = NULL;
    if (!b->memory)
        return SG_OK;
    sg_err err = sg_malloc(bytes, 1, &now);
    if (!err)
        err = t->backend->download(t->backend, now, b->memory, bytes);
    for (size_t i = 0; !err && i < bytes; i++) {
        if ((constant || !is_own(b, i)) && now[i] != b->image[i])
            err = sg_fail(SG_EINTERNAL, "%s on %s: byte %lld of %s %d (%zu bytes) was written",
                          t->problem->row->name, t->backend->name, (long long)i - GUARD, what, k,
                          b->bytes);
    }
    sg_free(now);
    return err;
}

static sg_err check_all(bench *t)
{
    sg_err err = SG_OK;
    for (int k = 0; !err && k < SG_MAX_INPUTS; k++) {
        err = check_buffer(t, &t->in[k], "input", k, t->problem->row->op != SG_OP_input);
        if (!err)
            err = check_buffer(t, &t->grad_in[k], "input gradient", k, false);
    }
    for (int k = 0; !err && k < t->problem->node.params; k++) {
        bool constant = !op_param_is_state(t->problem, k) || !t->options->training;
        err = check_buffer(t, &t->param[k], "parameter", k, constant);
        if (!err)
            err = check_buffer(t, &t->param_grad[k], "parameter gradient", k, false);
    }
    if (!err)
        err = check_buffer(t, &t->out, "output", 0, false);
    if (!err)
        err = check_buffer(t, &t->grad_out, "output gradient", 0, true);
    if (!err)
        err = check_buffer(t, &t->saved, "saved", 0, false);
    if (!err)
        err = check_buffer(t, &t->labels, "labels", 0, true);
    if (!err)
        err = check_buffer(t, &t->class_weight, "class weights", 0, true);
    if (!err)
        err = check_buffer(t, &t->border, "weights of borders", 0, true);
    return err;
}

static bool in_words(sg_shape shape)
{
    return shape.c % LEAD == 0;
}

/* Pixels lie apart where that is wanted and the kernel can do with it; gradients that are stored
 * never do. */
static void set_pitches(bench *t)
{
    sg_site *site = &t->site;
    uint32_t can = t->options->gaps ? t->backend->kernel[site->node->op]->can : 0;
    site->out_pitch = site->out.c;
    if ((can & SG_PITCHED_OUT) && in_words(site->out))
        site->out_pitch += LEAD + TAIL;
    for (int k = 0; k < site->inputs; k++) {
        site->in_pitch[k] = site->grad_pitch[k] = site->in[k].c;
        if (!(can & SG_PITCHED_IN) || !in_words(site->in[k]))
            continue;
        site->in_pitch[k] += LEAD + TAIL;
        if (site->write[k] == SG_GRAD_ADD)
            site->grad_pitch[k] = site->in_pitch[k];
    }
}

static void make_site(bench *t)
{
    const op_problem *p = t->problem;
    const sg_op_def *op = sg_op_definition(p->row->op);
    sg_site *site = &t->site;
    site->node = &p->node;
    site->inputs = p->row->inputs;
    for (int k = 0; k < p->row->inputs; k++) {
        site->in[k] = p->in[k];
        site->in_type[k] = t->options->type;
        site->write[k] = t->options->training ? t->options->write : SG_GRAD_NONE;
    }
    /* the logits of a bf16 network are f32 */
    if (sg_op_is_loss(p->row->op))
        site->in_type[0] = SG_F32;
    site->out = p->out;
    site->out_type = p->node.out_f32 ? SG_F32 : t->options->type;
    site->grad_type = t->options->type;
    site->training = t->options->training;
    if (site->training && op->saved)
        site->saved_bytes = op->saved(&p->node, p->in, p->out);
    for (int k = 0; k < p->node.params; k++)
        site->param_count[k] = (int64_t)op_param_count(p, k);
    set_pitches(t);
}

static sg_err make_input_buffers(bench *t)
{
    sg_err err = SG_OK;
    for (int k = 0; !err && k < t->site.inputs; k++) {
        const sg_site *s = &t->site;
        err = make_tensor(t, &t->in[k], s->in[k], s->in_pitch[k], s->in_type[k]);
        if (!err && s->write[k] != SG_GRAD_NONE)
            err = make_tensor(t, &t->grad_in[k], s->in[k], s->grad_pitch[k], s->grad_type);
        t->io.in[k] = inside(&t->in[k]);
        t->io.grad_in[k] = inside(&t->grad_in[k]);
    }
    return err;
}

static sg_err make_param_buffers(bench *t)
{
    const op_problem *p = t->problem;
    sg_err err = SG_OK;
    for (int k = 0; !err && k < p->node.params; k++) {
        size_t bytes = op_param_count(p, k) * sizeof(float);
        bool state = op_param_is_state(p, k);
        err = make_buffer(t, &t->param[k], bytes);
        if (!err && t->site.training && !state)
            err = make_buffer(t, &t->param_grad[k], bytes);
        t->io.param[k] = inside(&t->param[k]);
        t->io.state[k] = state ? inside(&t->param[k]) : NULL;
        t->io.param_grad[k] = inside(&t->param_grad[k]);
    }
    return err;
}

static sg_err make_result_buffers(bench *t)
{
    const sg_site *s = &t->site;
    bool loss = t->problem->labels != NULL;
    sg_err err = make_tensor(t, &t->out, s->out, s->out_pitch, s->out_type);
    if (!err && s->training && !loss)
        err = make_tensor(t, &t->grad_out, s->out, s->out_pitch, s->grad_type);
    if (!err && t->site.saved_bytes)
        err = make_buffer(t, &t->saved, t->site.saved_bytes);
    t->io.out = inside(&t->out);
    t->io.grad_out = inside(&t->grad_out);
    t->io.saved = inside(&t->saved);
    return err;
}

static sg_err make_loss_buffers(bench *t)
{
    const op_problem *p = t->problem;
    size_t classes = (size_t)p->in[0].c;
    sg_err err = SG_OK;
    t->run = t->options->run;
    t->run.loss_scale = p->loss_scale;
    t->io.run = &t->run;
    if (p->labels) {
        err = make_buffer(t, &t->labels, sg_shape_count(p->in[0]) / classes);
        if (!err)
            err = fill_bytes(t, &t->labels, p->labels);
        t->io.labels = inside(&t->labels);
    }
    if (!err && p->class_weight) {
        err = make_buffer(t, &t->class_weight, classes * sizeof(float));
        if (!err)
            err = fill(t, &t->class_weight, SG_F32, p->class_weight);
        t->run.class_weight = inside(&t->class_weight);
    }
    if (!err && p->border) {
        err = make_buffer(t, &t->border, sg_shape_count(p->in[0]) / classes * sizeof(float));
        if (!err)
            err = fill(t, &t->border, SG_F32, p->border);
        t->io.border = inside(&t->border);
    }
    return err;
}

static sg_err make_buffers(bench *t)
{
    sg_err err = make_input_buffers(t);
    if (!err)
        err = make_param_buffers(t);
    if (!err)
        err = make_result_buffers(t);
    if (!err)
        err = make_loss_buffers(t);
    return err;
}

static sg_err fill_for_forward(bench *t)
{
    const op_problem *p = t->problem;
    sg_err err = SG_OK;
    for (int k = 0; !err && k < t->site.inputs; k++)
        err = fill(t, &t->in[k], t->site.in_type[k], p->value[k]);
    for (int k = 0; !err && k < p->node.params; k++)
        err = fill(t, &t->param[k], SG_F32, p->param[k]);
    if (!err)
        err = poison(t, &t->out);
    if (!err && t->saved.memory)
        err = poison(t, &t->saved);
    return err;
}

static sg_err fill_for_backward(bench *t)
{
    const op_problem *p = t->problem;
    int needs = sg_op_definition(p->row->op)->needs(&p->node);
    sg_err err = SG_OK;
    for (int k = 0; !err && k < t->site.inputs; k++) {
        if (!(needs & SG_NEEDS_INPUT))
            err = poison(t, &t->in[k]);
        if (!err && t->site.write[k] == SG_GRAD_ADD)
            err = fill(t, &t->grad_in[k], t->site.grad_type, p->prior[k]);
        else if (!err && t->grad_in[k].memory)
            err = poison(t, &t->grad_in[k]);
    }
    for (int k = 0; !err && k < p->node.params; k++)
        if (t->param_grad[k].memory)
            err = poison(t, &t->param_grad[k]);
    if (!err && t->grad_out.memory)
        err = fill(t, &t->grad_out, t->site.grad_type, p->grad_out);
    return err;
}

static sg_err read_floats(bench *t, const buffer *b, sg_dtype type, float **values)
{
    uint8_t *raw = NULL;
    if (!b->memory)
        return SG_OK;
    size_t size = sg_dtype_size(type), count = own_bytes(b) / size, bytes = b->bytes + 2 * GUARD;
    sg_err err = sg_malloc(bytes, 1, &raw);
    if (!err)
        err = sg_malloc(count, sizeof **values, values);
    if (!err)
        err = t->backend->download(t->backend, raw, b->memory, bytes);
    for (size_t i = 0; !err && i < count; i++)
        (*values)[i] = sg_load(raw + place_of(b, i * size), type, 0);
    sg_free(raw);
    return err;
}

static sg_err read_result(bench *t, op_result *result)
{
    const op_problem *p = t->problem;
    sg_err err = SG_OK;
    result->loss_sum = t->run.loss_sum;
    result->weight_sum = t->run.weight_sum;
    for (int k = 0; !err && k < t->site.inputs; k++)
        err = read_floats(t, &t->grad_in[k], t->site.grad_type, &result->grad_in[k]);
    for (int k = 0; !err && k < p->node.params; k++) {
        err = read_floats(t, &t->param_grad[k], SG_F32, &result->param_grad[k]);
        if (!err && op_param_is_state(p, k))
            err = read_floats(t, &t->param[k], SG_F32, &result->state[k]);
    }
    return err;
}

static sg_err run_forward(bench *t, const sg_kernel_def *kernel, void *state)
{
    const op_problem *p = t->problem;
    sg_err err = fill_for_forward(t);
    t->run.loss_sum = 0; /* losses add to it */
    if (!err && p->row->op == SG_OP_input)
        err = t->backend->load_input(t->backend, t->io.out, t->site.out_type, p->value[0],
                                     sg_shape_count(p->out));
    if (!err && kernel->refresh && p->node.params > 0)
        err = kernel->refresh(state, &t->site, &t->io);
    if (!err)
        err = kernel->forward(state, &t->site, &t->io);
    if (!err && kernel->report)
        err = kernel->report(state, &t->site, &t->io);
    if (!err)
        err = t->backend->synchronize(t->backend);
    return err;
}

static sg_err run_backward(bench *t, const sg_kernel_def *kernel, void *state)
{
    sg_err err = fill_for_backward(t);
    if (!err &&
        !(sg_op_definition(t->problem->row->op)->needs(&t->problem->node) & SG_NEEDS_OUTPUT))
        err = poison(t, &t->out);
    if (!err)
        err = kernel->backward(state, &t->site, &t->io);
    if (!err)
        err = t->backend->synchronize(t->backend);
    return err;
}

static sg_err run_once(bench *t, const sg_kernel_def *kernel, void *state, op_result *result)
{
    sg_err err = run_forward(t, kernel, state);
    if (!err)
        err = check_all(t);
    if (!err)
        err = read_floats(t, &t->out, t->site.out_type, &result->out);
    if (!err && t->site.training)
        err = run_backward(t, kernel, state);
    if (!err)
        err = check_all(t);
    if (!err)
        err = read_result(t, result);
    return err;
}

static bool same_bits(const float *a, const float *b, size_t count)
{
    return (!a && !b) || (a && b && memcmp(a, b, count * sizeof *a) == 0);
}

static const char *what_differs(const op_problem *p, const op_result *a, const op_result *b)
{
    const char *differs = NULL;
    if (!same_bits(a->out, b->out, sg_shape_count(p->out)))
        differs = "outputs";
    for (int k = 0; k < p->row->inputs; k++)
        if (!same_bits(a->grad_in[k], b->grad_in[k], sg_shape_count(p->in[k])))
            differs = "input gradients";
    for (int k = 0; k < p->node.params; k++)
        if (!same_bits(a->param_grad[k], b->param_grad[k], op_param_count(p, k)) ||
            !same_bits(a->state[k], b->state[k], op_param_count(p, k)))
            differs = "parameter gradients or states";
    return differs;
}

bool op_same_bits(const op_problem *problem, const op_result *a, const op_result *b)
{
    return what_differs(problem, a, b) == NULL;
}

static sg_err check_same(bench *t, const op_result *a, const op_result *b)
{
    const char *differs = what_differs(t->problem, a, b);
    if (!differs)
        return SG_OK;
    return sg_fail(SG_EINTERNAL, "%s on %s: %s of two runs on one kernel differ",
                   t->problem->row->name, t->backend->name, differs);
}

static void close_bench(bench *t)
{
    for (int k = 0; k < SG_MAX_INPUTS; k++) {
        close_buffer(t, &t->in[k]);
        close_buffer(t, &t->grad_in[k]);
    }
    for (int k = 0; k < SG_MAX_PARAMS; k++) {
        close_buffer(t, &t->param[k]);
        close_buffer(t, &t->param_grad[k]);
    }
    close_buffer(t, &t->out);
    close_buffer(t, &t->grad_out);
    close_buffer(t, &t->saved);
    close_buffer(t, &t->labels);
    close_buffer(t, &t->class_weight);
    close_buffer(t, &t->border);
}

static sg_err run_kernel(bench *t, const sg_kernel_def *kernel, void *state, op_result *result)
{
    op_result again = {0};
    if (t->options->forward_only) {
        sg_err failed = run_forward(t, kernel, state);
        result->loss_sum = t->run.loss_sum;
        return failed ? failed : read_floats(t, &t->out, t->site.out_type, &result->out);
    }
    sg_err err = run_once(t, kernel, state, result);
    /* hooks over ranks are collective: running them twice would need all ranks to do so */
    if (!err && !t->run.reduce) {
        err = run_once(t, kernel, state, &again);
        if (!err)
            err = check_same(t, result, &again);
    }
    op_result_close(&again);
    return err;
}

sg_err op_run(sg_backend *backend, const op_problem *problem, const op_options *options,
              op_result *result)
{
    const sg_kernel_def *kernel = backend->kernel[problem->row->op];
    bench t = {.backend = backend, .problem = problem, .options = options};
    void *state = NULL;
    *result = (op_result){0};
    if (!kernel || !kernel->forward || (options->training && !kernel->backward))
        return sg_fail(SG_EUNSUPPORTED, "%s: %s has no kernel for it", problem->row->name,
                       backend->name);
    make_site(&t);
    sg_err err = make_buffers(&t);
    if (!err && kernel->prepare)
        err = kernel->prepare(backend, &t.site, &state);
    if (!err)
        err = run_kernel(&t, kernel, state, result);
    if (kernel->release && state)
        kernel->release(state);
    close_bench(&t);
    if (err)
        op_result_close(result);
    return err;
}

void op_result_close(op_result *result)
{
    sg_free(result->out);
    for (int k = 0; k < SG_MAX_INPUTS; k++)
        sg_free(result->grad_in[k]);
    for (int k = 0; k < SG_MAX_PARAMS; k++) {
        sg_free(result->param_grad[k]);
        sg_free(result->state[k]);
    }
    *result = (op_result){0};
}
