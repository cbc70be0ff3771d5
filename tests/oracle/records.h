/*
 * A plain stream of named arrays for the oracle scripts: one line of JSON each, followed, where the
 * line has a "shape", by that many f32 values. See records.py. All [local].
 */
#ifndef SG_TEST_ORACLE_RECORDS_H
#define SG_TEST_ORACLE_RECORDS_H

#include <stdint.h>
#include <stdio.h>
#include "base/error.h"
#include "base/text.h"
#include "nn/tensor.h"

/* A line without numbers: a JSON object. */
sg_err record_line(FILE *file, const sg_text *json);
/* An array; `values` may be NULL, then nothing is written. */
sg_err record_array(FILE *file, const char *name, int dims, const int64_t *dim,
                    const float *values);
sg_err record_tensor(FILE *file, const char *name, sg_shape shape, const float *values);

#endif
