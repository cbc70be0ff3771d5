/*
 * What the files of this module share of an HDF5 file, and of HDF5 itself. The library is one for
 * the process and not made for threads, while a training writes checkpoints on one thread and reads
 * tiles on others: whoever calls it holds the lock, for single calls, never for a whole file. Not
 * for other modules. [local]
 */
#ifndef SG_DATA_STORE_PRIVATE_H
#define SG_DATA_STORE_PRIVATE_H

#include <hdf5.h>

#include "base/file.h"
#include "data/store.h"

struct sg_store_file {
    hid_t file;
    int writing;
    char path[SG_PATH_MAX];
    char temporary[SG_PATH_MAX];
};

enum { SG_STORE_DIMS = 4, SG_STORE_NAME = 256 /* bytes */ };

void sg_hdf5_lock(void); /* not to be taken twice */
void sg_hdf5_unlock(void);

/* What follows wants the lock. Errors name the file and the item. */
hid_t sg_store_file_type(sg_store_type type); /* HDF5's own, not to be closed */
size_t sg_store_type_size(sg_store_type type);
/* A fixed-length UTF-8 string with its terminating zero; to be closed. */
hid_t sg_store_text_type(size_t bytes);

/* Groups on the way to name. HDF5 could make them by itself, but would put the time into them. */
sg_err sg_store_make_groups(sg_store_file *store, const char *name);
sg_err sg_store_damaged(const sg_store_file *store, const char *name, const char *what);
sg_err sg_store_not_written(const sg_store_file *store, const char *name);
/* Is the item there, folders on its way included? */
int sg_store_finds(sg_store_file *store, const char *name);

#endif
