/*
 * A whole network on one backend against the reference: what the table of operators cannot show,
 * the executor's use of a backend's memory, streams and calls. Independent of the test framework.
 * [local]
 */
#ifndef SG_TEST_OP_NETWORK_H
#define SG_TEST_OP_NETWORK_H

#include "nn/backend.h"

/* The losses of some training steps of a small U-Net, from the same weights on the same batch:
 * within the rounding of f32, or of bf16. SG_EINTERNAL says which step differs by how much. */
sg_err op_compare_training(sg_backend *backend, sg_dtype type);

/* Passes that a backend repeats from a recording give the bits of passes that it does not; nothing
 * where it offers no such thing. */
sg_err op_compare_recordings(sg_backend *backend, sg_dtype type);

/* Its predictions in f32: classes but for near ties, probabilities within the rounding, and the
 * same bits for a sample alone and in a batch. */
sg_err op_compare_prediction(sg_backend *backend);

/* Whole networks whose tensors lie side by side where the backend can do with that, against the
 * same where all are copied: the same losses and weights, to the bit. SG_EINTERNAL also when there
 * was nothing to lay side by side though the backend says it can. */
sg_err op_compare_beside(sg_backend *backend, sg_dtype type);

#endif
