/*
 * The communication of `segtiles predict` under SimGrid's SMPI: the questions to the counters of
 * rank 0 (src/comm/counter.c), chunks read from and written to a shared file system, and the
 * assembly by all ranks of a scene (jobs/predict_scene.c, tiles/pipeline.c, tiles/mask.c), with
 * times for what is computed.
 *
 * A rank's three threads, reading ahead, the network and the writer, are three simulated processes.
 * What serves one request after another, a counter's thread, the metadata server, and each of the
 * file system's data servers at the rate of its link, is none: who asks works out from those before
 * when it is served, and sleeps until then, which comes to the same as long as servers' links are
 * the narrow place of what they send. `scenes` are mapped side by side, each by an equal part of
 * the ranks.
 */
#include <math.h>
#include <mpi.h>
#include <simgrid/actor.h>
#include <simgrid/semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "inputs.h"
#include "rounds.h"
#include "world.h"

static input inputs[] = {
    {"gpus", 4, "ranks of a node"},
    {"scenes", 1, "scenes side by side"},
    {"servers", 8, "data servers of the file system"},
    {"chunks", 8, "of a rank, on average"},
    {"all_chunks", 0, "of all scenes, instead"},
    {"chunk", 0.08, "seconds of a chunk in the network"},
    {"read", 40e6, "bytes of a chunk that are read"},
    {"write", 1e6, "bytes of a chunk that are written"},
    {"pack", 0.02, "seconds of compressing a chunk"},
    {"server", 25e9, "bytes a second of a data server"},
    {"stream", 2e9, "bytes a second of one reading thread"},
    {"ahead", 1, "chunks read ahead"},
    {"answer", 10e-6, "seconds of a counter's answer"},
    {"travel", 2e-6, "seconds of a short message"},
    {"pause", 300e-6, "seconds between two looks of a counter that has nothing to do"},
    {"take", 1, "chunks dealt out by one answer at most; fewer when few are left"},
    {"open", 20000, "files that the file system opens or creates in a second"},
    {"sync", 1e-3, "seconds until a chunk written is durable"},
    {"assemble", 2.8e-3, "seconds of a chunk in the assembly"},
    {"alone", 0, "1: rank 0 of a scene assembles, as the program once did"},
    {"own", 0, "1: each rank writes the blocks of its own spool, wherever in the file they lie"},
    {"open_one", 0.5e-3, "seconds in which rank 0 alone opens a spool"},
    {"rows", 4, "rows of blocks in a chunk: so many ranks open its spool to assemble"},
    {"table", 500, "bytes about a chunk's blocks that all ranks of a scene are told"},
    {"jitter", 0, "deviation of a chunk's time, as a share"},
    {"slow", 1, "how many times longer node 0 computes"},
};
enum {
    GPUS,
    SCENES,
    SERVERS,
    CHUNKS,
    ALL_CHUNKS,
    CHUNK,
    READ,
    WRITE,
    PACK,
    SERVER,
    STREAM,
    AHEAD,
    ANSWER,
    TRAVEL,
    PAUSE,
    TAKE,
    OPEN,
    SYNC,
    ASSEMBLE,
    ALONE,
    OWN,
    OPEN_ONE,
    ROWS,
    TABLE,
    JITTER,
    SLOW,
    INPUTS
};
_Static_assert(INPUTS == sizeof inputs / sizeof *inputs, "each input has its place");

enum { READER, NETWORK, WRITER, THREADS };
enum { TABLES = 1 }; /* a tag */

static double in(int key)
{
    return inputs[key].value;
}

/* Who is who in the world: threads of all ranks. */
typedef struct {
    int ranks, rank, thread;
    int scene, first, scene_ranks; /* the scene's ranks are [first, first + scene_ranks) */
    long chunks;                   /* of the scene */
} place;

static ranks_of scene_of(const place *p)
{
    return (ranks_of){p->first, p->scene_ranks, p->rank - p->first, THREADS, NETWORK};
}

/* ---- who serves one after another ---- */

/* When the last one will have been served, and what has been dealt out. */
typedef struct {
    double free;
    long next;
} line;

static line *counters; /* two of each scene */
static line *servers;
static line metadata;

/* Until this one has been served, too. pause: between two looks of a server that has nothing to do.
 */
static void stand_in(line *l, double service, double pause)
{
    double now = MPI_Wtime(), start = l->free;
    if (now > l->free + 1e-9)
        start = pause > 0 ? l->free + pause * ceil((now - l->free) / pause) : now;
    l->free = start + service;
    sg_actor_sleep_for(l->free - now);
}

