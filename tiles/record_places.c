#include "tiles/record_places.h"

#include "base/size.h"

/* Above OFFSET_BITS the index of the spool + 1, below its offset in there: positive, as the
 * largest one wins. */
enum { OFFSET_BITS = 44, SPOOLS_MOST = (1 << 19) - 2, PIECE = 1 << 13 };
static const int64_t OFFSET_MOST = (INT64_C(1) << OFFSET_BITS) - 1;

sg_err sg_record_places_open(sg_record_places *places, int64_t records)
{
    *places = (sg_record_places){.records = records};
    sg_err err = sg_calloc((size_t)records, sizeof *places->place, &places->place);
    if (err == SG_OK)
        err = sg_calloc((size_t)records, sizeof *places->bytes, &places->bytes);
    if (err == SG_OK)
        err = sg_malloc(2 * PIECE, sizeof *places->piece, &places->piece);
    return err;
}

void sg_record_places_close(sg_record_places *places)
{
    sg_free(places->place);
    sg_free(places->bytes);
    sg_free(places->piece);
    *places = (sg_record_places){0};
}

bool sg_record_places_put(sg_record_places *places, int64_t spool, const sg_spool_entry *entry)
{
    SG_ASSERT(entry->record >= 0 && entry->record < places->records && spool >= 0);
    if (entry->offset > OFFSET_MOST || entry->bytes > UINT32_MAX || spool > SPOOLS_MOST)
        return false;
    places->place[entry->record] = (spool + 1) << OFFSET_BITS | entry->offset;
    places->bytes[entry->record] = (uint32_t)entry->bytes;
    return true;
}

int64_t sg_record_places_find(const sg_record_places *places, int64_t record, sg_spool_entry *entry)
{
    int64_t place = places->place[record];
    *entry = (sg_spool_entry){record, place & OFFSET_MOST, places->bytes[record]};
    return (place >> OFFSET_BITS) - 1;
}

/* The sizes are those of the rank, or ranks, whose place it is. */
static void merge_piece(sg_record_places *places, sg_comm *comm, int64_t first, int64_t count)
{
    int64_t *place = places->piece, *size = place + PIECE;
    for (int64_t i = 0; i < count; i++)
        place[i] = places->place[first + i];
    sg_comm_max_i64(comm, place, (size_t)count);
    for (int64_t i = 0; i < count; i++)
        size[i] = place[i] == places->place[first + i] ? (int64_t)places->bytes[first + i] : 0;
    sg_comm_max_i64(comm, size, (size_t)count);
    for (int64_t i = 0; i < count; i++) {
        places->place[first + i] = place[i];
        places->bytes[first + i] = (uint32_t)size[i];
    }
}

void sg_record_places_merge(sg_record_places *places, sg_comm *comm)
{
    for (int64_t i = 0; i < places->records; i += PIECE)
        merge_piece(places, comm, i, sg_min64(PIECE, places->records - i));
}
