#include "op/tolerance.h"

#include <math.h>
#include "base/size.h"

static const double lambda = 6;
static const double u_f32 = 0x1p-24, u_bf16 = 0x1p-8;

typedef struct {
    double out, grad_in, param_grad;
} lengths;

static lengths window_lengths(const op_problem *p)
{
    const sg_window_attr *w = &p->row->attr.window;
    double area = (double)w->kernel_h * w->kernel_w;
    double pixels = (double)(p->out.n * p->out.h * p->out.w);
    return (lengths){area * (double)p->in[0].c + 1, area * (double)p->out.c, pixels};
}

static lengths pool_lengths(const op_problem *p)
{
    double area = (double)p->row->attr.window.kernel_h * p->row->attr.window.kernel_w;
    return (lengths){area, area, 0};
}

static lengths norm_lengths(const op_problem *p)
{
    double pixels = (double)(p->out.n * p->out.h * p->out.w);
    return (lengths){pixels, pixels, pixels};
}

static lengths group_lengths(const op_problem *p)
{
    double pixels = (double)(p->out.h * p->out.w);
    double group = pixels * (double)p->out.c / p->row->attr.group_norm.groups;
    return (lengths){group, group, pixels * (double)p->out.n};
}

static lengths image_lengths(const op_problem *p)
{
    return (lengths){(double)(p->in[0].h * p->in[0].w), 1, 0};
}

/* Every output reads four inputs; an input is read by 2 * scale outputs each way. */
static lengths resize_lengths(const op_problem *p)
{
    double rows = 2 * ceil((double)p->out.h / (double)p->in[0].h);
    double columns = 2 * ceil((double)p->out.w / (double)p->in[0].w);
    return (lengths){4, rows * columns, 0};
}

static lengths channel_lengths(const op_problem *p)
{
    return (lengths){(double)p->in[0].c, (double)p->in[0].c, 0};
}

static lengths input_lengths(const op_problem *p)
{
    return (lengths){p->row->inputs, 1, 0};
}

static lengths (*const lengths_of[SG_OP_COUNT])(const op_problem *) = {
    [SG_OP_input] = input_lengths,
    [SG_OP_conv] = window_lengths,
    [SG_OP_conv_transpose] = window_lengths,
    [SG_OP_batch_norm] = norm_lengths,
    [SG_OP_activation] = input_lengths,
    [SG_OP_max_pool] = pool_lengths,
    [SG_OP_avg_pool] = pool_lengths,
    [SG_OP_global_pool] = image_lengths,
    [SG_OP_resize] = resize_lengths,
    [SG_OP_concat] = input_lengths,
    [SG_OP_add] = input_lengths,
    [SG_OP_dropout] = input_lengths,
    [SG_OP_softmax] = channel_lengths,
    [SG_OP_softmax_loss] = channel_lengths,
    [SG_OP_region_loss] = channel_lengths,
    [SG_OP_lovasz_loss] = channel_lengths,
    [SG_OP_group_norm] = group_lengths,
    [SG_OP_crop] = input_lengths,
};

double op_sum_length(const op_problem *p, op_quantity quantity)
{
    lengths l = lengths_of[p->row->op](p);
    double extra = 8;
    if (quantity == OP_GRAD_IN)
        return l.grad_in + extra;
    if (quantity == OP_PARAM_GRAD)
        return l.param_grad + extra;
    return l.out + extra; /* running statistics are sums over the same pixels as the output */
}

double op_tolerance(const op_problem *p, op_quantity quantity, sg_dtype type, double value,
                    double magnitude)
{
    bool stored_f32 = quantity == OP_PARAM_GRAD || quantity == OP_STATE ||
                      (quantity == OP_OUT && p->node.out_f32);
    bool gradient = quantity == OP_GRAD_IN || quantity == OP_PARAM_GRAD;
    double bound = lambda * sqrt(op_sum_length(p, quantity)) * u_f32 * magnitude;
    if (type == SG_BF16 && !stored_f32)
        bound += u_bf16 * fabs(value);
    else
        bound += u_f32 * fabs(value);
    bool from_rounded = p->row->act != SG_ACT_NONE || p->row->op == SG_OP_softmax;
    if (type == SG_BF16 && gradient && from_rounded)
        bound += 2 * u_bf16 * magnitude;
    return bound;
}

