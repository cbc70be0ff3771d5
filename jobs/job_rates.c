/* train.layers: which parameters train faster, slower or not at all. */
#include "jobs/job.h"

#include <fnmatch.h>
#include "base/size.h"

/* The first pattern that matches counts. */
static float find_rate(const sg_job *job, const char *name, bool *matched)
{
    const sg_job_rate *item = job->train.layers.item;
    for (size_t i = 0; i < job->train.layers.count; i++)
        if (fnmatch(item[i].match, name, 0) == 0) {
            matched[i] = true;
            return (float)item[i].rate;
        }
    return 1;
}

static sg_err check_rates(const sg_job *job, const bool *matched, bool moves)
{
    const sg_job_rate *item = job->train.layers.item;
    for (size_t i = 0; i < job->train.layers.count; i++)
        if (!matched[i])
            return sg_yaml_fail(job->yaml, "train.layers",
                                "'%s' is no parameter, or none that an earlier pattern leaves; "
                                "segtiles info --net names the layers",
                                item[i].match);
    return moves ? SG_OK
                 : sg_yaml_fail(job->yaml, "train.layers", "all layers are frozen; leave some");
}

sg_err sg_job_rates(const sg_job *job, const sg_graph *graph, float **rate)
{
    bool *matched = NULL, moves = false;
    *rate = NULL;
    if (job->train.layers.count == 0)
        return SG_OK;
    sg_err err = sg_calloc((size_t)graph->param_count, sizeof **rate, rate);
    if (err == SG_OK)
        err = sg_calloc(job->train.layers.count, sizeof *matched, &matched);
    for (int32_t i = 0; err == SG_OK && i < graph->param_count; i++) {
        (*rate)[i] = find_rate(job, graph->param[i].name, matched);
        moves |= sg_param_is_trainable(&graph->param[i]) && (*rate)[i] > 0;
    }
    if (err == SG_OK)
        err = check_rates(job, matched, moves);
    sg_free(matched);
    if (err != SG_OK) {
        sg_free(*rate);
        *rate = NULL;
    }
    return err;
}