static void open_files(double count)
{
    stand_in(&metadata, count / in(OPEN), 0);
}

/* Returns the first of *count chunks, or what has been counted. src/comm/counter.c. */
static long ask(const place *p, int which, long *count)
{
    line *l = &counters[2 * p->scene + which];
    sg_actor_sleep_for(in(TRAVEL));
    stand_in(l, in(ANSWER), in(PAUSE));
    long next = l->next, share = (p->chunks - p->scene_ranks - next) / (4 * p->scene_ranks);
    *count = (long)fmax(1, fmin(in(TAKE), (double)share));
    l->next += *count;
    sg_actor_sleep_for(in(TRAVEL));
    return next;
}

/* ---- the file system ---- */

static void move(long number, double bytes)
{
    sg_actor_sleep_for(2 * in(TRAVEL));
    stand_in(&servers[(unsigned long)number % (unsigned long)in(SERVERS)], bytes / in(SERVER), 0);
}

static void read_bytes(long number, double bytes)
{
    double start = MPI_Wtime(), least = bytes / in(STREAM);
    move(number, bytes);
    if (MPI_Wtime() - start < least)
        sg_actor_sleep_for(least - (MPI_Wtime() - start));
}

static void write_bytes(const place *p, double bytes)
{
    move(p->rank, bytes);
    sg_actor_sleep_for(in(SYNC));
}

/* ---- a rank ---- */

/* What its threads tell one another. */
typedef struct {
    sg_sem_t go, ready, room, finished, written;
    long read, done; /* chunks */
    bool read_all, done_all;
} desk;

static desk *desks; /* [ranks] */

typedef struct {
    long next, left; /* chunks that the last answer gave */
    bool began;
} taker;

/* take_chunk(): the first is that of the rank's number. */
static long take_chunk(const place *p, taker *t)
{
    if (!t->began) {
        t->began = true;
        return p->rank - p->first;
    }
    if (t->left == 0)
        t->next = ask(p, 0, &t->left) + p->scene_ranks;
    t->left--;
    return t->next++;
}

static void read_ahead(const place *p)
{
    desk *d = &desks[p->rank];
    taker t = {0};
    open_files(1);
    sg_sem_acquire(d->go);
    for (int taken = 0;; taken++) {
        if (taken >= (int)in(AHEAD))
            sg_sem_acquire(d->room);
        long chunk = take_chunk(p, &t);
        if (chunk >= p->chunks)
            break;
        read_bytes(p->first + chunk, in(READ)); /* scenes begin on different servers */
        d->read++;
        sg_sem_release(d->ready);
    }
    d->read_all = true;
    sg_sem_release(d->ready);
}

static void write_chunks(const place *p)
{
    desk *d = &desks[p->rank];
    for (long written = 0, counted;; written++) {
        sg_sem_acquire(d->finished);
        if (d->done_all && written == d->done)
            break;
        sg_actor_sleep_for(in(PACK));
        write_bytes(p, in(WRITE));
        ask(p, 1, &counted);
        sg_sem_release(d->written);
    }
}

static double factor_of(const place *p, long done)
{
    double varied = 1 + in(JITTER)*draw((uint64_t)p->rank, (uint64_t)done);
    return fmax(0.5, varied) * (p->rank < (int)in(GPUS) ? in(SLOW) : 1);
}

/* Returns the chunks done. A buffer is with the writer, another is being filled. */
static long classify(const place *p)
{
    desk *d = &desks[p->rank];
    for (;;) {
        sg_sem_acquire(d->ready);
        if (d->read_all && d->done == d->read)
            break;
        sg_sem_release(d->room);
        sg_actor_sleep_for(factor_of(p, d->done) * in(CHUNK));
        if (d->done > 0)
            sg_sem_acquire(d->written);
        d->done++;
        sg_sem_release(d->finished);
    }
    if (d->done > 0)
        sg_sem_acquire(d->written);
    d->done_all = true;
    sg_sem_release(d->finished);
    return d->done;
}

