/*
 * Files in GDAL's memory ("/vsimem/..."): each process has its own, so what one makes is carried to
 * the others. [local]
 */
#ifndef SG_DATA_MEMORY_H
#define SG_DATA_MEMORY_H

#include "base/error.h"

/* A text file, and all of them below a folder, in a fixed order. */
sg_err sg_memory_put(const char *path, const char *text);
typedef sg_err (*sg_memory_fn)(void *user, const char *path, const char *text);
sg_err sg_memory_each(const char *folder, sg_memory_fn each, void *user);
/* The files that a raster in memory is made of: those in memory with their texts, others with NULL,
 * each after what it is a part of. */
sg_err sg_memory_sources(const char *path, sg_memory_fn each, void *user);
/* Remove a folder with all that is in it. */
void sg_memory_forget(const char *folder);

#endif
