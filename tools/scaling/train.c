/*
 * The communication of `segtiles train` under SimGrid's SMPI: the calls of src/train/step.c,
 * src/train/loop.c, src/train/validate.c and src/comm/sums.c in their order, with times for what is
 * computed and nothing in the messages.
 *
 * Each rank of the program is two simulated processes, as it is two threads: the one that trains
 * and the one that drives sums. The latter looks after them every 0.3 ms (0.05 ms where a
 * device computes), every 20 us while the other waits; here it sleeps until something has happened
 * and then until its next look, which comes to the same. With fold=1 one rank stands for all of a
 * node: see rounds.h; what differs is found by the test of the model.
 */
#include <math.h>
#include <mpi.h>
#include <simgrid/actor.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inputs.h"
#include "profile.h"
#include "rounds.h"
#include "world.h"

enum { BUCKETS_MOST = 1024, REQUESTS_MOST = 1 + BUCKETS_MOST, NEWS = 1, ENDED = 2 };
enum { TAGS = 16 };
/* What the training process tells the other: a bucket's number, or one of these. */
enum { WAITS = -1, STEP_ENDS = -2, ALL_ENDS = -3 };

static input inputs[] = {
    {"gpus", 4, "GPUs of a node; a rank each"},
    {"fold", 0, "1: one simulated rank stands for a node"},
    {"steps", 3, "steps"},
    {"forward", 0.1, "seconds of a forward pass"},
    {"backward", 0.2, "seconds of a backward pass"},
    {"update", 0.002, "seconds of the optimizer"},
    {"parameters", 31e6, "trainable values, 4 bytes each"},
    {"bucket", 4, "MiB of a gradient bucket"},
    {"taper", 0, "1: buckets get smaller towards the end: half of what is left, at least a 16th"},
    {"unet", 0, "width of the U-Net whose layers' gradients come one by one; 0: they come evenly"},
    {"overlap", 1, "0: buckets start when the backward pass has ended"},
    {"move", 0, "bytes a second from and to a device, without overlap; 0: nothing is moved"},
    {"algorithm", 0, "of buckets: 0 binomial, 1 halving, 2 ring, 3 nodes"},
    {"at_once", 1024, "buckets under way at once"},
    {"wire", 1, "share of the bytes that travels between nodes: 0.5 for bf16"},
    {"pause", 300e-6, "seconds between two looks at sums while it computes"},
    {"waiting", 20e-6, "the same while it waits"},
    {"add", 16e9, "bytes of sums that a thread adds up in a second"},
    {"local_rate", 100e9, "of fold=1: bytes a second within a node, all ranks together"},
    {"local_lat", 1e-6, "of fold=1: seconds of a message within a node"},
    {"norms", 0, "layers of batch norm whose statistics are summed; 0: sync_norm is off"},
    {"channels", 256, "of such a layer"},
    {"group", 0, "nodes that share statistics; 0: all"},
    {"jitter", 0, "deviation of a rank's compute time, as a share, anew for each step"},
    {"slow", 1, "how many times longer node 0 computes"},
    {"save_every", 0, "steps between checkpoints; 0: none"},
    {"save_stop", 0.05, "seconds that rank 0 stands still for one"},
    {"val_every", 0, "steps between validations; 0: none"},
    {"val_tiles", 1000, "tiles of a validation"},
    {"val_tile", 0.05, "seconds of a tile"},
    {"classes", 8, "of the confusion matrix"},
};
enum {
    GPUS,
    FOLD,
    STEPS,
    FORWARD,
    BACKWARD,
    UPDATE,
    PARAMETERS,
    BUCKET,
    TAPER,
    UNET,
    OVERLAP,
    MOVE,
    ALGORITHM,
    AT_ONCE,
    WIRE,
    PAUSE,
    WAITING,
    ADD,
    LOCAL_RATE,
    LOCAL_LAT,
    NORMS,
    CHANNELS,
    GROUP,
    JITTER,
    SLOW,
    SAVE_EVERY,
    SAVE_STOP,
    VAL_EVERY,
    VAL_TILES,
    VAL_TILE,
    CLASSES,
    INPUTS
};
_Static_assert(INPUTS == sizeof inputs / sizeof *inputs, "each input has its place");

static double in(int key)
{
    return inputs[key].value;
}