/* What is known of a scene's blocks to all of its ranks: recursive halving and doubling. */
static void share_table(const place *p)
{
    ranks_of r = scene_of(p);
    const reduction how = {.how = HALVING,
                           .rank = r.rank,
                           .ranks = r.count,
                           .stands_for = 1,
                           .bytes = in(TABLE) * (double)p->chunks};
    one_round round;
    for (int number = 0; find_round(&how, number, &round); number++) {
        MPI_Request request[2 * MESSAGES_MOST];
        int requests = 0;
        for (int i = 0; i < round.receives; i++)
            MPI_Irecv(nothing, (int)round.received[i].bytes, MPI_BYTE,
                      world_rank(r, round.received[i].rank), TABLES, MPI_COMM_WORLD,
                      &request[requests++]);
        for (int i = 0; i < round.sends; i++)
            MPI_Isend(nothing, (int)round.sent[i].bytes, MPI_BYTE,
                      world_rank(r, round.sent[i].rank), TABLES, MPI_COMM_WORLD,
                      &request[requests++]);
        MPI_Waitall(requests, request, MPI_STATUSES_IGNORE);
    }
}

/*
 * All ranks: tables of what each has written become those of all; overview blocks over chunks, a
 * sum and an agreement; rank 0 makes the file with header and tables; then each has an equal range
 * of the file, which it reads from the spools of those that have made it. A range is of rows of
 * blocks, so that each spool of a row of chunks is opened for each of its rows. Chunks dealt out
 * together lie in one spool.
 */
static void assemble_together(const place *p)
{
    double mine = (double)p->chunks / p->scene_ranks;
    double spools = in(OWN) > 0 ? 0 : fmin(in(ROWS)*mine / in(TAKE), p->scene_ranks);
    ranks_of all = scene_of(p);
    share_table(p);
    sum_small(all, 3);
    sum_small(all, 8192);
    sum_small(all, 3);
    if (p->rank == p->first) {
        open_files(2);
        write_bytes(p, in(TABLE) * (double)p->chunks);
    }
    sum_small(all, 3);
    open_files(spools);
    read_bytes(p->rank, in(WRITE)*mine);
    sg_actor_sleep_for(in(ASSEMBLE)*mine);
    write_bytes(p, in(WRITE)*mine);
}

/* Rank 0 opens all spools, looks through them and copies every block. */
static void assemble(const place *p)
{
    if (in(ALONE) <= 0)
        assemble_together(p);
    else if (p->rank == p->first)
        sg_actor_sleep_for(in(OPEN_ONE)*p->scene_ranks + in(ASSEMBLE) * (double)p->chunks);
    sum_small(scene_of(p), 3);
}

static void map(const place *p)
{
    meet(p->ranks);
    double start = MPI_Wtime(), mapped;
    open_files(1); /* the spool is created */
    sum_small(scene_of(p), 3);
    sg_sem_release(desks[p->rank].go);
    classify(p);
    sum_small(scene_of(p), 3);
    mapped = MPI_Wtime();
    assemble(p);
    meet(p->ranks);
    if (p->rank > 0)
        return;
    printf("ranks=%d step=%.9f wait=%.9f norms=%.9f\n", p->ranks, MPI_Wtime() - start,
           MPI_Wtime() - mapped, in(CHUNK) * (double)p->chunks / p->scene_ranks);
}

static place find_place(void)
{
    place p = {0};
    int self, world, scenes = (int)in(SCENES);
    MPI_Comm_rank(MPI_COMM_WORLD, &self);
    MPI_Comm_size(MPI_COMM_WORLD, &world);
    p.ranks = world / THREADS;
    p.rank = self / THREADS;
    p.thread = self % THREADS;
    p.scene_ranks = p.ranks / scenes;
    p.scene = p.rank / p.scene_ranks;
    p.first = p.scene * p.scene_ranks;
    p.chunks = (long)(in(ALL_CHUNKS) > 0 ? in(ALL_CHUNKS) / scenes : in(CHUNKS)*p.scene_ranks);
    return p;
}

static void make_shared(const place *p)
{
    counters = calloc(2 * (size_t)in(SCENES), sizeof *counters);
    servers = calloc((size_t)in(SERVERS), sizeof *servers);
    desks = calloc((size_t)p->ranks, sizeof *desks);
    for (int r = 0; r < p->ranks; r++)
        desks[r] = (desk){.go = sg_sem_init(0),
                          .ready = sg_sem_init(0),
                          .room = sg_sem_init(0),
                          .finished = sg_sem_init(0),
                          .written = sg_sem_init(0)};
}

static void run(const place *p)
{
    if (p->thread == READER)
        read_ahead(p);
    else if (p->thread == NETWORK)
        map(p);
    else
        write_chunks(p);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    bool first = once();
    if (first)
        read_inputs(inputs, INPUTS, argc, argv);
    place p = find_place();
    if (first)
        make_shared(&p);
    run(&p);
    MPI_Finalize();
    return 0;
}
