/*
 * A backend's calls that compute but are no operators, against the reference or plain loops:
 * accumulate, classify, the optimizers, the gradient's norm, the running mean, lanes, copies larger
 * than any buffer in between. Independent of the test framework. [local]
 */
#ifndef SG_TEST_OP_CALLS_H
#define SG_TEST_OP_CALLS_H

#include "nn/backend.h"

/* SG_EINTERNAL says which call differs, and where. */
sg_err op_compare_calls(sg_backend *backend);

#endif
