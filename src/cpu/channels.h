/*
 * Sums over pixels, one per channel. [local]
 *
 * Numerical contract. Pixels are cut into blocks that depend on the shape alone; a block is summed
 * in f32 over short runs and in f64 from run to run, and the blocks are added in order in f64: the
 * same bits for any number of threads.
 */
#ifndef SG_CPU_CHANNELS_H
#define SG_CPU_CHANNELS_H

#include "cpu/device.h"

/* Blocks that `pixels` are cut into, at most 128, and the pixels of one. */
int64_t sg_channel_blocks(int64_t pixels, int64_t *block);

/* sum[j] += row[i * c + j] over i < pixels, in f32. */
void sg_channel_add(const float *rows, int64_t pixels, int64_t c, float *sum);

size_t sg_channel_sums_scratch(sg_shape shape); /* bytes */
/* sum[j] = sum of the tensor's channel j. */
void sg_channel_sums(const sg_cpu *cpu, const void *tensor, sg_dtype type, sg_shape shape,
                     void *scratch, float *sum);

#endif
