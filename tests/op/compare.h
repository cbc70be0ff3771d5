/*
 * One case on one backend against the reference in f32: forward pass, every gradient, stored and
 * added, and prediction. Independent of the test framework. All [local].
 */
#ifndef SG_TEST_OP_COMPARE_H
#define SG_TEST_OP_COMPARE_H

#include "op/harness.h"

/* SG_EINTERNAL, saying which element differs by how much. *ran is false where the backend refuses
 * the case in bf16, which it may; in f32 a refusal is an error. */
sg_err op_compare(sg_backend *backend, sg_dtype type, const op_case *row, bool *ran);

#endif