static float most(const float *values, size_t count)
{
    float largest = 0;
    for (size_t i = 0; values && i < count; i++)
        largest = fmaxf(largest, fabsf(values[i]));
    return largest;
}

static void set(float *values, size_t count, double value)
{
    for (size_t i = 0; values && i < count; i++)
        values[i] = (float)value;
}

static void magnitude_of(float *values, size_t count)
{
    for (size_t i = 0; values && i < count; i++)
        values[i] = fabsf(values[i]);
}

static void scale(float *values, size_t count, float factor)
{
    for (size_t i = 0; values && i < count; i++)
        values[i] *= factor;
}

/* Linear operators, run on magnitudes without their activation; an activation of at most slope
 * 1.1 (silu's) multiplies what comes out, and its value lies within 1 of a linear function. */
static void linear(op_problem *p)
{
    for (int32_t k = 0; k < p->row->inputs; k++)
        magnitude_of(p->value[k], sg_shape_count(p->in[k]));
    for (int32_t k = 0; k < p->node.params; k++)
        magnitude_of(p->param[k], op_param_count(p, k));
    magnitude_of(p->grad_out, sg_shape_count(p->out));
    p->node.act = SG_ACT_NONE;
}

/* Which input is taken depends on the values: only the gradients become magnitudes. */
static void selecting(op_problem *p)
{
    magnitude_of(p->grad_out, sg_shape_count(p->out));
}

static void pooling(op_problem *p)
{
    if (p->row->attr.global.kind == SG_POOL_MEAN)
        linear(p);
    else
        selecting(p);
}

/* The largest |x| * inverse deviation: what an error in x - mean is multiplied by. */
static double norm_amplification(const op_problem *p, bool training)
{
    size_t c = (size_t)p->out.c, pixels = sg_shape_count(p->out) / c;
    double worst = 0;
    for (size_t j = 0; j < c; j++) {
        double mean = 0, variance = 0, largest = 0;
        for (size_t i = 0; i < pixels; i++) {
            mean += p->value[0][i * c + j] / (double)pixels;
            largest = fmax(largest, fabs(p->value[0][i * c + j]));
        }
        for (size_t i = 0; i < pixels; i++)
            variance += pow(p->value[0][i * c + j] - mean, 2) / (double)pixels;
        if (!training)
            variance = p->param[3][j];
        worst = fmax(worst,
                     (largest + fabs(p->param[2][j])) / sqrt(variance + p->node.attr.norm.epsilon));
    }
    return worst;
}

/* Bounds of normalised values: |xhat| is at most sqrt(pixels - 1). */
static void norm_bounds(const op_problem *p, op_result *m)
{
    size_t c = (size_t)p->out.c, count = sg_shape_count(p->out), pixels = count / c;
    bool training = m->param_grad[0] != NULL;
    double a = norm_amplification(p, training), x = most(p->value[0], count);
    double normal = training ? fmin(a, sqrt((double)pixels)) : a;
    double gradient = 1.1 * most(p->grad_out, count), gain = most(p->param[0], c);
    double inverse = a / fmax(x, 1e-30);
    set(m->out, count, a * gain + most(p->param[1], c) + 1);
    set(m->grad_in[0], count, gain * inverse * gradient * (2 + normal * normal) * (1 + a));
    set(m->param_grad[0], c, (double)pixels * gradient * (1 + a));
    set(m->param_grad[1], c, (double)pixels * gradient);
    set(m->state[2], c, x);
    /* the error of a variance by centred squares is relative to it, and to x * deviation */
    set(m->state[3], c, 1.5 + 4 * x * x / fmax(a, 1));
}

