/*
 * A spool: what one rank has finished, in one file, in the order in which it came. Every record
 * stands behind a header with its number, size and checksum, so that a spool which was cut off at
 * any byte still gives all that came before. No table of records is kept: a spool takes the same
 * memory however long it is. What the numbers mean: see records.h. [local]
 */
#ifndef SG_TILES_SPOOL_H
#define SG_TILES_SPOOL_H

#include <stdint.h>
#include "base/error.h"

typedef struct {
    int64_t record;        /* its number */
    int64_t offset, bytes; /* of its data in the spool */
} sg_spool_entry;

typedef struct sg_spool sg_spool;

/* Begin an empty spool at path, where none may be. SG_EOUTPUT names it. */
sg_err sg_spool_create(sg_spool **spool, const char *path);
sg_err sg_spool_add(sg_spool *spool, int64_t record, const void *data, size_t bytes);
/* Where the record that was added last lies. */
sg_spool_entry sg_spool_last(const sg_spool *spool);
/* What was added so far outlives the machine. */
sg_err sg_spool_sync(sg_spool *spool);
/* Sync and close the file; the spool takes no more. */
sg_err sg_spool_finish(sg_spool *spool);

/* Open a finished spool for reading. */
sg_err sg_spool_open(sg_spool **spool, const char *path);
/* Open any spool: what counts are all records before the first that is cut or whose checksum is
 * wrong. */
sg_err sg_spool_recover(sg_spool **spool, const char *path);
/* Look at every record in the order of the file; data is not checked. SG_EINPUT: it is not whole;
 * or what fn returns. */
typedef sg_err (*sg_spool_fn)(void *user, const sg_spool_entry *entry);
sg_err sg_spool_each(const sg_spool *spool, sg_spool_fn fn, void *user);
sg_err sg_spool_read(const sg_spool *spool, const sg_spool_entry *entry, void *data);

/* Closes the file and leaves it where it is. NULL is fine. */
void sg_spool_close(sg_spool *spool);

#endif
