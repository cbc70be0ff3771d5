/*
 * One optimizer step over the flat parameter buffer. The schedule and its policy live in train/;
 * here is only arithmetic, so that a backend can do it where the parameters are. [local]
 *
 * With g = gradient * gradient_scale, and for each parameter tensor its own rate and decay, which
 * are those of the step times the piece's factors:
 *
 *   SGD    (PyTorch SGD)               g += decay * p;  m = momentum * m + g  (m = g at the first
 *                                      step);  p -= rate * m;  nesterov: p -= rate * (g + momentum
 *                                      * m)
 *   ADAM   (Kingma & Ba 2015)          g += decay * p, then m, v and their bias corrections
 *   ADAMW  (Loshchilov & Hutter 2019)  p -= rate * decay * p, then as Adam without the decay
 *   LARS   (You, Gitman & Ginsburg 2017)  as SGD with trust * |p| / (|g| + decay * |p|) as factor
 *                                      on g + decay * p, before it joins m
 *   LAMB   (You et al. 2020)           r = Adam's quotient + decay * p;  p -= rate * |p| / |r| * r
 *
 * |.| is the Euclidean norm of a whole tensor; where one of both is 0, and in tensors that do not
 * decay (biases, scales, shifts), the factor is 1.
 */
#ifndef SG_NN_UPDATE_H
#define SG_NN_UPDATE_H

#include <stddef.h>
#include <stdint.h>

typedef enum { SG_SGD, SG_ADAM, SG_ADAMW, SG_LARS, SG_LAMB } sg_update_rule;

typedef struct {
    sg_update_rule rule;
    float rate, decay, momentum; /* momentum: SGD, LARS */
    int32_t nesterov;
    float beta1, beta2, epsilon; /* Adam, LAMB */
    float trust;                 /* LARS */
    float gradient_scale;        /* clipping and averaging folded into one factor */
    int64_t step;                /* 1 for the first */
} sg_update;

enum { SG_UPDATE_PIECE = 16384 };

/* A part of the flat buffers that belongs to one tensor. */
typedef struct {
    uint64_t offset;        /* of its first element */
    uint32_t count;         /* elements, at most SG_UPDATE_PIECE */
    uint32_t first, pieces; /* the tensor is piece[first .. first + pieces) */
    float rate;             /* factor on the step's; 0: the tensor is frozen */
    float decay;            /* factor on the step's, 0 or 1 */
} sg_update_piece;

/* What is stepped, in the backend's memory. v: NULL for SGD and LARS. */
typedef struct {
    float *param;
    const float *gradient;
    float *m, *v;
    const sg_update_piece *piece; /* [pieces]; elements of no piece are left alone */
    int32_t pieces;
    double *norms; /* [2 * pieces] for what is summed before a step and within it */
} sg_update_arrays;

/* Is there anything to sum over tensors before the parameters change? LARS and LAMB. */
static inline int sg_update_sums(const sg_update *update)
{
    return update->rule >= SG_LARS;
}

/* For pieces [begin, end): the sums, where there are any; then, when those of all pieces are there,
 * the step. Neither depends on how the pieces are shared out. */
void sg_update_sum(const sg_update *update, const sg_update_arrays *arrays, int64_t begin,
                   int64_t end);
void sg_update_apply(const sg_update *update, const sg_update_arrays *arrays, int64_t begin,
                     int64_t end);

/* Sums of the squares of the gradient of pieces [begin, end), 0 of frozen ones, into norms[piece];
 * their sum in order is the square of the gradient's norm. */
void sg_update_squares(const sg_update_arrays *arrays, int64_t begin, int64_t end);

/* What a step needs that does not depend on the element. */
typedef struct {
    float rate, decay;     /* of the piece */
    float mean_correction; /* Adam, LAMB: 1 / (1 - beta1^step) */
    float root_correction; /* and 1 / sqrt(1 - beta2^step) */
    float step_size;       /* rate * mean_correction */
} sg_update_constants;

sg_update_constants sg_update_constants_of(const sg_update *update, const sg_update_piece *piece);
/* The factor of LARS and LAMB, from the sums of the tensor's pieces; 1 for other rules. */
float sg_update_adapt(const sg_update *update, const sg_update_piece *piece, const double *norms);

/* One step of a running mean: mean += share * (value - mean); share 1 copies. */
void sg_average_apply(size_t count, float *mean, const float *value, float share);

#endif
