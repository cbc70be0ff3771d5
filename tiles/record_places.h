/*
 * Where records lie that ranks have written to spools: in which spool, where in it, and how many
 * bytes. Every rank notes its own; once merged, all of them know all, in 12 bytes a record, since
 * there are millions. Spools are told apart by an index, which is the same on all ranks.
 */
#ifndef SG_TILES_RECORD_PLACES_H
#define SG_TILES_RECORD_PLACES_H

#include <stdbool.h>
#include "comm/comm.h"
#include "tiles/spool.h"

typedef struct {
    int64_t records;
    int64_t *place;  /* [records]; 0: nowhere; owned */
    uint32_t *bytes; /* [records]; owned */
    int64_t *piece;  /* what is merged at once, twice; owned */
} sg_record_places;

/* Numbers of records are below `records`; none is anywhere yet. [local] */
sg_err sg_record_places_open(sg_record_places *places, int64_t records);
void sg_record_places_close(sg_record_places *places); /* where opened or all zero [local] */
/* The record lies there from now on; false: beyond 16 TiB of a spool, or 500 000 spools. [local] */
bool sg_record_places_put(sg_record_places *places, int64_t spool, const sg_spool_entry *entry);
/* The spool of a record, and where in it; or -1: it is nowhere. [local] */
int64_t sg_record_places_find(const sg_record_places *places, int64_t record,
                              sg_spool_entry *entry);
/* What any rank knows, all know; of several places of a record that in the spool of the highest
 * index. In pieces: takes no more memory however many ranks there are. [collective] */
void sg_record_places_merge(sg_record_places *places, sg_comm *comm);

#endif
