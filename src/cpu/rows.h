/*
 * Rows of tensor elements as f32. Kernels work on runs of at most SG_ROW elements: an f32 tensor is
 * used where it lies, a bf16 one passes through a buffer that stays in the first-level cache. So
 * every loop is written once, in f32, for both formats. [local]
 *
 * Numerical contract: one element's result depends on that element's operands alone, not on where
 * in a row it stands: loops use no reassociated sums, and vector and scalar code round alike
 * (multiplies and adds are never contracted).
 */
#ifndef SG_CPU_ROWS_H
#define SG_CPU_ROWS_H

#include "nn/backend.h"

/* Compile a function for the vector units it may meet; the best one is chosen when the program is
 * loaded. The function must be a leaf: what it calls is not cloned unless it is inlined. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define SG_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SG_CLONES
#endif

enum { SG_ROW = 1024 }; /* elements of a row buffer */

/* Elements [index, index + count) of tensor: in place for f32, else converted into buffer. */
const float *sg_row_load(const void *tensor, sg_dtype type, size_t index, size_t count,
                         float *buffer);
/* Where to compute the same elements before sg_row_store: in the tensor for f32, else buffer. */
float *sg_row_target(void *tensor, sg_dtype type, size_t index, float *buffer);
/* Put a row into the tensor, which may be where it stands already. */
void sg_row_store(void *tensor, sg_dtype type, size_t index, size_t count, const float *row);
/* The same pair for gradients: SG_GRAD_ADD adds the row to what the tensor holds. */
float *sg_row_gradient(void *tensor, sg_dtype type, sg_grad_write write, size_t index,
                       float *buffer);
void sg_row_put(void *tensor, sg_dtype type, sg_grad_write write, size_t index, size_t count,
                const float *row);

void sg_row_convert_up(const uint16_t *from, size_t count, float *to);
void sg_row_convert_down(const float *from, size_t count, uint16_t *to);
void sg_row_add(float *sum, const float *part, size_t count);
/* row = act(row) */
void sg_row_act(int32_t act, float *row, size_t count);
/* gradient = slope(y) * upstream, where y = act(x) is known; silu wants x instead. */
void sg_row_act_gradient(int32_t act, const float *y, const float *upstream, float *gradient,
                         size_t count);
/* row = exp(row); relative error below 2e-7, 0 below -87.33, held at +88.37. */
void sg_row_exp(float *row, size_t count);
/* row = log(row) for normal positive numbers; error below 2e-7 of the result or absolute. */
void sg_row_log(float *row, size_t count);

#endif
