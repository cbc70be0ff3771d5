/*
 * The folder of an unfinished output, OUTPUT.parts: a journal that says what is being made, and the
 * spools of all ranks that have worked on it: records, whose numbers say what they are. A rank that
 * fails, or is killed, leaves there what it has finished; the same command, on any number of ranks,
 * finds it and does the rest. The folder goes when the output has its name, or when nothing is
 * worth keeping.
 *
 *   journal         text, a line a fact, compared as a whole
 *   N.spool         records of one rank of one run
 *   derived.N.spool, skeleton.tif, assembled.tif, ...   of the output while it is put together
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

/* No more records; where all of them lie is known to all ranks. mine: this rank's result so far;
 * any failure fails all, and is told of with what is kept. [collective] */
sg_err sg_parts_finish(sg_parts *parts, sg_err mine);

/* After sg_parts_finish, any rank may read the records of all of them. */

/* Bytes of a record, -1: there is none; and its data. [local] */
int64_t sg_parts_bytes(const sg_parts *parts, int64_t record);
sg_err sg_parts_read(sg_parts *parts, int64_t record, void *data);
/* For one rank alone, of each record: the one that has written it, where that is known. Who reads
 * only such records opens few files. [local] */
bool sg_parts_is_near(const sg_parts *parts, int64_t record);
/* A record made of others, into a spool for such: to be read, by any rank, once it is shared, and
 * instead of what had its number. One rank makes a record. [local] */
sg_err sg_parts_derive(sg_parts *parts, int64_t record, const void *data, size_t bytes);
/* What has been derived can be read. mine: this rank's result so far; any failure fails all.
 * [collective] */
sg_err sg_parts_share(sg_parts *parts, sg_err mine);
/* Close what has been opened to read, until more is read. [local] */
void sg_parts_rest(sg_parts *parts);

/* "FOLDER/NAME" into path, SG_PATH_MAX bytes. [local] */
sg_err sg_parts_path(const sg_parts *parts, const char *name, char *path);
/* The output has its name: remove the folder. Rank 0. [local] */
void sg_parts_remove(sg_parts *parts);

/* Frees. An own spool without blocks is removed, and the folder when no other is left. [local] */
void sg_parts_close(sg_parts *parts);

#endif
