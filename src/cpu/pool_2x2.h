/*
 * Max pooling of 2x2 windows, stride 2, without padding: the pooling of U-Nets, where every input
 * pixel of an even-sized image is in one window. Whole runs of pixels at a time. [local]
 */
#ifndef SG_CPU_POOL_2X2_H
#define SG_CPU_POOL_2X2_H

#include "cpu/device.h"

bool sg_pool_2x2_serves(const sg_site *site);
/* saved: as in pool.c. */
void sg_pool_2x2_forward(const sg_cpu *cpu, const sg_site *site, const sg_io *io);
void sg_pool_2x2_backward(const sg_cpu *cpu, const sg_site *site, const sg_io *io);

#endif