/* The largest |x| / deviation of a group of an image. */
static double group_amplification(const op_problem *p)
{
    size_t c = (size_t)p->out.c, pixels = (size_t)(p->out.h * p->out.w);
    size_t groups = (size_t)p->node.attr.group_norm.groups, width = c / groups;
    double worst = 0, each = (double)(pixels * width);
    for (size_t g = 0; g < (size_t)p->out.n * groups; g++) {
        const float *x = p->value[0] + g / groups * pixels * c + g % groups * width;
        double mean = 0, variance = 0, largest = 0;
        for (size_t i = 0; i < pixels * width; i++) {
            mean += x[i / width * c + i % width] / each;
            largest = fmax(largest, fabs(x[i / width * c + i % width]));
        }
        for (size_t i = 0; i < pixels * width; i++)
            variance += pow(x[i / width * c + i % width] - mean, 2) / each;
        worst = fmax(worst, largest / sqrt(variance + p->node.attr.group_norm.epsilon));
    }
    return worst;
}

/* As norm_bounds, with groups in the place of channels; gradients of scale and shift are sums over
 * images as well. */
static void group_bounds(const op_problem *p, op_result *m)
{
    size_t c = (size_t)p->out.c, count = sg_shape_count(p->out);
    double pixels = (double)(count / c),
           group = (double)(p->out.h * p->out.w) * (double)c / p->node.attr.group_norm.groups;
    double a = group_amplification(p), x = most(p->value[0], count);
    double normal = fmin(a, sqrt(group)), gain = most(p->param[0], c);
    double gradient = 1.1 * most(p->grad_out, count), inverse = a / fmax(x, 1e-30);
    set(m->out, count, a * gain + most(p->param[1], c) + 1);
    set(m->grad_in[0], count, gain * inverse * gradient * (2 + normal * normal) * (1 + a));
    set(m->param_grad[0], c, pixels * gradient * (1 + a));
    set(m->param_grad[1], c, pixels * gradient);
}

static void activation_bounds(const op_problem *p, op_result *m)
{
    size_t count = sg_shape_count(p->out);
    set(m->out, count, 1 + most(p->value[0], count));
    set(m->grad_in[0], count, 1.1 * most(p->grad_out, count));
}

static double loss_weight(const op_problem *p, double weight)
{
    size_t pixels = sg_shape_count(p->in[0]) / (size_t)p->in[0].c;
    return (weight + most(p->border, pixels)) * p->row->attr.loss.weight;
}

/* exp(x - largest) has a relative error of u times the spread of the values. */
static void softmax_bounds(const op_problem *p, op_result *m)
{
    size_t count = sg_shape_count(p->in[0]);
    double spread = 2 + 2 * most(p->value[0], count);
    double weight = p->class_weight ? most(p->class_weight, (size_t)p->in[0].c) : 1;
    if (p->labels)
        weight = loss_weight(p, weight);
    if (!p->labels) {
        /* dx = y * (dy - sum(dy * y)): every term has the factor y */
        for (size_t i = 0; m->grad_in[0] && i < count; i++)
            m->grad_in[0][i] = 3 * most(p->grad_out, count) * m->out[i];
        set(m->out, count, spread);
        return;
    }
    double pixels = (double)(count / (size_t)p->in[0].c);
    set(m->out, 1, pixels * weight * spread);
    set(m->grad_in[0], count, p->loss_scale * weight * spread);
}

/*
 * The fraction of a class with n pixels has at least min(1, beta) n + smooth below, and no more
 * above, so that a share's slope is at most W / present / below * (2 + 2 alpha + beta); the
 * gradient is that times differences of shares, whose relative error is that of exp.
 */
