/*
 * Both convolution operators: three passes, biases and fused activations. For conv.c and
 * conv_transpose.c. [local]
 */
#ifndef SG_CPU_CONVOLUTION_H
#define SG_CPU_CONVOLUTION_H

#include "cpu/conv_pass.h"

sg_err sg_cpu_convolution_prepare(sg_cpu *cpu, const sg_site *site, bool transpose,
                                  const sg_kernel_def *reference, void **kernel);
sg_err sg_cpu_convolution_refresh(void *kernel, const sg_site *site, const sg_io *io);
sg_err sg_cpu_convolution_forward(void *kernel, const sg_site *site, const sg_io *io);
sg_err sg_cpu_convolution_backward(void *kernel, const sg_site *site, const sg_io *io);
void sg_cpu_convolution_release(void *kernel);

#endif
