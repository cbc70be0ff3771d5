/*
 * HDF5 files of named arrays and texts: the only module with hdf5.h. Writing is atomic (temporary
 * name, flush, rename); each array carries a CRC-32 that reading checks. Knows nothing of networks.
 * A file belongs to one thread; several threads may each be at one of their own. All [local].
 */
#ifndef SG_DATA_STORE_H
#define SG_DATA_STORE_H

#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

typedef struct sg_store_file sg_store_file;

typedef enum { SG_STORE_F32, SG_STORE_F64, SG_STORE_I64, SG_STORE_U8 } sg_store_type;

/* Begin a new file; nothing appears at path before sg_store_commit. */
sg_err sg_store_create(sg_store_file **store, const char *path);
/* Names may have folders: "weights/encoder1.conv1.weight". dims 1 .. 4. */
sg_err sg_store_put(sg_store_file *store, const char *name, sg_store_type type, int32_t dims,
                    const int64_t *dim, const void *values);
sg_err sg_store_put_text(sg_store_file *store, const char *name, const char *text);
sg_err sg_store_put_i64(sg_store_file *store, const char *name, int64_t value);
sg_err sg_store_put_f64(sg_store_file *store, const char *name, double value);
/* Flush, fsync, rename. The store is closed in any case. */
sg_err sg_store_commit(sg_store_file *store);
/* The same; a file that is replaced stays under the name former (NULL: it goes). */
sg_err sg_store_replace(sg_store_file *store, const char *former);
/* Drop an unfinished file, or close one opened for reading. NULL is fine. */
void sg_store_close(sg_store_file *store);

/* SG_EINPUT: not an HDF5 file, truncated, checksum wrong, name missing, unexpected type or size. */
sg_err sg_store_open(sg_store_file **store, const char *path);
int sg_store_has(sg_store_file *store, const char *name);
/* dim receives the 4 lengths, 1 where unused. */
sg_err sg_store_shape(sg_store_file *store, const char *name, int64_t dim[4]);
sg_err sg_store_get(sg_store_file *store, const char *name, sg_store_type type, size_t count,
                    void *values);
sg_err sg_store_get_text(sg_store_file *store, const char *name, char **text); /* sg_free */
sg_err sg_store_get_i64(sg_store_file *store, const char *name, int64_t *value);
sg_err sg_store_get_f64(sg_store_file *store, const char *name, double *value);

#endif
