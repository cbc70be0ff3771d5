/*
 * counter_bench [N]: how fast the counter answers from which ranks take their chunks: every rank
 * but the first asks N times (20000) without doing anything between, and the first sleeps. For the
 * arithmetic in docs/prediction.md and docs/scaling.md.
 *
 * Where ranks share processors, what is counted in a second tells of the sharing; the processor
 * time of rank 0's process tells what an answer takes (or less: its looks when nobody asks are in
 * it).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "base/clock.h"
#include "comm/comm.h"

enum { NAP_NS = 10000000 };

static double processor_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Rank 0: until the counter has given the others so many answers. Its own looks count, too. */
static sg_err sleep_until(sg_counter *counter, int64_t answers)
{
    int64_t others = 0;
    sg_err err = SG_OK;
    for (int64_t looks = 0; err == SG_OK && others < answers; looks++) {
        nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
        err = sg_counter_next(counter, &others);
        others -= looks;
    }
    return err;
}

static sg_err ask(sg_comm *comm, int64_t times, double *seconds, double *busy)
{
    sg_counter *counter = NULL;
    sg_err err = sg_counter_create(&counter, comm);
    if (err != SG_OK)
        return err;
    sg_comm_barrier(comm);
    double start = sg_now(), before = processor_time();
    int64_t value = 0;
    if (sg_comm_rank(comm) == 0)
        err = sleep_until(counter, times * (sg_comm_ranks(comm) - 1));
    else
        for (int64_t i = 0; err == SG_OK && i < times; i++)
            err = sg_counter_next(counter, &value);
    *busy = processor_time() - before;
    *seconds = sg_now() - start;
    sg_comm_max_f64(comm, seconds, 1);
    sg_counter_close(counter);
    return err;
}

int main(int argc, char **argv)
{
    sg_comm *comm = NULL;
    int64_t times = argc > 1 ? strtoll(argv[1], NULL, 10) : 20000;
    double seconds = 0, busy = 0;
    sg_err err = sg_comm_start(&comm, &argc, &argv);
    if (err == SG_OK)
        err = sg_comm_agree(comm, ask(comm, times, &seconds, &busy));
    if (err == SG_OK && sg_comm_rank(comm) == 0)
        printf("%d ranks, %" PRId64
               " questions each: %.0f answers a second, %.2f us of a processor "
               "each\n",
               sg_comm_ranks(comm), times, (double)times * (sg_comm_ranks(comm) - 1) / seconds,
               1e6 * busy / ((double)times * (sg_comm_ranks(comm) - 1)));
    if (err != SG_OK)
        fprintf(stderr, "counter_bench: %s\n", sg_error_text());
    sg_comm_close(comm);
    return err == SG_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
