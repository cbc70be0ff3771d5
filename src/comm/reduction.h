/* What the files of an all-reduce share. Private to reduce.c and narrow.c. */
#ifndef SG_COMM_REDUCTION_H
#define SG_COMM_REDUCTION_H

#include "comm/reduce.h"

/* What a reduction waits for. */
typedef enum {
    NOTHING,
    GIVING,
    FOLDING,
    HALVING,
    DOUBLING,
    UNFOLDING,
    SPREADING,
    GATHERING,
    RETURNING
} sg_stage;

enum { TAGS = 16384 }; /* sums under way at once are fewer by far */

struct sg_reduction {
    const sg_layout *layout; /* borrowed */
    size_t longest;
    float *other;         /* what has come from other ranks */
    MPI_Request *request; /* of the stage */
    int requests;
    sg_stage stage;
    float *values; /* of the sum */
    size_t count;
    float *error, *kept;
    int tag;
    size_t from, to; /* what is halved and doubled, of values */
    int mask;        /* how far the partner is */
};

/* Part s of count, in `parts` nearly equal ones, begins here. */
static inline size_t sg_part_start(size_t count, int parts, int s)
{
    size_t p = (size_t)parts, k = (size_t)s;
    return count / p * k + count % p * k / p;
}

/* Slices of the values: of all ranks of a node. */
static inline size_t sg_slice_start(const sg_reduction *r, int s)
{
    return sg_part_start(r->count, r->layout->slices, s);
}

static inline size_t sg_slice_count(const sg_reduction *r, int s)
{
    return sg_slice_start(r, s + 1) - sg_slice_start(r, s);
}

static inline bool sg_has_slice(const sg_reduction *r)
{
    return r->layout->local < r->layout->slices;
}

/* Messages of the stage. */
static inline void sg_reduction_send(sg_reduction *r, const void *values, size_t count,
                                     MPI_Datatype type, int rank)
{
    if (count > 0)
        MPI_Isend(values, (int)count, type, rank, r->tag, r->layout->comm,
                  &r->request[r->requests++]);
}

static inline void sg_reduction_receive(sg_reduction *r, void *values, size_t count,
                                        MPI_Datatype type, int rank)
{
    if (count > 0)
        MPI_Irecv(values, (int)count, type, rank, r->tag, r->layout->comm,
                  &r->request[r->requests++]);
}

/* Over nodes in bf16: narrow.c. */
void sg_begin_spreading(sg_reduction *r);
void sg_end_spreading(sg_reduction *r);
void sg_begin_gathering(sg_reduction *r);
void sg_end_gathering(sg_reduction *r);

#endif
