/*
 * One optimizer step over the flat parameter buffer. The schedule and its policy live in train/;
 * here is only arithmetic, so that a backend can do it where the parameters are. [local]
 *
 * g = gradient * gradient_scale, then
 *   SGD   (PyTorch SGD):   g += decay * p;  m = momentum * m + g (m = g at the first step);  p -=
 * rate * m nesterov: p -= rate * (g + momentum * m) ADAM  (Kingma & Ba 2015, PyTorch Adam):  g +=
 * decay * p, then m, v, bias corrections ADAMW (Loshchilov & Hutter 2019):        p -= rate * decay
 * * p, then as Adam without the decay
 */
#ifndef SG_NN_UPDATE_H
#define SG_NN_UPDATE_H

#include <stddef.h>
#include <stdint.h>

typedef enum { SG_SGD, SG_ADAM, SG_ADAMW } sg_update_rule;

typedef struct {
    sg_update_rule rule;
    float rate, decay, momentum; /* momentum: SGD */
    int32_t nesterov;
    float beta1, beta2, epsilon; /* Adam */
    float gradient_scale;        /* clipping and averaging folded into one factor */
    int64_t step;                /* 1 for the first */
} sg_update;

/* For elements [0, count): m and v are f32 state of the same length (v may be NULL for SGD);
 * decays is 1 where weight decay applies. */
void sg_update_apply(const sg_update *update, size_t count, float *param, const float *gradient,
                     float *m, float *v, const uint8_t *decays);

/* One step of a running mean: mean += share * (value - mean); share 1 copies. */
void sg_average_apply(size_t count, float *mean, const float *value, float share);

#endif
