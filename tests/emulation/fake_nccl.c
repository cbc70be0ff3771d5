/*
 * In NCCL's place, under its library's name: its calls between processes of one machine, for
 * emulated GPUs. A sum is work in the emulation's stream that is over when all ranks have given
 * their part; they are added in rank order. SEGTILES_FAKE_NCCL_BREAKS=RANK:N: that rank's sum
 * number N is never given, and it sees an asynchronous error.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "cuda_runtime_api.h"

enum { RANKS = 8, DEPTH = 4, SLOT = 1 << 15, OK = 0, INTERNAL = 3, INVALID = 4, REMOTE = 6 };
enum { FLOAT32 = 7, SUM = 0 };

typedef struct {
    char internal[128]; /* the name of the memory that is shared */
} unique_id;

typedef struct {
    atomic_int joined;
    atomic_ulong given[RANKS], taken[RANKS]; /* sums so far */
    float part[DEPTH][RANKS][SLOT];
} shared;

typedef struct comm {
    shared *shared;
    struct comm *before; /* of those that were given up */
    int rank, ranks, aborted, error;
    unsigned long sums, breaks; /* number of the sum that breaks, or far away */
} comm;

typedef struct {
    comm *comm;
    float *values;
    size_t count;
    unsigned long number;
    int gave;
} sum;

int ncclGetUniqueId(unique_id *id);
int ncclCommInitRank(comm **made, int ranks, unique_id id, int rank);
int ncclAllReduce(const float *from, float *to, size_t count, int type, int op, comm *c,
                  cudaStream_t stream);
int ncclCommGetAsyncError(comm *c, int *error);
int ncclCommAbort(comm *c);
int ncclCommDestroy(comm *c);
const char *ncclGetErrorString(int error);

int ncclGetUniqueId(unique_id *id)
{
    static int made;
    snprintf(id->internal, sizeof id->internal, "/segtiles_fake_nccl_%ld_%d", (long)getpid(),
             made++);
    return OK;
}

static int all_at_least(const comm *c, const atomic_ulong *counts, unsigned long least)
{
    for (int r = 0; r < c->ranks; r++)
        if (atomic_load(&counts[r]) < least)
            return 0;
    return 1;
}

int ncclCommInitRank(comm **made, int ranks, unique_id id, int rank)
{
    int file = shm_open(id.internal, O_RDWR | O_CREAT, 0600);
    comm *c = calloc(1, sizeof *c);
    const char *breaks = getenv("SEGTILES_FAKE_NCCL_BREAKS");
    int bad = -1;
    *made = c;
    if (ranks > RANKS || file < 0 || ftruncate(file, sizeof(shared)) != 0)
        return INVALID;
    c->shared = mmap(NULL, sizeof(shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    c->rank = rank;
    c->ranks = ranks;
    c->breaks = ~0ul;
    if (breaks && sscanf(breaks, "%d:%lu", &bad, &c->breaks) == 2 && bad != rank)
        c->breaks = ~0ul;
    atomic_fetch_add(&c->shared->joined, 1);
    while (atomic_load(&c->shared->joined) < ranks)
        usleep(100);
    if (rank == 0)
        shm_unlink(id.internal);
    return OK;
}

static int poll_sum(void *context)
{
    sum *s = context;
    comm *c = s->comm;
    shared *all = c->shared;
    if (c->aborted)
        return 1;
    if (s->number >= c->breaks) {
        c->error = REMOTE;
        return 0;
    }
    if (!s->gave) {
        if (s->number >= DEPTH && !all_at_least(c, all->taken, s->number - DEPTH + 1))
            return 0;
        memcpy(all->part[s->number % DEPTH][c->rank], s->values, s->count * sizeof(float));
        atomic_store(&all->given[c->rank], s->number + 1);
        s->gave = 1;
    }
    if (!all_at_least(c, all->given, s->number + 1))
        return 0;
    for (size_t i = 0; i < s->count; i++) {
        float value = all->part[s->number % DEPTH][0][i];
        for (int r = 1; r < c->ranks; r++)
            value += all->part[s->number % DEPTH][r][i];
        s->values[i] = value;
    }
    atomic_store(&all->taken[c->rank], s->number + 1);
    return 1;
}

int ncclAllReduce(const float *from, float *to, size_t count, int type, int op, comm *c,
                  cudaStream_t stream)
{
    const sum s = {c, to, count, c->sums++, 0};
    if (from != to || count > SLOT || type != FLOAT32 || op != SUM)
        return INVALID;
    sg_emulated_give_poll(stream, poll_sum, &s, sizeof s);
    return OK;
}

int ncclCommGetAsyncError(comm *c, int *error)
{
    *error = c->error;
    return OK;
}

/* It stays: what is left in the stream still looks at it. */
int ncclCommAbort(comm *c)
{
    static comm *aborted;
    c->aborted = 1;
    c->before = aborted;
    aborted = c;
    return OK;
}

int ncclCommDestroy(comm *c)
{
    munmap(c->shared, sizeof(shared));
    free(c);
    return OK;
}

const char *ncclGetErrorString(int error)
{
    return error == REMOTE ? "remote process exited or there was a network error" : "invalid usage";
}
