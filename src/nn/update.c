/*
 * Element by element in f32. Norms are summed in f64, over the elements of a piece in order, then
 * over the pieces of a tensor in order: they do not depend on who sums which piece. The bias
 * corrections of Adam are made in f64.
 */
#include "nn/update.h"

#include <math.h>
#include <string.h>

/* One piece of the buffers. */
typedef struct {
    const sg_update *u;
    sg_update_constants k;
    float adapt;
    size_t count;
    float *restrict param;
    const float *restrict gradient;
    float *restrict m, *restrict v;
} work;

static double sum_norms(const sg_update_piece *piece, const double *norms, int which)
{
    double sum = 0;
    for (uint32_t i = piece->first; i < piece->first + piece->pieces; i++)
        sum += norms[2 * (size_t)i + (size_t)which];
    return sqrt(sum);
}

/* LARS: norms of p and g; LAMB: of p and r. */
float sg_update_adapt(const sg_update *u, const sg_update_piece *piece, const double *norms)
{
    double p, g;
    if (!sg_update_sums(u) || piece->decay == 0)
        return 1;
    p = sum_norms(piece, norms, 0);
    g = sum_norms(piece, norms, 1);
    if (p == 0 || g == 0)
        return 1;
    return (float)(u->rule == SG_LARS ? (double)u->trust * p / (g + (double)u->decay * p) : p / g);
}

sg_update_constants sg_update_constants_of(const sg_update *u, const sg_update_piece *piece)
{
    sg_update_constants k = {.rate = u->rate * piece->rate, .decay = u->decay * piece->decay};
    if (u->rule != SG_SGD && u->rule != SG_LARS) {
        double correction = 1 - pow((double)u->beta1, (double)u->step);
        k.mean_correction = (float)(1 / correction);
        k.step_size = (float)((double)k.rate / correction);
        k.root_correction = (float)(1 / sqrt(1 - pow((double)u->beta2, (double)u->step)));
    }
    return k;
}

/* LARS is SGD with its factor on the gradient. */
static void step_sgd(const work *w)
{
    const sg_update *u = w->u;
    float rate = w->k.rate, decay = w->k.decay, factor = w->adapt;
    float scale = u->gradient_scale, keep = u->momentum;
    float of_g = u->nesterov ? 1 : 0, of_m = u->nesterov ? u->momentum : 1;
    if (u->step <= 1)
        memset(w->m, 0, w->count * sizeof *w->m);
    for (size_t i = 0; i < w->count; i++) {
        float p = w->param[i];
        float g = factor * (w->gradient[i] * scale + decay * p);
        w->m[i] = keep * w->m[i] + g;
        w->param[i] = p - rate * (of_g * g + of_m * w->m[i]);
    }
}

/* `inside`: decay joins the gradient (Adam); else it shrinks the parameter (AdamW). */
static void step_adam(const work *w, int inside)
{
    const sg_update *u = w->u;
    float in_gradient = inside ? w->k.decay : 0;
    float shrink = inside ? 0 : w->k.rate * w->k.decay;
    float beta1 = u->beta1, beta2 = u->beta2, rest1 = 1 - beta1, rest2 = 1 - beta2;
    float scale = u->gradient_scale, epsilon = u->epsilon;
    float step_size = w->k.step_size, root_correction = w->k.root_correction;
    for (size_t i = 0; i < w->count; i++) {
        float p = w->param[i];
        float g = w->gradient[i] * scale + in_gradient * p;
        float mean = beta1 * w->m[i] + rest1 * g;
        float square = beta2 * w->v[i] + rest2 * (g * g);
        w->m[i] = mean;
        w->v[i] = square;
        float spread = sqrtf(square) * root_correction + epsilon;
        w->param[i] = p - shrink * p - step_size * (mean / spread);
    }
}

