/*
 * Element by element in f32, no sums across elements: the result does not depend on how the range
 * is cut among threads. The bias corrections of Adam are made in f64 once per call.
 */
#include "nn/update.h"

#include <math.h>
#include <string.h>

typedef struct {
    float rate, decay, scale; /* scale: factor on the gradient */
    float beta1, beta2, epsilon;
    float step_size;       /* rate / (1 - beta1^step) */
    float root_correction; /* 1 / sqrt(1 - beta2^step) */
} adam;

static void apply_sgd(const sg_update *u, size_t count, float *restrict param,
                      const float *restrict gradient, float *restrict m,
                      const uint8_t *restrict decays)
{
    float rate = u->rate, decay = u->decay, scale = u->gradient_scale, keep = u->momentum;
    float of_g = u->nesterov ? 1 : 0, of_m = u->nesterov ? u->momentum : 1;
    if (u->step <= 1)
        memset(m, 0, count * sizeof *m);
    for (size_t i = 0; i < count; i++) {
        float p = param[i];
        float g = gradient[i] * scale + decay * (float)decays[i] * p;
        m[i] = keep * m[i] + g;
        param[i] = p - rate * (of_g * g + of_m * m[i]);
    }
}

/* `inside`: decay joins the gradient (Adam); else it shrinks the parameter (AdamW). */
static void apply_adam(const adam *a, int inside, size_t count, float *restrict param,
                       const float *restrict gradient, float *restrict m, float *restrict v,
                       const uint8_t *restrict decays)
{
    float in_gradient = inside ? a->decay : 0;
    float shrink = inside ? 0 : a->rate * a->decay;
    float beta1 = a->beta1, beta2 = a->beta2, rest1 = 1 - beta1, rest2 = 1 - beta2;
    float scale = a->scale, epsilon = a->epsilon;
    float step_size = a->step_size, root_correction = a->root_correction;
    for (size_t i = 0; i < count; i++) {
        float p = param[i];
        float decayed = (float)decays[i] * p;
        float g = gradient[i] * scale + in_gradient * decayed;
        float mean = beta1 * m[i] + rest1 * g;
        float square = beta2 * v[i] + rest2 * (g * g);
        m[i] = mean;
        v[i] = square;
        float spread = sqrtf(square) * root_correction + epsilon;
        param[i] = p - shrink * decayed - step_size * (mean / spread);
    }
}

static adam adam_of(const sg_update *u)
{
    double step = (double)u->step;
    double correction1 = 1 - pow((double)u->beta1, step);
    double correction2 = 1 - pow((double)u->beta2, step);
    return (adam){.rate = u->rate,
                  .decay = u->decay,
                  .scale = u->gradient_scale,
                  .beta1 = u->beta1,
                  .beta2 = u->beta2,
                  .epsilon = u->epsilon,
                  .step_size = (float)((double)u->rate / correction1),
                  .root_correction = (float)(1 / sqrt(correction2))};
}

void sg_update_apply(const sg_update *update, size_t count, float *param, const float *gradient,
                     float *m, float *v, const uint8_t *decays)
{
    if (update->rule == SG_SGD) {
        apply_sgd(update, count, param, gradient, m, decays);
        return;
    }
    adam a = adam_of(update);
    apply_adam(&a, update->rule == SG_ADAM, count, param, gradient, m, v, decays);
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
