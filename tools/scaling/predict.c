/*
 * The communication of `segtiles predict` under SimGrid's SMPI: the questions to the counters of
 * rank 0 (src/comm/counter.c), chunks read from and written to a shared file system, and the
 * assembly by rank 0 (jobs/predict_scene.c, tiles/pipeline.c, tiles/mask.c), with times for what is
 * computed.
 *
 * A rank's three threads, reading ahead, the network and the writer, are three simulated processes.
 * Two more for each scene are the counters' threads; then one is the file system's metadata server
 * and the others are its data servers, each of which serves one request after another at the rate
 * of its link. `scenes` are mapped side by side, each by an equal part of the ranks.
 */
#include <math.h>
#include <mpi.h>
#include <simgrid/actor.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "inputs.h"

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
    {"stream", 2e9, "bytes a second of one reading thread"},
    {"ahead", 1, "chunks read ahead"},
    {"answer", 156e-6, "seconds of a counter's answer"},
    {"pause", 300e-6, "seconds between two looks of a counter that has nothing to do"},
    {"take", 1, "chunks dealt out by one answer"},
    {"open", 20000, "files that the file system opens or creates in a second"},
    {"sync", 1e-3, "seconds until a chunk written is durable"},
    {"assemble", 2.8e-3, "seconds of a chunk in the assembly"},
    {"parallel", 0, "1: all ranks of a scene assemble"},
    {"open_one", 0.5e-3, "seconds in which rank 0 opens a spool"},
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
    STREAM,
    AHEAD,
    ANSWER,
    PAUSE,
    TAKE,
    OPEN,
    SYNC,
    ASSEMBLE,
    PARALLEL,
    OPEN_ONE,
    JITTER,
    SLOW,
    INPUTS
};
_Static_assert(INPUTS == sizeof inputs / sizeof *inputs, "each input has its place");

enum { READER, NETWORK, WRITER, THREADS };
enum { ASK = 1, ANSWERED, REQUEST, DATA, DONE, READY, ROOM, FINISHED, GO }; /* tags */
enum { ENDS = -1 };

static char *nothing; /* one memory for all messages: nobody looks at what is in it */

static double in(int key)
{
    return inputs[key].value;
}

/* Who is who in the world: threads of all ranks, counters of all scenes, the file system. */
typedef struct {
    int self, ranks, rank, thread;
    int scene, first, scene_ranks; /* the scene's ranks are [first, first + scene_ranks) */
    long chunks;                   /* of the scene */
    MPI_Comm comm;                 /* the scene's network threads; of others: useless */
} place;

static int thread_of(int rank, int thread)
{
    return THREADS * rank + thread;
}

static int counter_of(const place *p, int scene, int which)
{
    return THREADS * p->ranks + 2 * scene + which;
}

static int metadata(const place *p)
{
    return THREADS * p->ranks + 2 * (int)in(SCENES);
}

static void send(int to, int tag, int value)
{
    MPI_Send(&value, 1, MPI_INT, to, tag, MPI_COMM_WORLD);
}

