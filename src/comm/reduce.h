/*
 * One all-reduce by messages of its own. Private to comm.
 *
 * In three stages. Within each node every slice of the values is added up by one of its ranks, in
 * the order of ranks; then the ranks that hold the same slice add theirs up over the nodes, by
 * halving and doubling; then the node's ranks exchange their slices. One node, or one rank a node,
 * leave stages out. Between nodes travels what one rank would send, shared by the node's ranks.
 *
 * An element's bits depend on the ranks' layout over nodes alone: each is added in the same order,
 * whatever slice it lies in, so that no bound of a slice, a piece or a bucket shows. (Over nodes:
 * with h the largest power of 2 among them, node h + i is first added to node i ...; then a binary
 * tree over h nodes, halves first.)
 *
 * Narrow sums send bf16 between nodes, and all nodes' parts of an element to one of them, once:
 *   given = round(part + error),  error = part + error - given      on each node
 *   sum = given of node 0 + given of node 1 + ...                   in f32, on one
 *   result = round(sum + kept),   kept = sum + kept - result
 * So what rounding takes away comes in later (error feedback), and again no bound shows as long as
 * bounds do not move between two sums of the same values.
 */
#ifndef SG_COMM_REDUCE_H
#define SG_COMM_REDUCE_H

#include "comm/inner.h"

/* Who is where. */
typedef struct {
    MPI_Comm comm;     /* borrowed */
    int node, nodes;   /* in the order of their lowest ranks */
    int local, locals; /* of this node's ranks, in their order */
    int slices;        /* the fewest ranks of a node: its first ranks have one each */
    int *member;       /* [locals] ranks of this node */
    int *column;       /* [nodes] the rank with the same place on each, where local < slices */
} sg_layout;

/* node: any number that the ranks of a node share, and no others. [collective] */
sg_err sg_layout_create(sg_layout *layout, MPI_Comm comm, int64_t node);
void sg_layout_clear(sg_layout *layout); /* [local] */

typedef struct {
    float *values;
    size_t count;
    float *error, *kept; /* [count] of this rank, of a narrow sum; else NULL */
} sg_terms;

typedef struct sg_reduction sg_reduction;
/* longest: elements at most. [local] */
sg_err sg_reduction_create(sg_reduction **reduction, const sg_layout *layout, size_t longest);
void sg_reduction_close(sg_reduction *reduction); /* NULL is fine [local] */
/* Sum terms in place; number: of this sum, the same on all ranks. What begins moves only in
 * sg_reduction_moves, which says whether it still does. [collective] */
void sg_reduction_begin(sg_reduction *reduction, const sg_terms *terms, int64_t number);
bool sg_reduction_moves(sg_reduction *reduction);

#endif
