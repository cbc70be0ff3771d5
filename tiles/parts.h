/*
 * The folder of an unfinished output, OUTPUT.parts: a journal that says what is being made, and the
 * spools of all ranks that have worked on it: records, whose numbers say what they are. A rank that
 * fails, or is killed, leaves there what it has finished; the same command, on any number of ranks,
 * finds it and does the rest. The folder goes when the output has its name, or when nothing is
 * worth keeping.
 *
 *   journal         text, a line a fact, compared as a whole
 *   N.spool         records of one rank of one run
 *   skeleton.tif, assembled.tif, ...   the output while it is put together
 */
#ifndef SG_TILES_PARTS_H
#define SG_TILES_PARTS_H

#include <stdbool.h>
#include "base/file.h"
#include "comm/comm.h"
#include "tiles/spool.h"

typedef struct sg_parts sg_parts;

typedef struct {
    const char *output;  /* the final name; borrowed */
    const char *what;    /* it is: "tile store"; NULL: "prediction" */
    const char *journal; /* what is being made: lines, each ended by \n */
    int64_t records;     /* numbers of records are below */
    bool restart;        /* drop what is there */
} sg_parts_options;

/*
 * Make the folder, or take up what is in it. SG_EUSAGE: it holds something that was made otherwise;
 * SG_EOUTPUT. [collective]
 */
sg_err sg_parts_open(sg_parts **parts, sg_comm *comm, const sg_parts_options *options);
/* Was the record there before this run? The same on all ranks. [local] */
bool sg_parts_has(const sg_parts *parts, int64_t record);

/* A record of this rank, and: all of them outlive the machine. [local] */
sg_err sg_parts_add(sg_parts *parts, int64_t record, const void *data, size_t bytes);
sg_err sg_parts_sync(sg_parts *parts);
int64_t sg_parts_written(const sg_parts *parts); /* bytes of this rank's records, in this run */

/* No more records. mine: this rank's result so far; any failure fails all, and is told of with what
 * is kept. [collective] */
sg_err sg_parts_finish(sg_parts *parts, sg_err mine);
/* Open all spools for reading. Rank 0, after sg_parts_finish. [local] */
sg_err sg_parts_gather(sg_parts *parts);
/* A spool of rank 0's own, for records made of those gathered: they can be read like the others,
 * and instead of what was gathered under the same numbers. */
sg_err sg_parts_derive(sg_parts *parts, int64_t record, const void *data, size_t bytes);
/* Bytes of a record, -1: there is none; and its data. Rank 0, after sg_parts_gather. [local] */
int64_t sg_parts_bytes(const sg_parts *parts, int64_t record);
sg_err sg_parts_read(const sg_parts *parts, int64_t record, void *data);
/* "FOLDER/NAME" into path, SG_PATH_MAX bytes. [local] */
sg_err sg_parts_path(const sg_parts *parts, const char *name, char *path);
/* The output has its name: remove the folder. Rank 0. [local] */
void sg_parts_remove(sg_parts *parts);

/* Frees. An own spool without blocks is removed, and the folder when no other is left. [local] */
void sg_parts_close(sg_parts *parts);

#endif
