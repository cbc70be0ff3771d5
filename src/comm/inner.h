/* What the files of comm share. Private to comm. */
#ifndef SG_COMM_INNER_H
#define SG_COMM_INNER_H

#include <mpi.h>
#include "comm/comm.h"

struct sg_comm {
    MPI_Comm world; /* our own copy: other users of MPI in the process cannot meet our messages */
    int rank, ranks, local_rank, local_ranks;
    int threads;
    int node, nodes; /* a number that the ranks of this node share: the lowest; how many nodes */
    size_t piece;    /* see sg_comm_limit_piece */
    bool started;    /* MPI was initialised here, so it is finalised here */
};

/* SG_EINTERNAL with MPI's own text. */
sg_err sg_comm_failed(const char *call, int code);

/* The making of something on all ranks: if it failed on any, it failed on all (SG_EPEER where it
 * did not fail itself). [collective] */
sg_err sg_comm_made(MPI_Comm comm, sg_err mine);

/* sg_comm_threads over the ranks of a node. [collective] */
int sg_comm_share_processors(MPI_Comm node);

/* Sleep between two looks at something that another rank or thread will bring about. */
void sg_comm_pause(void);

#endif