static int receive(int from, int tag)
{
    int value;
    MPI_Recv(&value, 1, MPI_INT, from, tag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    return value;
}

/* ---- the file system ---- */

static void open_file(const place *p)
{
    send(metadata(p), REQUEST, 0);
    receive(metadata(p), DONE);
}

static int server_of(const place *p, long number)
{
    return metadata(p) + 1 + (int)((unsigned long)number % (unsigned long)in(SERVERS));
}

static void serve_metadata(void)
{
    MPI_Status from;
    for (int value = 0;;) {
        MPI_Recv(&value, 1, MPI_INT, MPI_ANY_SOURCE, REQUEST, MPI_COMM_WORLD, &from);
        if (value == ENDS)
            return;
        sg_actor_sleep_for(1 / in(OPEN));
        send(from.MPI_SOURCE, DONE, 0);
    }
}

/* value: bytes that are wanted, or, below 0, that will come; ENDS is no size. */
static void serve_data(void)
{
    MPI_Status from;
    for (int value = 0;;) {
        MPI_Recv(&value, 1, MPI_INT, MPI_ANY_SOURCE, REQUEST, MPI_COMM_WORLD, &from);
        if (value == ENDS)
            return;
        if (value > 0) {
            MPI_Send(nothing, value, MPI_BYTE, from.MPI_SOURCE, DATA, MPI_COMM_WORLD);
        } else {
            MPI_Recv(nothing, -value, MPI_BYTE, from.MPI_SOURCE, DATA, MPI_COMM_WORLD,
                     MPI_STATUS_IGNORE);
            send(from.MPI_SOURCE, DONE, 0);
        }
    }
}

static void read_chunk(const place *p, long chunk)
{
    int server = server_of(p, p->first + chunk); /* scenes begin on different servers */
    double start = MPI_Wtime(), least = in(READ) / in(STREAM);
    send(server, REQUEST, (int)in(READ));
    MPI_Recv(nothing, (int)in(READ), MPI_BYTE, server, DATA, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    if (MPI_Wtime() - start < least)
        sg_actor_sleep_for(least - (MPI_Wtime() - start));
}

static void write_chunk(const place *p, int bytes)
{
    int server = server_of(p, p->rank);
    send(server, REQUEST, -bytes);
    MPI_Send(nothing, bytes, MPI_BYTE, server, DATA, MPI_COMM_WORLD);
    receive(server, DONE);
    sg_actor_sleep_for(in(SYNC));
}

/* ---- the counters ---- */

/* serve(): a thread that looks, answers, and pauses where nobody has asked. */
static void serve_counter(void)
{
    MPI_Status from;
    double idle = MPI_Wtime();
    for (int value = 0, next = 0;; next += (int)in(TAKE)) {
        MPI_Recv(&value, 1, MPI_INT, MPI_ANY_SOURCE, ASK, MPI_COMM_WORLD, &from);
        if (value == ENDS)
            return;
        double late = MPI_Wtime() - idle;
        if (late > 1e-9)
            sg_actor_sleep_for(in(PAUSE)*ceil(late / in(PAUSE)) - late);
        sg_actor_sleep_for(in(ANSWER));
        send(from.MPI_SOURCE, ANSWERED, next);
        idle = MPI_Wtime();
    }
}

static int ask(const place *p, int which)
{
    send(counter_of(p, p->scene, which), ASK, 0);
    return receive(counter_of(p, p->scene, which), ANSWERED);
}

/* ---- a rank ---- */

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
    if (t->left == 0) {
        t->next = ask(p, 0) + p->scene_ranks;
        t->left = (long)in(TAKE);
    }
    t->left--;
    return t->next++;
}

static void read_ahead(const place *p)
{
    taker t = {0};
    open_file(p);
    receive(thread_of(p->rank, NETWORK), GO);
    for (int taken = 0;; taken++) {
        if (taken >= (int)in(AHEAD))
            receive(thread_of(p->rank, NETWORK), ROOM);
        long chunk = take_chunk(p, &t);
        if (chunk >= p->chunks)
            break;
        read_chunk(p, chunk);
        send(thread_of(p->rank, NETWORK), READY, 0);
    }
    send(thread_of(p->rank, NETWORK), READY, ENDS);
}

static void write_chunks(const place *p)
{
    while (receive(thread_of(p->rank, NETWORK), FINISHED) != ENDS) {
        sg_actor_sleep_for(in(PACK));
        write_chunk(p, (int)in(WRITE));
        ask(p, 1);
        send(thread_of(p->rank, NETWORK), ROOM, 0);
    }
    send(thread_of(p->rank, NETWORK), ROOM, ENDS);
}

static double factor_of(const place *p, int done)
{
    double varied = 1 + in(JITTER)*draw((uint64_t)p->rank, (uint64_t)done);
    return fmax(0.5, varied) * (p->rank < (int)in(GPUS) ? in(SLOW) : 1);
}

/* Returns the chunks done. A buffer is with the writer, another is being filled. */
static int classify(const place *p)
{
    int done = 0;
    while (receive(thread_of(p->rank, READER), READY) != ENDS) {
        send(thread_of(p->rank, READER), ROOM, 0);
        sg_actor_sleep_for(factor_of(p, done) * in(CHUNK));
        if (done > 0)
            receive(thread_of(p->rank, WRITER), ROOM);
        send(thread_of(p->rank, WRITER), FINISHED, 0);
        done++;
    }
    send(thread_of(p->rank, WRITER), FINISHED, ENDS);
    while (receive(thread_of(p->rank, WRITER), ROOM) != ENDS)
        ;
    return done;
}

/* Rank 0 opens all spools, looks through them and copies every block; or each rank its own, where
 * the sums of sizes have told it. */
static void assemble(const place *p, int done)
{
    if (in(PARALLEL) > 0) {
        MPI_Exscan(MPI_IN_PLACE, nothing, 1, MPI_INT64_T, MPI_SUM, p->comm);
        sg_actor_sleep_for(in(ASSEMBLE)*done);
        write_chunk(p, (int)(in(WRITE)*done) + 1);
    } else if (p->rank == p->first) {
        sg_actor_sleep_for(in(OPEN_ONE)*p->scene_ranks + in(ASSEMBLE) * (double)p->chunks);
    }
    MPI_Allreduce(MPI_IN_PLACE, nothing, 3, MPI_INT64_T, MPI_MIN, p->comm);
}

static void end_servers(const place *p)
{
    for (int i = THREADS * p->ranks; i < metadata(p); i++)
        send(i, ASK, ENDS);
    for (int i = 0; i <= (int)in(SERVERS); i++)
        send(metadata(p) + i, REQUEST, ENDS);
}

static void map(const place *p, MPI_Comm all)
{
    MPI_Barrier(all);
    double start = MPI_Wtime(), mapped;
    open_file(p); /* the spool is created */
    MPI_Allreduce(MPI_IN_PLACE, nothing, 3, MPI_INT64_T, MPI_MIN, p->comm);
    send(thread_of(p->rank, READER), GO, 0);
    int done = classify(p);
    MPI_Allreduce(MPI_IN_PLACE, nothing, 3, MPI_INT64_T, MPI_MIN, p->comm);
    mapped = MPI_Wtime();
    assemble(p, done);
    MPI_Barrier(all);
    if (p->rank > 0)
        return;
    printf("ranks=%d step=%.9f wait=%.9f norms=%.9f\n", p->ranks, MPI_Wtime() - start,
           MPI_Wtime() - mapped, in(CHUNK) * (double)p->chunks / p->scene_ranks);
    end_servers(p);
}

static place find_place(void)
{
    place p = {0};
    int world, scenes = (int)in(SCENES);
    MPI_Comm_rank(MPI_COMM_WORLD, &p.self);
    MPI_Comm_size(MPI_COMM_WORLD, &world);
    p.ranks = (world - 2 * scenes - 1 - (int)in(SERVERS)) / THREADS;
    p.rank = p.self / THREADS;
    p.thread = p.self % THREADS;
    p.scene_ranks = p.ranks / scenes;
    p.scene = p.rank / p.scene_ranks;
    p.first = p.scene * p.scene_ranks;
    p.chunks = (long)(in(ALL_CHUNKS) > 0 ? in(ALL_CHUNKS) / scenes : in(CHUNKS)*p.scene_ranks);
    return p;
}

static void run(place *p)
{
    bool network = p->rank < p->ranks && p->thread == NETWORK;
    MPI_Comm all;
    MPI_Comm_split(MPI_COMM_WORLD, network ? 0 : MPI_UNDEFINED, p->self, &all);
    MPI_Comm_split(MPI_COMM_WORLD, network ? p->scene : MPI_UNDEFINED, p->self, &p->comm);
    if (network)
        map(p, all);
    else if (p->rank < p->ranks && p->thread == READER)
        read_ahead(p);
    else if (p->rank < p->ranks)
        write_chunks(p);
    else if (p->self < metadata(p))
        serve_counter();
    else if (p->self == metadata(p))
        serve_metadata();
    else
        serve_data();
}

int main(int argc, char **argv)
{
    int world;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &world);
    if (world == 0) {
        read_inputs(inputs, INPUTS, argc, argv);
        nothing = SMPI_SHARED_MALLOC(512 << 20);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    place p = find_place();
    run(&p);
    MPI_Barrier(MPI_COMM_WORLD);
    if (world == 0)
        SMPI_SHARED_FREE(nothing);
    MPI_Finalize();
    return 0;
}