static int count_of(int key)
{
    return (int)inputs[key].value;
}

typedef struct {
    int rank, ranks; /* of those that train, or those that sum */
    int other;       /* the other process of the same rank, in the world */
    int buckets;
    double end[BUCKETS_MOST]; /* bytes up to a bucket's end */
    profile passes;           /* when gradients become final */
} process;

static double bucket_bytes(const process *p, int bucket)
{
    return p->end[bucket] - (bucket > 0 ? p->end[bucket - 1] : 0);
}

/* src/train/exchange.c */
static void make_buckets(process *p)
{
    double all = 4 * in(PARAMETERS), most = in(BUCKET)*1048576, least = most / 16, end = 0;
    for (; end < all - 1e-6 && p->buckets < BUCKETS_MOST; p->buckets++) {
        double size = most, half = (all - end) / 2;
        if (in(TAPER) > 0 && half < most)
            size = fmax(half, least);
        end = fmin(end + size, all);
        p->end[p->buckets] = end;
    }
}

/* The world's rank of the process that does the same in a rank. */
static int world_of(const process *p, int rank)
{
    return 2 * rank + (p->other % 2 == 0);
}

/* ---- the process that sums ---- */

typedef struct {
    reduction how;
    int bucket, round, open; /* messages of the round that are not there */
    double summed;           /* bytes to add up when they are */
} sum;

typedef struct {
    const process *p;
    MPI_Request request[REQUESTS_MOST * 2];
    int owner[REQUESTS_MOST * 2]; /* which sum's */
    int requests;
    sum *sums; /* [buckets] of a step, in the order asked for */
    int asked, ended;
    int news; /* the last message of the training process */
    bool waits, step_ends, all_ends;
} driver;

static reduction reduction_for(const process *p, double bytes)
{
    bool fold = in(FOLD) > 0;
    return (reduction){.how = (algorithm)count_of(ALGORITHM),
                       .rank = p->rank,
                       .ranks = p->ranks,
                       .locals = fold ? 1 : count_of(GPUS),
                       .bytes = bytes,
                       .stands_for = fold ? count_of(GPUS) : 1,
                       .local_rate = in(LOCAL_RATE),
                       .local_latency = in(LOCAL_LAT)};
}

static double on_wire(const driver *d, int rank, double bytes)
{
    int locals = in(FOLD) > 0 ? 1 : count_of(GPUS);
    return rank / locals == d->p->rank / locals ? bytes : bytes * in(WIRE);
}

static void add_request(driver *d, int owner, MPI_Request request)
{
    d->owner[d->requests] = owner;
    d->request[d->requests++] = request;
    d->sums[owner].open++;
}

/* Rounds in which this rank has nothing to do are passed over. */
static void begin_round(driver *d, int number)
{
    sum *s = &d->sums[number];
    one_round round;
    s->open = 0;
    while (s->open == 0) {
        if (!find_round(&s->how, s->round++, &round)) {
            d->ended++;
            s->round = -1;
            return;
        }
        if (round.seconds > 0)
            sg_actor_sleep_for(round.seconds + round.summed / in(ADD));
        for (int i = 0; i < round.receives; i++) {
            MPI_Request request;
            MPI_Irecv(nothing, (int)on_wire(d, round.received[i].rank, round.received[i].bytes),
                      MPI_BYTE, world_of(d->p, round.received[i].rank), TAGS + s->bucket,
                      MPI_COMM_WORLD, &request);
            add_request(d, number, request);
        }
        for (int i = 0; i < round.sends; i++) {
            MPI_Request request;
            MPI_Isend(nothing, (int)on_wire(d, round.sent[i].rank, round.sent[i].bytes), MPI_BYTE,
                      world_of(d->p, round.sent[i].rank), TAGS + s->bucket, MPI_COMM_WORLD,
                      &request);
            add_request(d, number, request);
        }
        s->summed = round.seconds > 0 ? 0 : round.summed;
    }
}

static void listen(driver *d)
{
    MPI_Irecv(&d->news, 1, MPI_INT, d->p->other, NEWS, MPI_COMM_WORLD, &d->request[0]);
}

static void hear(driver *d)
{
    if (d->news == WAITS)
        d->waits = true;
    else if (d->news == STEP_ENDS)
        d->step_ends = true;
    else if (d->news == ALL_ENDS)
        d->all_ends = true;
    else
        d->sums[d->asked++] =
            (sum){.how = reduction_for(d->p, bucket_bytes(d->p, d->news)), .bucket = d->news};
    if (!d->all_ends)
        listen(d);
}

