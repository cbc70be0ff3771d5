/* How long sums over all ranks take. */
#include "comm/inner.h"

#include <math.h>
#include "base/clock.h"
#include "base/size.h"

enum { SHORT = 1 << 10, LONG = 1 << 18, ROUNDS = 4 };

/* The best of a few: what the network can do, not what disturbs it now. [collective] */
static double time_sum(sg_sums *sums, sg_comm *comm, float *values, size_t count)
{
    double best = INFINITY;
    for (int i = 0; i < ROUNDS; i++) {
        sg_comm_barrier(comm);
        double start = sg_now();
        sg_sum_start(sums, values, count);
        sg_sum_wait_all(sums);
        double took = sg_now() - start;
        best = took < best ? took : best;
    }
    return best;
}

sg_err sg_sums_measure(sg_comm *comm, double *latency, double *per_element)
{
    sg_sums *sums = NULL;
    float *values = NULL;
    sg_err err = sg_comm_made(comm->world, sg_calloc(LONG, sizeof *values, &values));
    if (!err) {
        err = sg_sums_create(&sums, comm, &(sg_sums_options){.most_at_once = 1, .longest = LONG});
    }
    if (!err) {
        double took[2] = {time_sum(sums, comm, values, SHORT), time_sum(sums, comm, values, LONG)};
        sg_comm_max_f64(comm, took, 2);
        *per_element = fmax(took[1] - took[0], 1e-9) / (LONG - SHORT);
        *latency = fmax(took[0] - SHORT * *per_element, 1e-7);
    }
    sg_sums_close(sums);
    sg_free(values);
    return err;
}
