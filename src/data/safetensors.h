/*
 * Files of named tensors in the safetensors format: 8 bytes of length, a JSON header, values. They
 * come from anywhere, so reading trusts nothing: everything is checked against the file's size
 * before it is used. Knows nothing of networks. Uses json-c. All [local].
 */
#ifndef SG_DATA_SAFETENSORS_H
#define SG_DATA_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

enum { SG_TENSOR_DIMS = 8 };

/* Types that can be read as numbers; files may hold others, such as counters of int64. */
typedef enum {
    SG_TENSOR_F32,
    SG_TENSOR_F64,
    SG_TENSOR_F16,
    SG_TENSOR_BF16,
    SG_TENSOR_OTHER
} sg_tensor_type;

typedef struct {
    const char *name; /* UTF-8; borrowed from the file */
    sg_tensor_type type;
    int32_t dims; /* 0: a single number */
    int64_t dim[SG_TENSOR_DIMS];
    size_t count;         /* elements */
    uint64_t begin, size; /* bytes, from the start of the file */
} sg_safetensor;

typedef struct sg_safetensors sg_safetensors;

/* SG_EINPUT, naming the file and the tensor: header that does not fit the file or is no JSON, names
 * given twice, unknown types, shapes that overflow, ranges outside the file, with gaps or on top of
 * each other. */
sg_err sg_safetensors_open(sg_safetensors **file, const char *path);
void sg_safetensors_close(sg_safetensors *file); /* NULL is fine */
/* Tensors in the order of their values in the file. */
size_t sg_safetensors_count(const sg_safetensors *file);
const sg_safetensor *sg_safetensors_at(const sg_safetensors *file, size_t index);
/* NULL where there is none of that name. */
const sg_safetensor *sg_safetensors_find(const sg_safetensors *file, const char *name);
/* All tensor->count values in row-major order. SG_EINPUT: the type is no real number, a value is
 * not finite (or too large for f32), the file has been cut since it was opened. */
sg_err sg_safetensors_read(const sg_safetensors *file, const sg_safetensor *tensor, float *values);

/*
 * Writing: the shapes first, then the values of each in the same order, as f32. Atomic. Metadata
 * says {"format": "pt"}, which readers for PyTorch expect.
 */
typedef struct sg_safetensors_writer sg_safetensors_writer;
/* name, dims and dim of the tensors are read; names differ. */
sg_err sg_safetensors_create(sg_safetensors_writer **writer, const char *path,
                             const sg_safetensor *tensor, size_t count);
sg_err sg_safetensors_put(sg_safetensors_writer *writer, const float *values, size_t count);
/* Flush, fsync, rename. The writer is closed in any case. */
sg_err sg_safetensors_commit(sg_safetensors_writer *writer);
void sg_safetensors_drop(sg_safetensors_writer *writer); /* what is unfinished; NULL is fine */

#endif
