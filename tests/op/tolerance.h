/*
 * How far a backend's numbers may lie from the reference's, derived from the number format and the
 * length of the sums. All [local].
 *
 * An element that is a sum of K products with rounding errors of at most u each differs from the
 * exact sum by at most lambda * sqrt(K) * u * M, M the sum of the products' magnitudes, with
 * probability 1 - 2 exp(-lambda^2 / 2) per element (Higham and Mary, "A new approach to
 * probabilistic rounding error analysis", SIAM J. Sci. Comput. 41, 2019). We take lambda = 6: about
 * 1e-8 per element, for some 1e5 elements. K gets 8 more for the evaluation of functions and of the
 * surrounding arithmetic. Accumulation is f32 in every backend (u = 2^-24), so a bf16 run adds only
 * the rounding of what is stored as bf16 (u = 2^-8): the result itself, and, where an activation is
 * fused or softmax is differentiated, the gradient before it and the output that its slope is
 * computed from.
 */
#ifndef SG_TEST_OP_TOLERANCE_H
#define SG_TEST_OP_TOLERANCE_H

#include "op/harness.h"

/* M per element, from the reference in f32: of linear operators by running them on magnitudes.
 * options: their type is not used. */
sg_err op_magnitudes(const op_problem *problem, const op_options *options, op_result *magnitude);

typedef enum { OP_OUT, OP_GRAD_IN, OP_PARAM_GRAD, OP_STATE } op_quantity;

/* K of the sums in a quantity. */
double op_sum_length(const op_problem *problem, op_quantity quantity);

/* The bound for one element: value is the reference's, magnitude its M, type the backend's. */
double op_tolerance(const op_problem *problem, op_quantity quantity, sg_dtype type, double value,
                    double magnitude);

#endif
