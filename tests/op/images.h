/*
 * A backend's edges against plain arithmetic: images in, classes out, also with two batches on
 * their way at once. Independent of the test framework. [local]
 */
#ifndef SG_TEST_OP_IMAGES_H
#define SG_TEST_OP_IMAGES_H

#include "nn/backend.h"

/* Images of every type, turn and mask become the very numbers that they should; nothing where the
 * backend has no `load`. SG_EINTERNAL says which differs. */
sg_err op_compare_images(sg_backend *backend);
/* Results taken late are those of their own pass; nothing where there is no classify_begin. */
sg_err op_compare_results(sg_backend *backend);

#endif
