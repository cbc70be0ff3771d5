/* counter_bench [N]: how fast the counter answers from which ranks take their chunks: every rank
 * asks N times (20000) without doing anything between. For the arithmetic in docs/prediction.md. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "comm/comm.h"

static sg_err ask(sg_comm *comm, int64_t times, double *seconds)
{
    sg_counter *counter = NULL;
    sg_err err = sg_counter_create(&counter, comm);
    if (err != SG_OK)
        return err;
    sg_comm_barrier(comm);
    double start = sg_now();
    int64_t value = 0;
    for (int64_t i = 0; err == SG_OK && i < times; i++)
        err = sg_counter_next(counter, &value);
    *seconds = sg_now() - start;
    sg_comm_max_f64(comm, seconds, 1);
    sg_counter_close(counter);
    return err;
}

int main(int argc, char **argv)
{
    sg_comm *comm = NULL;
    int64_t times = argc > 1 ? strtoll(argv[1], NULL, 10) : 20000;
    double seconds = 0;
    sg_err err = sg_comm_start(&comm, &argc, &argv);
    if (err == SG_OK)
        err = sg_comm_agree(comm, ask(comm, times, &seconds));
    if (err == SG_OK && sg_comm_rank(comm) == 0)
        printf("%d ranks, %" PRId64 " questions each: %.0f answers a second\n", sg_comm_ranks(comm),
               times, (double)times * sg_comm_ranks(comm) / seconds);
    if (err != SG_OK)
        fprintf(stderr, "counter_bench: %s\n", sg_error_text());
    sg_comm_close(comm);
    return err == SG_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
