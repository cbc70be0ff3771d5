/*
 * Ranks. The only module that includes mpi.h. Element counts are guarded here (MPI counts are int:
 * longer vectors are sent in pieces).
 *
 * [collective] functions must be entered by all ranks of the communicator in the same order: a rank
 * that has failed still takes part, with zeros, and says so through sg_comm_agree.
 */
#ifndef SG_COMM_COMM_H
#define SG_COMM_COMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

typedef struct sg_comm sg_comm;

/* MPI_Init_thread(MULTIPLE); argc and argv may be NULL. [collective] */
sg_err sg_comm_start(sg_comm **comm, int *argc, char ***argv);
/* Finalize and free. NULL is fine. [collective] */
void sg_comm_close(sg_comm *comm);
/* End every rank at once, for what cannot be agreed on any more (no message). [local] */
void sg_comm_abort(sg_comm *comm, int exit_status);

int sg_comm_rank(const sg_comm *comm);       /* [local] */
int sg_comm_ranks(const sg_comm *comm);      /* [local] */
int sg_comm_local_rank(const sg_comm *comm); /* among the ranks of this node [local] */
int sg_comm_local_ranks(const sg_comm *comm);
int sg_comm_nodes(const sg_comm *comm); /* [local] */
/*
 * Threads this rank should compute with: OMP_NUM_THREADS when set, else its processors, each
 * divided among the ranks of the node that may use it; so it is right for ranks that are pinned,
 * too. At least 1. [local]
 */
int sg_comm_threads(const sg_comm *comm);

/*
 * Ranks that give the same colour, at least 0, in their order here, as a communicator of their own;
 * or, where all give SG_COMM_NODE, the ranks of each node. Local ranks and threads stay those of
 * `comm`. Closed by sg_comm_close, by all of them and before `comm`. Fails on all ranks or on none.
 * [collective]
 */
enum { SG_COMM_NODE = -1 };
sg_err sg_comm_split(sg_comm *comm, int colour, sg_comm **part);

/*
 * Every rank gives its result of a phase; if any failed, all fail: the ranks that failed keep their
 * own code, the others get SG_EPEER. The lowest failed rank prints its error text; a text that was
 * printed is not printed again, so the phases of a program may agree inside one another.
 * [collective]
 */
sg_err sg_comm_agree(sg_comm *comm, sg_err mine);

void sg_comm_barrier(sg_comm *comm); /* [collective] */
/* In-place sums over ranks in a fixed order for a given number of ranks. [collective] */
void sg_comm_sum_i64(sg_comm *comm, int64_t *values, size_t count);
void sg_comm_sum_f64(sg_comm *comm, double *values, size_t count);
void sg_comm_sum_f32(sg_comm *comm, float *values, size_t count);
void sg_comm_max_i64(sg_comm *comm, int64_t *values, size_t count);
void sg_comm_max_f64(sg_comm *comm, double *values, size_t count);
/* How many elements one MPI call carries at most (below INT_MAX), from now on; returns what it was.
 * For tests: the same on all ranks. [local] */
size_t sg_comm_limit_piece(sg_comm *comm, size_t elements);
/* Sums that are created from now on take every so many ranks for a node. For tests. [local] */
void sg_comm_pretend_nodes(sg_comm *comm, int ranks);
/* Bytes of root to all. [collective] */
void sg_comm_broadcast(sg_comm *comm, void *bytes, size_t count, int root);
/* count bytes of each rank, in rank order, into all (count * ranks bytes) on every rank.
 * [collective] */
void sg_comm_all_gather(sg_comm *comm, const void *mine, size_t count, void *all);

/*
 * Sums under way. A progress thread drives them while the caller computes (what MPI has begun does
 * not move by itself). sg_sum_start enters one all-reduce of f32 values in place [collective, same
 * order and counts on all ranks] and gives it a number, which rises.
 *
 * Sums within nodes come first, then those over nodes. The bits of a sum depend on its terms and on
 * the layout of ranks over nodes alone: not on time, nor on how values are cut into sums.
 */
typedef struct sg_sums sg_sums;
typedef struct {
    int most_at_once; /* sums under way, above 0; who starts one more, waits */
    size_t longest;   /* elements of one sum; longer ones go in pieces; 0: 1 Mi */
    /* Of values in here what is sent between nodes (with one node, between ranks) is rounded to
     * bf16, and what rounding took away is added the next time: see reduce.h. NULL: none */
    const float *narrow;
    size_t narrow_count;
    bool idle; /* a device computes and processors have time: sums are looked after more often */
} sg_sums_options;
sg_err sg_sums_create(sg_sums **sums, sg_comm *comm, const sg_sums_options *options);
int64_t sg_sum_start(sg_sums *sums, float *values, size_t count);
void sg_sum_wait(sg_sums *sums, int64_t number); /* until it and all before have ended [local] */
void sg_sum_wait_all(sg_sums *sums);             /* [local] */
void sg_sums_close(sg_sums *sums);               /* [collective] */

/* When values that another thread or device brings are there. The progress thread asks, now and
 * then, and enters no later sum before; where the answer is an error zeros are summed. */
typedef struct {
    sg_err (*passed)(void *user, int32_t which, bool *passed);
    void *user;
    int32_t which;
} sg_arrival;
int64_t sg_sum_start_after(sg_sums *sums, float *values, size_t count, const sg_arrival *arrival);
/* The same of values in a device's memory, where sg_comm_takes_device_memory; at most a piece.
 * instead: [count] on the host, for where they cannot be had: with no arrival at once. */
int64_t sg_sum_start_on_device(sg_sums *sums, float *values, size_t count,
                               const sg_arrival *arrival, float *instead);
bool sg_comm_takes_device_memory(void); /* the MPI library says so of itself [local] */
/* What such a sum takes: seconds, and seconds for each element besides; the slowest rank's.
 * [collective] */
sg_err sg_sums_measure(sg_comm *comm, double *latency, double *per_element);
double sg_sums_under_way(sg_sums *sums); /* seconds during which any was [local] */

/*
 * A counter that all ranks share: who asks, gets the next number. A thread of rank 0 keeps it and
 * answers within a millisecond, whatever rank 0 computes meanwhile. (Not MPI's one-sided calls:
 * over TCP Open MPI 4.1 refuses them under MPI_THREAD_MULTIPLE, or lets the asker wait until rank 0
 * next enters MPI.)
 */
typedef struct sg_counter sg_counter;
sg_err sg_counter_create(sg_counter **counter, sg_comm *comm); /* starts at 0 [collective] */
/*
 * The same where numbers below `all` alone are of use, whoever gets them: while many are left, an
 * answer brings several, one after the other, which sg_counter_next then gives without asking. They
 * are at most SG_COUNTER_SHARE, and at most a quarter of what a rank would get of those left, so
 * that one a quarter as fast as the others is not waited for. [collective]
 */
enum { SG_COUNTER_SHARE = 4 };
sg_err sg_counter_create_for(sg_counter **counter, sg_comm *comm, int64_t all);
sg_err sg_counter_next(sg_counter *counter, int64_t *value); /* [local], thread-safe */
void sg_counter_close(sg_counter *counter);                  /* [collective] */

#endif
