/*
 * Longer checks of whole networks on one backend, for machines with a GPU: many losses against the
 * reference, and tiles against the whole image. Independent of the test framework. [local]
 */
#ifndef SG_TEST_OP_WHOLE_H
#define SG_TEST_OP_WHOLE_H

#include "nn/backend.h"

/* The first 50 training losses in f32 of a small U-Net and of a DeepLabv3+ on ResNet-18, against
 * the reference's, by how much these move when weights are shaken: see losses.c. Prints how far
 * they are apart. Some minute of plain C on one core. SG_EINTERNAL. */
sg_err op_compare_losses(sg_backend *backend);

/* A network in f32 and in bf16, where the backend has it, on a whole image, on tiles of several
 * sizes with their halo, and on batches of tiles: the same bits of every probability. */
sg_err op_compare_tiles(sg_backend *backend);

#endif