/* LAMB's r, once m and v are those of this step. */
static float lamb_r(const work *w, size_t i)
{
    float spread = sqrtf(w->v[i]) * w->k.root_correction + w->u->epsilon;
    return w->k.mean_correction * (w->m[i] / spread) + w->k.decay * w->param[i];
}

static void step_lamb(const work *w)
{
    float rate = w->k.rate * w->adapt;
    for (size_t i = 0; i < w->count; i++)
        w->param[i] -= rate * lamb_r(w, i);
}

static void sum_lars(const work *w, double *norms)
{
    double p = 0, g = 0;
    for (size_t i = 0; i < w->count; i++) {
        double scaled = (double)(w->gradient[i] * w->u->gradient_scale);
        p += (double)w->param[i] * (double)w->param[i];
        g += scaled * scaled;
    }
    norms[0] = p;
    norms[1] = g;
}

/* m and v take the gradient here. */
static void sum_lamb(const work *w, double *norms)
{
    const sg_update *u = w->u;
    double p = 0, sum = 0;
    for (size_t i = 0; i < w->count; i++) {
        float g = w->gradient[i] * u->gradient_scale;
        w->m[i] = u->beta1 * w->m[i] + (1 - u->beta1) * g;
        w->v[i] = u->beta2 * w->v[i] + (1 - u->beta2) * (g * g);
        double r = (double)lamb_r(w, i);
        p += (double)w->param[i] * (double)w->param[i];
        sum += r * r;
    }
    norms[0] = p;
    norms[1] = sum;
}

/* Several sums at once, so that they need not wait for one another. */
static double squares_of(const float *values, size_t count)
{
    enum { LANES = 8 };
    double lane[LANES] = {0}, sum = 0;
    size_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            lane[k] += (double)values[i + k] * (double)values[i + k];
    for (; i < count; i++)
        lane[0] += (double)values[i] * (double)values[i];
    for (size_t k = 0; k < LANES; k++)
        sum += lane[k];
    return sum;
}

void sg_update_squares(const sg_update_arrays *arrays, int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end; i++) {
        const sg_update_piece *piece = &arrays->piece[i];
        arrays->norms[i] =
            piece->rate == 0 ? 0 : squares_of(arrays->gradient + piece->offset, piece->count);
    }
}

static work work_on(const sg_update *u, const sg_update_arrays *a, const sg_update_piece *piece)
{
    size_t at = (size_t)piece->offset;
    return (work){.u = u,
                  .k = sg_update_constants_of(u, piece),
                  .count = piece->count,
                  .param = a->param + at,
                  .gradient = a->gradient + at,
                  .m = a->m + at,
                  .v = a->v ? a->v + at : NULL};
}

void sg_update_sum(const sg_update *u, const sg_update_arrays *arrays, int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end; i++) {
        work w = work_on(u, arrays, &arrays->piece[i]);
        if (arrays->piece[i].rate == 0)
            continue;
        if (u->rule == SG_LARS)
            sum_lars(&w, arrays->norms + 2 * i);
        else
            sum_lamb(&w, arrays->norms + 2 * i);
    }
}

void sg_update_apply(const sg_update *u, const sg_update_arrays *arrays, int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end; i++) {
        const sg_update_piece *piece = &arrays->piece[i];
        work w = work_on(u, arrays, piece);
        if (piece->rate == 0)
            continue;
        w.adapt = sg_update_adapt(u, piece, arrays->norms);
        if (u->rule == SG_SGD || u->rule == SG_LARS)
            step_sgd(&w);
        else if (u->rule == SG_LAMB)
            step_lamb(&w);
        else
            step_adam(&w, u->rule == SG_ADAM);
    }
}

void sg_average_apply(size_t count, float *mean, const float *value, float share)
{
    if (share == 1) { /* whatever the mean was, not a number included */
        memcpy(mean, value, count * sizeof *mean);
        return;
    }
    for (size_t i = 0; i < count; i++)
        mean[i] += share * (value[i] - mean[i]);
}
