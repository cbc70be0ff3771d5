/*
 * Reference arithmetic of both convolutions. They differ in one thing only: which input position a
 * tap of the window reads. Plain: i = o * stride - pad + k * dilation. Transposed: i = (o + pad -
 * k) / stride where that divides. For op/conv.c and op/conv_transpose.c. [local]
 *
 * Numerical contract. Inputs, and weights where the input is bf16, are rounded to the tensor's
 * format; products and sums are f64, ordered by tap (row, column), then input channel for outputs,
 * by output pixel (n, h, w) for gradients; the bias (f32) and a plain one's second input are added,
 * the activation applied in f32, and the result rounded once. Parameter gradients are overwritten,
 * in f32.
 */
#ifndef SG_NN_CONV_REFERENCE_H
#define SG_NN_CONV_REFERENCE_H

#include "nn/backend.h"

sg_err sg_conv_prepare(const sg_site *site, void **kernel);
sg_err sg_conv_transpose_prepare(const sg_site *site, void **kernel);
sg_err sg_conv_forward(void *kernel, const sg_site *site, const sg_io *io);
sg_err sg_conv_backward(void *kernel, const sg_site *site, const sg_io *io);
void sg_conv_release(void *kernel);

#endif
