/* The backend that the test of the data-parallel step runs on: the same test is built once for
 * each. */
#ifndef SG_TEST_STEP_BACKEND_H
#define SG_TEST_STEP_BACKEND_H

#include "comm/comm.h"
#include "nn/backend.h"

bool step_backend_is_here(void);
/* has_face: 1 where the backend can be given the face of a device with memory of its own. */
sg_err step_backend_open(const sg_comm *comm, sg_backend **backend, int32_t *has_face);

#endif
