#include "comm/reduce.h"

#include "base/size.h"

/* All ranks' nodes into layout; of[r]: the lowest rank of r's node. */
static void fill(sg_layout *l, const int64_t *node, int ranks, int rank, int *of, int *size)
{
    int nodes = 0;
    for (int r = 0; r < ranks; r++) {
        of[r] = r;
        for (int q = 0; q < r && of[r] == r; q++)
            if (node[q] == node[r])
                of[r] = q;
        size[r] = 0;
        size[of[r]]++;
    }
    l->slices = ranks;
    for (int r = 0; r < ranks; r++) {
        if (of[r] == of[rank]) {
            if (r == rank)
                l->local = l->locals;
            l->member[l->locals++] = r;
        }
        if (of[r] != r)
            continue;
        if (r == of[rank])
            l->node = nodes;
        nodes++;
        l->slices = size[r] < l->slices ? size[r] : l->slices;
    }
    l->nodes = nodes;
}

/* The rank at my place on each node. */
static void fill_column(sg_layout *l, int ranks, const int *of)
{
    int nodes = 0;
    for (int first = 0; first < ranks; first++) {
        int place = -1;
        if (of[first] != first)
            continue;
        l->column[nodes] = -1;
        for (int r = first; r < ranks && l->column[nodes] < 0; r++)
            if (of[r] == first && ++place == l->local)
                l->column[nodes] = r;
        nodes++;
    }
}

sg_err sg_layout_create(sg_layout *l, MPI_Comm comm, int64_t node)
{
    int rank, ranks, *of = NULL;
    int64_t *all = NULL;
    *l = (sg_layout){.comm = comm};
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &ranks);
    sg_err err = sg_calloc((size_t)ranks, sizeof *all, &all);
    if (!err)
        err = sg_calloc(2 * (size_t)ranks, sizeof *of, &of);
    if (!err)
        err = sg_calloc((size_t)ranks, sizeof *l->member, &l->member);
    if (!err)
        err = sg_calloc((size_t)ranks, sizeof *l->column, &l->column);
    err = sg_comm_made(comm, err);
    if (!err) {
        MPI_Allgather(&node, 1, MPI_INT64_T, all, 1, MPI_INT64_T, comm);
        fill(l, all, ranks, rank, of, of + ranks);
        fill_column(l, ranks, of);
    } else {
        sg_layout_clear(l);
    }
    sg_free(all);
    sg_free(of);
    return err;
}

void sg_layout_clear(sg_layout *l)
{
    sg_free(l->member);
    sg_free(l->column);
    *l = (sg_layout){0};
}
