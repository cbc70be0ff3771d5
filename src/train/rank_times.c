#include "train/rank_times.h"

#include <math.h>

#include "base/log.h"
#include "base/size.h"

static void add(double value, int ranks, double *mean, double *least, double *most)
{
    *mean += value / ranks;
    *least = fmin(*least, value);
    *most = fmax(*most, value);
}

sg_times_over_ranks sg_times_summarize(const sg_rank_times *all, int ranks)
{
    sg_times_over_ranks t = {.least = all[0], .most = all[0]};
    for (int r = 0; r < ranks; r++) {
        const sg_rank_times *one = &all[r], *worst = &all[t.slowest];
        add(one->read, ranks, &t.mean.read, &t.least.read, &t.most.read);
        add(one->compute, ranks, &t.mean.compute, &t.least.compute, &t.most.compute);
        add(one->wait, ranks, &t.mean.wait, &t.least.wait, &t.most.wait);
        if (one->read + one->compute > worst->read + worst->compute)
            t.slowest = r;
    }
    return t;
}

sg_err sg_times_tell(sg_comm *comm, const sg_rank_times *mine, int64_t steps)
{
    const int ranks = sg_comm_ranks(comm);
    const double ms = 1e3 / (double)sg_max64(1, steps);
    sg_rank_times *all = NULL;
    sg_err err = sg_comm_agree(comm, sg_calloc((size_t)ranks, sizeof *all, &all));
    if (!err) {
        sg_comm_all_gather(comm, mine, sizeof *mine, all);
        sg_times_over_ranks t = sg_times_summarize(all, ranks);
        sg_info("a step on %d ranks, ms: waiting for batches %.3g (%.3g to %.3g), computing %.3g "
                "(%.3g to %.3g), waiting for sums %.3g (%.3g to %.3g); rank %d is the slowest",
                ranks, ms * t.mean.read, ms * t.least.read, ms * t.most.read, ms * t.mean.compute,
                ms * t.least.compute, ms * t.most.compute, ms * t.mean.wait, ms * t.least.wait,
                ms * t.most.wait, t.slowest);
    }
    sg_free(all);
    return err;
}
