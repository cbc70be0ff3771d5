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
/* Bytes of root to all. [collective] */
void sg_comm_broadcast(sg_comm *comm, void *bytes, size_t count, int root);
/* count bytes of each rank, in rank order, into all (count * ranks bytes) on every rank.
 * [collective] */
void sg_comm_all_gather(sg_comm *comm, const void *mine, size_t count, void *all);

/*
 * Sums under way. A progress thread drives them while the caller computes (a non-blocking MPI
 * all-reduce does not move by itself). sg_sum_start enters one all-reduce of f32 values in place
 * [collective, same order and counts on all ranks]; sg_sum_wait_all returns when all have ended.
 */
typedef struct sg_sums sg_sums;
sg_err sg_sums_create(sg_sums **sums, sg_comm *comm, int most_at_once); /* [collective] */
void sg_sum_start(sg_sums *sums, float *values, size_t count);
void sg_sum_wait_all(sg_sums *sums); /* [local] */
void sg_sums_close(sg_sums *sums);   /* [collective] */

/*
 * A counter that all ranks share: who asks, gets the next number. A thread of rank 0 keeps it and
 * answers within a millisecond, whatever rank 0 computes meanwhile. (Not MPI's one-sided calls:
 * over TCP Open MPI 4.1 refuses them under MPI_THREAD_MULTIPLE, or lets the asker wait until rank 0
 * next enters MPI.)
 */
typedef struct sg_counter sg_counter;
sg_err sg_counter_create(sg_counter **counter, sg_comm *comm); /* starts at 0 [collective] */
sg_err sg_counter_next(sg_counter *counter, int64_t *value);   /* [local], thread-safe */
void sg_counter_close(sg_counter *counter);                    /* [collective] */

#endif