/* Take note of the message i, and close the gap. */
static void note(driver *d, int i)
{
    if (i == 0) {
        hear(d);
        return;
    }
    d->sums[d->owner[i]].open--;
    d->requests--;
    d->request[i] = d->request[d->requests];
    d->owner[i] = d->owner[d->requests];
}

static void note_all(driver *d)
{
    for (int there = 1; there;) {
        int i = MPI_UNDEFINED;
        MPI_Testany(d->requests, d->request, &i, &there, MPI_STATUS_IGNORE);
        if (!there || i == MPI_UNDEFINED)
            return;
        note(d, i);
    }
}

/* Begin what may begin, in the order of sums. */
static void look(driver *d)
{
    for (int i = 0, under_way = 0; i < d->asked && under_way < count_of(AT_ONCE); i++) {
        sum *s = &d->sums[i];
        if (s->round >= 0 && s->open == 0) {
            if (s->summed > 0)
                sg_actor_sleep_for(s->summed / in(ADD));
            s->summed = 0;
            begin_round(d, i);
        }
        under_way += s->round >= 0;
    }
}

static void wait_for_news(driver *d, double *looked)
{
    int i, asked = d->asked;
    MPI_Waitany(d->requests, d->request, &i, MPI_STATUS_IGNORE);
    note(d, i);
    double pause = d->waits ? in(WAITING) : in(PAUSE), now = MPI_Wtime();
    if (d->asked == asked && i > 0) { /* what is asked for is begun at once */
        double next = *looked + pause * ceil((now - *looked) / pause);
        if (next > now)
            sg_actor_sleep_for(next - now);
    }
    note_all(d);
    *looked = MPI_Wtime();
}

static void drive_sums(const process *p)
{
    driver *d = calloc(1, sizeof *d);
    double looked = 0;
    d->p = p;
    d->sums = calloc((size_t)p->buckets, sizeof *d->sums);
    d->requests = 1;
    listen(d);
    while (!d->all_ends) {
        wait_for_news(d, &looked);
        look(d);
        if (d->waits && d->step_ends && d->ended == d->asked) {
            MPI_Send(&d->ended, 1, MPI_INT, p->other, ENDED, MPI_COMM_WORLD);
            d->asked = d->ended = 0;
            d->waits = d->step_ends = false;
        }
    }
    free(d->sums);
    free(d);
}

/* ---- the process that trains ---- */

typedef struct {
    const process *p;
    double factor; /* of this step's compute times */
    int started;   /* buckets of this step */
    double waited; /* seconds, for sums */
    double norms_waited;
} training;

static int stands_for(void)
{
    return in(FOLD) > 0 ? count_of(GPUS) : 1;
}

static void draw_factor(training *t, int step)
{
    int node = t->p->rank * stands_for() / count_of(GPUS);
    double varied = in(JITTER)*draw_most((uint64_t)t->p->rank, (uint64_t)step, stands_for());
    t->factor = fmax(0.5, 1 + varied) * (node == 0 ? in(SLOW) : 1);
}

static void compute(const training *t, double seconds)
{
    sg_actor_sleep_for(seconds * t->factor);
}

static void tell(const training *t, int news)
{
    MPI_Send(&news, 1, MPI_INT, t->p->other, NEWS, MPI_COMM_WORLD);
}

static ranks_of all_that_train(const process *p)
{
    return (ranks_of){0, p->ranks, p->rank, 2, 0};
}

/* sg_comm_sum_f64 of a layer's statistics. With fold the ranks of a node have theirs from memory.
 */
static void sum_norm(training *t)
{
    double start = MPI_Wtime();
    if (stands_for() > 1)
        sg_actor_sleep_for(2 * in(LOCAL_LAT)*ceil(log2(stands_for())));
    int group = in(GROUP) > 0 ? count_of(GROUP) * count_of(GPUS) / stands_for() : t->p->ranks;
    int first = t->p->rank / group * group;
    group = first + group < t->p->ranks ? group : t->p->ranks - first;
    sum_small((ranks_of){first, group, t->p->rank - first, 2, 0}, 2 * count_of(CHANNELS) + 1);
    t->norms_waited += MPI_Wtime() - start;
}

