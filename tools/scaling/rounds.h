/*
 * The messages of an all-reduce, round by round, as arithmetic: what a rank sends and receives in
 * round k, and how many bytes it then adds up. A round begins when all messages of the one before
 * are there. Pure functions. [local]
 *
 * binomial: what Open MPI's libnbc does of MPI_Iallreduce with MPI_IN_PLACE, whatever the size: the
 *     whole vector up a binomial tree to rank 0 and down again.
 * halving: recursive halving, then doubling (Rabenseifner); ranks beyond the largest power of 2 are
 *     folded into others first.
 * ring: reduce-scatter and all-gather around a ring.
 * nodes: within each node every slice to the rank that adds it up, halving and doubling over the
 *     nodes by the ranks that have the same slice, then slices to all ranks of the node.
 */
#ifndef SCALING_ROUNDS_H
#define SCALING_ROUNDS_H

#include <stdbool.h>

enum { LOCALS_MOST = 8, MESSAGES_MOST = 2 * LOCALS_MOST };

typedef enum { BINOMIAL, HALVING, RING, NODES, ALGORITHMS } algorithm;
extern const char *const algorithm_names[ALGORITHMS];

/* Who sums what. */
typedef struct {
    algorithm how;
    int rank, ranks;
    int locals;   /* of nodes: ranks of a node, which follow one another; ranks is a multiple */
    double bytes; /* of the vector */
    /* One rank stands for so many of a node (1: for itself). Stages within the node are then time
     * only: bytes over local_rate, all of the node's through one memory. Of nodes only. */
    int stands_for;
    double local_rate, local_latency;
} reduction;

typedef struct {
    int rank;
    double bytes;
} message;

typedef struct {
    message sent[LOCALS_MOST], received[LOCALS_MOST];
    int sends, receives;
    double summed;  /* bytes */
    double seconds; /* of stages that are time only */
} one_round;

/* false: there is no such round; rounds without messages are possible. */
bool find_round(const reduction *r, int number, one_round *round);

#endif
