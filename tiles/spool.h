/*
 * A spool: the compressed blocks of one rank in one file, in the order in which they came, and
 * behind them an index. What a later step needs to find the blocks is in the file itself. [local]
 */
#ifndef SG_TILES_SPOOL_H
#define SG_TILES_SPOOL_H

#include <stdint.h>
#include "base/error.h"

typedef struct {
    int64_t block;         /* number of the block in the raster, row order */
    int64_t offset, bytes; /* in the spool */
} sg_spool_entry;

typedef struct sg_spool sg_spool;

/* Begin an empty spool at path, which must outlive it. SG_EOUTPUT names it. */
sg_err sg_spool_create(sg_spool **spool, const char *path);
sg_err sg_spool_add(sg_spool *spool, int64_t block, const void *data, size_t bytes);
/* Write the index and close the file; the spool takes no more. */
sg_err sg_spool_finish(sg_spool *spool);

/* Open a finished spool for reading. SG_EINPUT: not finished, or damaged. */
sg_err sg_spool_open(sg_spool **spool, const char *path);
const sg_spool_entry *sg_spool_entries(const sg_spool *spool, size_t *count);
sg_err sg_spool_read(const sg_spool *spool, const sg_spool_entry *entry, void *data);

/* Closes the file and leaves it where it is. NULL is fine. */
void sg_spool_close(sg_spool *spool);

#endif