static void forward(training *t)
{
    int parts = in(NORMS) > 0 ? count_of(NORMS) : 1;
    for (int i = 0; i < parts; i++) {
        compute(t, in(FORWARD) / parts);
        if (in(NORMS) > 0)
            sum_norm(t);
    }
}

/* on_ready: these bytes are final. */
static void start_buckets(training *t, double ready)
{
    while (t->started < t->p->buckets && t->p->end[t->started] <= ready + 1e-6)
        tell(t, t->started++);
}

static void backward(training *t)
{
    const profile *passes = &t->p->passes;
    double ready = 0;
    t->started = 0;
    for (int i = 0; i < passes->parts; i++) {
        compute(t, in(BACKWARD)*passes->time[i]);
        ready += 4 * in(PARAMETERS)*passes->values[i];
        if (in(OVERLAP) > 0)
            start_buckets(t, i + 1 < passes->parts ? ready : 4 * in(PARAMETERS));
        if (in(NORMS) > 0 && passes->norm[i])
            sum_norm(t);
    }
}

static void move(void)
{
    if (in(MOVE) > 0)
        sg_actor_sleep_for(4 * in(PARAMETERS) / in(MOVE));
}

/* complete(): the small sum of doubles, then all buckets. */
static void complete(training *t)
{
    double start = MPI_Wtime();
    int ended;
    tell(t, WAITS);
    tell(t, STEP_ENDS);
    if (t->p->ranks * stands_for() > 1) {
        sum_small(all_that_train(t->p), 12);
        MPI_Recv(&ended, 1, MPI_INT, t->p->other, ENDED, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    }
    t->waited += MPI_Wtime() - start;
}

/* sg_validate: tiles are dealt out; sg_comm_agree, who was stopped, the confusion matrix. */
static void validate(const training *t)
{
    double ranks = (double)t->p->ranks * stands_for();
    compute(t, ceil(in(VAL_TILES) / ranks) * in(VAL_TILE));
    sum_small(all_that_train(t->p), 3);
    sum_small(all_that_train(t->p), 1);
    sum_small(all_that_train(t->p), count_of(CLASSES) * count_of(CLASSES));
}

static bool is_due(int step, int every)
{
    return every > 0 && (step + 1) % every == 0;
}

static void run_step(training *t, int step)
{
    draw_factor(t, step);
    forward(t);
    backward(t);
    if (in(OVERLAP) <= 0) {
        move();
        start_buckets(t, 4 * in(PARAMETERS));
    }
    complete(t);
    move();
    compute(t, in(UPDATE));
    if (is_due(step, count_of(VAL_EVERY)))
        validate(t);
    if (t->p->rank == 0 && is_due(step, count_of(SAVE_EVERY)))
        sg_actor_sleep_for(in(SAVE_STOP));
}

static void train(const process *p)
{
    training t = {.p = p};
    meet(p->ranks);
    double start = MPI_Wtime();
    for (int step = 0; step < count_of(STEPS); step++)
        run_step(&t, step);
    meet(p->ranks);
    double step = (MPI_Wtime() - start) / in(STEPS);
    tell(&t, ALL_ENDS);
    if (p->rank == 0)
        printf("ranks=%d step=%.9f wait=%.9f norms=%.9f\n", p->ranks * stands_for(), step,
               t.waited / in(STEPS), t.norms_waited / in(STEPS));
}

/* ---- all ---- */

static void make_process(process *p)
{
    int world, ranks;
    MPI_Comm_rank(MPI_COMM_WORLD, &world);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    p->rank = world / 2;
    p->ranks = ranks / 2;
    p->other = world ^ 1;
    make_buckets(p);
    if (in(UNET) > 0)
        profile_of_unet(&p->passes, count_of(UNET), 4, count_of(CLASSES));
    else
        profile_evenly(&p->passes, in(NORMS) > 0 ? count_of(NORMS) : 32);
}

int main(int argc, char **argv)
{
    process *p = calloc(1, sizeof *p);
    int world;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &world);
    if (once())
        read_inputs(inputs, INPUTS, argc, argv);
    make_process(p);
    if (world % 2 == 0)
        train(p);
    else
        drive_sums(p);
    free(p);
    MPI_Finalize();
    return 0;
}