static void region_bounds(const op_problem *p, op_result *m)
{
    const sg_loss_attr *a = &p->row->attr.loss;
    size_t classes = (size_t)p->in[0].c, pixels = sg_shape_count(p->in[0]) / classes;
    double count[SG_MAX_CLASSES] = {0}, present = 0, sum = 0, slope = 0;
    softmax_bounds(p, m);
    for (size_t i = 0; i < pixels; i++) {
        if (p->labels[i] == SG_IGNORE_LABEL)
            continue;
        present += count[p->labels[i]]++ == 0;
        sum += p->class_weight ? p->class_weight[p->labels[i]] : 1;
    }
    for (size_t c = 0; c < classes; c++)
        if (count[c] > 0)
            slope = fmax(slope, sum / present / (fmin(1, a->beta) * count[c] + a->smooth) *
                                    (2 + 2 * a->alpha + a->beta));
    double spread = 2 + 2 * most(p->value[0], pixels * classes);
    set(m->grad_in[0], pixels * classes, 2 * p->loss_scale * a->weight * spread * slope);
}

typedef struct {
    void (*before)(op_problem *); /* run on these numbers instead */
    void (*after)(const op_problem *, op_result *);
} rule;

static const rule rules[SG_OP_COUNT] = {
    [SG_OP_input] = {linear, NULL},
    [SG_OP_conv] = {linear, NULL},
    [SG_OP_conv_transpose] = {linear, NULL},
    [SG_OP_batch_norm] = {NULL, norm_bounds},
    [SG_OP_activation] = {NULL, activation_bounds},
    [SG_OP_max_pool] = {selecting, NULL},
    [SG_OP_avg_pool] = {linear, NULL},
    [SG_OP_global_pool] = {pooling, NULL},
    [SG_OP_resize] = {linear, NULL},
    [SG_OP_concat] = {linear, NULL},
    [SG_OP_add] = {linear, NULL},
    [SG_OP_dropout] = {linear, NULL},
    [SG_OP_softmax] = {NULL, softmax_bounds},
    [SG_OP_softmax_loss] = {NULL, softmax_bounds},
    [SG_OP_region_loss] = {NULL, region_bounds},
    [SG_OP_lovasz_loss] = {NULL, softmax_bounds},
    [SG_OP_group_norm] = {NULL, group_bounds},
    [SG_OP_crop] = {linear, NULL},
};

static void finish(const op_problem *p, op_result *m)
{
    for (int32_t k = 0; k < p->row->inputs; k++) {
        magnitude_of(m->grad_in[k], sg_shape_count(p->in[k]));
        scale(m->grad_in[k], sg_shape_count(p->in[k]), p->row->act ? 1.1f : 1);
    }
    for (int32_t k = 0; k < p->node.params; k++)
        scale(m->param_grad[k], op_param_count(p, k), p->row->act ? 1.1f : 1);
    size_t count = sg_shape_count(p->out);
    magnitude_of(m->out, count);
    for (size_t i = 0; p->row->act && i < count; i++)
        m->out[i] = 1.1f * m->out[i] + 1;
}

sg_err op_magnitudes(const op_problem *problem, const op_options *options, op_result *magnitude)
{
    op_problem p;
    sg_backend *reference = NULL;
    op_options f32 = *options;
    f32.type = SG_F32;
    if (options->write != SG_GRAD_NONE)
        f32.write = SG_GRAD_STORE;
    *magnitude = (op_result){0};
    sg_err err = op_problem_create(problem->row, problem->rounded, &p);
    if (err)
        return err;
    if (rules[p.row->op].before)
        rules[p.row->op].before(&p);
    err = sg_reference_open(&reference);
    if (!err)
        err = op_run(reference, &p, &f32, magnitude);
    if (!err && rules[p.row->op].after)
        rules[p.row->op].after(&p, magnitude);
    else if (!err)
        finish(&p, magnitude);
    sg_backend_close(reference);
    op_problem_close(&p);
    return err;
}
