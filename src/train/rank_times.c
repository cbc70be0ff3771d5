#include "train/rank_times.h"

#include <math.h>
#include <string.h>

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

/* ---- step by step ---- */

sg_err sg_step_times_open(sg_step_times *times, int ranks, double pixels)
{
    *times = (sg_step_times){.ranks = ranks, .pixels = pixels};
    sg_err err = sg_calloc((size_t)ranks, sizeof *times->last, &times->last);
    return err ? err : sg_calloc((size_t)ranks, sizeof *times->sum, &times->sum);
}

void sg_step_times_close(sg_step_times *times)
{
    sg_free(times->last);
    sg_free(times->sum);
    *times = (sg_step_times){0};
}

void sg_step_times_note(sg_step_times *times, const double *all, int64_t step)
{
    times->step = step;
    times->steps++;
    for (int r = 0; r < times->ranks; r++, all += SG_RANK_TIMES) {
        sg_rank_times *sum = &times->sum[r];
        times->last[r] = (sg_rank_times){all[0], all[1], all[2]};
        sum->read += all[0];
        sum->compute += all[1];
        sum->wait += all[2];
    }
}

static sg_err add_spread(sg_text *text, const char *name, double mean, double least, double most)
{
    return sg_text_add(text, ", \"%s\": {\"mean\": %.4g, \"least\": %.4g, \"most\": %.4g}", name,
                       1e3 * mean, 1e3 * least, 1e3 * most);
}

sg_err sg_step_times_add(const sg_step_times *times, sg_text *text)
{
    if (times->step == 0)
        return SG_OK;
    const sg_times_over_ranks t = sg_times_summarize(times->last, times->ranks);
    const double sent = t.least.wait;
    sg_err err = sg_text_add(text, ", \"times\": {\"step\": %lld", (long long)times->step);
    if (!err)
        err = add_spread(text, "read", t.mean.read, t.least.read, t.most.read);
    if (!err)
        err = add_spread(text, "compute", t.mean.compute, t.least.compute, t.most.compute);
    if (!err)
        err = add_spread(text, "wait", fmax(0, t.mean.wait - sent), 0, t.most.wait - sent);
    if (!err)
        err = sg_text_add(text, ", \"communicate\": %.4g", 1e3 * sent);
    if (!err && times->ranks > 1)
        err = sg_text_add(text, ", \"slowest\": %d", t.slowest);
    return err ? err : sg_text_add(text, "}");
}

sg_err sg_step_times_add_ranks(sg_step_times *times, sg_text *text)
{
    const double ms = 1e3 / (double)sg_max64(1, times->steps);
    if (times->steps == 0)
        return SG_OK;
    sg_err err = sg_text_add(text, ", \"ranks\": {");
    for (int r = 0; !err && r < times->ranks; r++) {
        const sg_rank_times *sum = &times->sum[r];
        double busy = sum->read + sum->compute;
        err = sg_text_add(text,
                          "%s\"%d\": {\"mpx_per_s\": %.4g, \"read_ms\": %.4g, \"compute_ms\": "
                          "%.4g, \"sums_ms\": %.4g}",
                          r > 0 ? ", " : "", r,
                          busy > 0 ? 1e-6 * times->pixels * (double)times->steps / busy : 0,
                          ms * sum->read, ms * sum->compute, ms * sum->wait);
    }
    times->steps = 0;
    memset(times->sum, 0, (size_t)times->ranks * sizeof *times->sum);
    return err ? err : sg_text_add(text, "}");
}
