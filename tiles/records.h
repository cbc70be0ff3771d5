/*
 * What the records of a mask's spools are, by their numbers: first all blocks of all levels; then,
 * for overviews whose blocks reach over several chunks, the piece that each chunk has of them; then
 * an empty record for each chunk that is finished. All [local].
 */
#ifndef SG_TILES_RECORDS_H
#define SG_TILES_RECORDS_H

#include "tiles/pyramid.h"

typedef struct {
    sg_pyramid pyramid;
    int64_t chunk_w, chunk_h; /* pixels of level 0, multiples of the block */
    int64_t chunks_x, chunks_y;
} sg_records;

void sg_records_make(sg_records *records, const sg_pyramid *pyramid, int64_t chunk_w,
                     int64_t chunk_h);
int64_t sg_records_chunks(const sg_records *records);
int64_t sg_records_count(const sg_records *records);
int64_t sg_records_block(const sg_records *records, int32_t level, int64_t x, int64_t y);
int64_t sg_records_piece(const sg_records *records, int32_t level, int64_t chunk);
int64_t sg_records_done(const sg_records *records, int64_t chunk);

/* A chunk's pixels in a level, which must be one made of level 0 directly. */
sg_window sg_records_window(const sg_records *records, int32_t level, int64_t chunk);
/* Does every block of the level lie in one chunk? Then chunks give blocks, else pieces. Levels that
 * others are made of are given in pieces in any case. */
bool sg_records_whole(const sg_records *records, int32_t level);

#endif
