/*
 * Writing ONNX models (opset 13, IR 7: what runtimes since 2021 read). Knows of nodes and arrays,
 * not of networks. The first error stays in the model, and nothing more is added; saving returns
 * it. Texts are copied. All [local].
 */
#ifndef SG_DATA_ONNX_H
#define SG_DATA_ONNX_H

#include <stdbool.h>
#include "data/protobuf.h"

enum { SG_ONNX_DIMS = 4 };

typedef struct sg_onnx sg_onnx;

sg_err sg_onnx_create(sg_onnx **model, const char *graph_name);
void sg_onnx_close(sg_onnx *model); /* NULL is fine */

/* A node: begin, its inputs ("" for one left out), its outputs and attributes, end. One at a time.
 */
void sg_onnx_begin(sg_onnx *model, const char *op, const char *name);
void sg_onnx_input(sg_onnx *model, const char *name);
void sg_onnx_output(sg_onnx *model, const char *name);
void sg_onnx_set_int(sg_onnx *model, const char *name, int64_t value);
void sg_onnx_set_ints(sg_onnx *model, const char *name, int32_t count, const int64_t *value);
void sg_onnx_set_float(sg_onnx *model, const char *name, float value);
void sg_onnx_set_text(sg_onnx *model, const char *name, const char *value);
void sg_onnx_end(sg_onnx *model);

/* Constants. Of f32 only the shape is told: the values are asked for when the model is saved. */
void sg_onnx_add_ints(sg_onnx *model, const char *name, int32_t count, const int64_t *value);
void sg_onnx_add_floats(sg_onnx *model, const char *name, int32_t dims, const int64_t *dim,
                        size_t number);

/* The network's input or output, f32. A length is dim[i], or where that is 0 any, named text[i]. */
void sg_onnx_add_value(sg_onnx *model, bool output, const char *name,
                       const int64_t dim[SG_ONNX_DIMS], const char *const text[SG_ONNX_DIMS]);
void sg_onnx_add_metadata(sg_onnx *model, const char *key, const char *value);
sg_err sg_onnx_error(const sg_onnx *model);

/* Fill `values` of the array that was added with this number. */
typedef sg_err (*sg_onnx_fill_fn)(void *user, size_t number, float *values);
/* Atomic. SG_EUNSUPPORTED above 2 GiB, which a protobuf message cannot have. */
sg_err sg_onnx_save(sg_onnx *model, const char *path, sg_onnx_fill_fn fill, void *user);

#endif
